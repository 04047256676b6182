"""Four ways to error bars of a network, on one-dimensional functions, and what they are worth.

    python tests/bench/bench_networks.py [--seeds N] [--cases NAME ...]
    python tests/bench/bench_networks.py --widths 1 4 16 [--seeds N]

The first prints how the stds compare with the errors on points that were not fitted; the second
how well Markov chains mix in networks of these widths.
"""

import argparse
import time

import numpy as np
import torch

from snap_al.errors import FitError
from snap_al.nn import EnsRegr, LastLayerRegr, MCMCRegr, Training, VIRegr
from snap_al.uncertainty import kind_metrics

NOISE, ROWS = 0.05, 40
CASES = {
    "sin⁴(2x - 0.3)": lambda x: np.sin(2.0 * x - 0.3) ** 4,
    "sin(4x)": lambda x: np.sin(4.0 * x),
    "x³": lambda x: x**3,
}
"""The first is the talk's."""
PLACES = {"among": (0.4, 1.0), "in the gap": (0.0, 0.4), "outside": (1.0, 1.4)}
"""Ranges of |x|: rows are fitted among the first alone."""


def drawn(truth, place, n, rng):
    """n points of a place with noisy targets."""
    x = rng.uniform(*PLACES[place], n) * rng.choice([-1.0, 1.0], n)
    return x[:, None], truth(x) + NOISE * rng.standard_normal(n)


def network(width, seed):
    """1 - width - 1, tanh; the weights are those of the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return torch.nn.Sequential(
            torch.nn.Linear(1, width), torch.nn.Tanh(), torch.nn.Linear(width, 1)
        )


def wrappers(seed, width, noise=NOISE, prior_std=2.0):
    """Each method with the settings of the table. The two that have a prior are told the noise, as
    they are in the talk's code; the others find it.
    """
    net = network(width, seed)
    fast = Training(steps=1500, learning_rate=0.02)
    return {
        "EnsRegr": EnsRegr(net, nens=20, training=fast, seed=seed),
        "MCMCRegr": MCMCRegr(
            net, prior_std=prior_std, noise_std=noise, draws=200, tune=200, seed=seed, depth=6
        ),
        "VIRegr": VIRegr(
            net,
            prior_std=prior_std,
            noise_std=noise,
            training=Training(2000, learning_rate=0.02),
            seed=seed,
        ),
        "LastLayerRegr": LastLayerRegr(net, training=fast, seed=seed),
    }


def errors_and_stds(regressor, truth, seed):
    """By place: errors on noisy targets that were not fitted, and total stds."""
    rng = np.random.default_rng(seed)
    regressor.fit(*drawn(truth, "among", ROWS, rng))
    found = {}
    for place in PLACES:
        x, y = drawn(truth, place, 200, rng)
        prediction = regressor.predict(x)
        found[place] = prediction.mean - y, prediction.total_std
    return found


def figures(error, std):
    """RMSE, RMS std over RMSE, shares within 1 and 2 std, and the NLL."""
    all_of = kind_metrics(error, std)
    ratio = all_of.sharpness / all_of.rmse
    return [all_of.rmse, ratio, all_of.coverage_1sigma, all_of.coverage_2sigma, all_of.nll]


def over_seeds(method, truth, seeds, width, noise):
    """By place, errors and stds of all seeds; how many fits were refused."""
    collected, refused = {place: [] for place in PLACES}, 0
    for seed in range(seeds):
        try:
            found = errors_and_stds(wrappers(seed, width, noise)[method], truth, seed)
        except FitError:
            refused += 1
            continue
        for place, pair in found.items():
            collected[place].append(pair)
    return {p: np.concatenate(pairs, axis=1) for p, pairs in collected.items() if pairs}, refused


def compare(cases, seeds, width, methods, noise):
    """One line for each case, method and place, over all seeds."""
    print("| function | wrapper | points | RMSE | std / error | within 1, 2 std | NLL | fits |")
    print("|---|---|---|---|---|---|---|---|")
    for case in cases:
        for method in methods:
            began = time.process_time()
            collected, refused = over_seeds(method, CASES[case], seeds, width, noise)
            seconds = (time.process_time() - began) / seeds
            fits = f"{seeds - refused} of {seeds}, {seconds:.0f} s"
            for place, (error, std) in collected.items():
                rmse, ratio, one, two, nll = figures(error, std)
                said = f"{place} | {rmse:.3f} | {ratio:.2f} | {one:.2f}, {two:.2f} | {nll:.2f}"
                print(f"| {case} | {method} | {said} | {fits} |", flush=True)
            if not collected:
                print(f"| {case} | {method} | | | | | | {fits} |", flush=True)


def mixing(widths, seeds, draws):
    """One line for each width: what the chains say of themselves, on the first function."""
    truth = next(iter(CASES.values()))
    print(
        "| width | weights | R-hat | smallest ESS | ESS per 1000 gradients | R-hat of weights | "
        "divergences | accepted |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for width in widths:
        said, accepted = [], 0
        for seed in range(seeds):
            x, y = drawn(truth, "among", ROWS, np.random.default_rng(seed))
            regressor = MCMCRegr(
                network(width, seed),
                prior_std=2.0,
                noise_std=NOISE,
                draws=draws,
                tune=draws,
                seed=seed,
                depth=6,
            )
            try:
                regressor.fit(x, y)
                accepted += 1
            except FitError:
                pass
            d = regressor.diagnostics
            said.append(
                [
                    d["largest_r_hat"],
                    d["smallest_ess"],
                    1e3 * d["smallest_ess"] / d["gradients"],
                    d["largest_r_hat_of_weights"],
                    d["divergences"],
                ]
            )
        r_hat, ess, per_gradient, of_weights, divergences = np.median(said, axis=0)
        print(
            f"| {width} | {3 * width + 1} | {r_hat:.3f} | {ess:.0f} | {per_gradient:.2f} | "
            f"{of_weights:.2f} | {divergences:.0f} | {accepted} of {seeds} |",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cases", nargs="*", choices=list(CASES), default=list(CASES))
    parser.add_argument("--methods", nargs="*", default=list(wrappers(0, 4)))
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--widths", type=int, nargs="*", default=[])
    parser.add_argument("--find-noise", action="store_true", help="VI and MCMC are not told it")
    parser.add_argument("--draws", type=int, default=200)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.widths:
        mixing(given.widths, given.seeds, given.draws)
    else:
        noise = None if given.find_noise else NOISE
        compare(given.cases, given.seeds, given.width, given.methods, noise)


if __name__ == "__main__":
    main()
