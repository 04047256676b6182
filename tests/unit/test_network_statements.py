"""snap_al.nn: What the talk says of networks' error bars: ensembles do well, variational inference
underestimates, and MCMC struggles with large networks. On points that were not fitted, over seeds.

`tests/bench/bench_networks.py` prints the same as tables.
"""

import importlib.util

import numpy as np
import pytest

from snap_al.errors import FitError
from snap_al.nn import EnsRegr, LastLayerRegr, MCMCRegr, Training, VIRegr
from snap_al.uncertainty import kind_metrics

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install 'snap_al[nn]'")

NOISE = 0.05
CASES = {
    "the talk's": lambda x: np.sin(2.0 * x - 0.3) ** 4,
    "sine": lambda x: np.sin(4.0 * x),
    "cubic": lambda x: x**3,
}
needs_sampler = pytest.mark.skipif(
    not importlib.util.find_spec("nutpie"), reason="needs nutpie: pip install 'snap_al[nn]'"
)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def perceptron(width, seed):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return torch.nn.Sequential(
            torch.nn.Linear(1, width), torch.nn.Tanh(), torch.nn.Linear(width, 1)
        )


def drawn(truth, least, most, n, rng):
    """n points with least < |x| < most, and noisy targets."""
    x = rng.uniform(least, most, n) * rng.choice([-1.0, 1.0], n)
    return x[:, None], truth(x) + NOISE * rng.standard_normal(n)


def unseen(make, truth, seeds, least, most):
    """Errors and total stds of all seeds; rows are fitted where 0.4 < |x| < 1."""
    found = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        regressor = make(seed).fit(*drawn(truth, 0.4, 1.0, 40, rng))
        x, y = drawn(truth, least, most, 200, rng)
        prediction = regressor.predict(x)
        found.append((prediction.mean - y, prediction.total_std))
    return np.concatenate(found, axis=1)


def ensemble(steps, nens):
    training = Training(steps=steps, learning_rate=0.02)
    return lambda seed: EnsRegr(perceptron(8, seed), nens, training=training, seed=seed)


def do_well(figures):
    """Near 0.68 and 0.95, which a calibrated Gaussian has."""
    return 0.55 < figures.coverage_1sigma < 0.85 and figures.coverage_2sigma > 0.86


def test_an_ensemble_is_calibrated_among_its_rows():
    error, std = unseen(ensemble(300, 8), CASES["cubic"], 2, 0.4, 1.0)
    assert do_well(kind_metrics(error, std))


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_ensembles_do_well_on_each_case(case):
    """Among the rows. Outside of them their stds are a third of the errors and less."""
    error, std = unseen(ensemble(1500, 20), CASES[case], 3, 0.4, 1.0)
    assert do_well(kind_metrics(error, std))
    error, std = unseen(ensemble(1500, 20), CASES[case], 3, 1.0, 1.4)
    assert np.sqrt(np.mean(std**2) / np.mean(error**2)) < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_last_layer_does_well_on_each_case(case):
    training = Training(steps=1500, learning_rate=0.02)
    error, std = unseen(
        lambda seed: LastLayerRegr(perceptron(8, seed), training=training, seed=seed),
        CASES[case],
        3,
        0.4,
        1.0,
    )
    assert do_well(kind_metrics(error, std))


def test_variational_underestimates_outside_of_many_columns():
    """The talk's overparameterised linear model: as many columns as rows."""
    columns = np.polynomial.legendre.legvander
    shares = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        x = rng.uniform(-1.0, 1.0, 12)
        a, outside = columns(x, 11), columns(np.array([-1.1, 1.1]), 11)
        y = CASES["the talk's"](x) + NOISE * rng.standard_normal(12)
        covariance = np.linalg.inv(a.T @ a / NOISE**2 + np.eye(12))
        training = Training(steps=250, learning_rate=0.05)
        module = torch.nn.Linear(12, 1, bias=False)
        regressor = VIRegr(module, prior_std=1.0, noise_std=NOISE, training=training, seed=seed)
        std = regressor.fit(a, y).predict(outside).epistemic_std
        shares.append(std / np.sqrt(np.einsum("ij,jk,ik->i", outside, covariance, outside)))
    assert np.mean(shares) < 0.4
    assert np.max(shares) < 0.8


@pytest.mark.slow
@pytest.mark.parametrize(("least", "most"), [(0.0, 0.4), (1.0, 1.4)], ids=["between", "outside"])
def test_variational_underestimates(least, most):
    """Interpolation across a gap, and extrapolation, of a network that knows its noise."""
    training = Training(steps=2000, learning_rate=0.02)
    error, std = unseen(
        lambda seed: VIRegr(
            perceptron(8, seed), prior_std=2.0, noise_std=NOISE, training=training, seed=seed
        ),
        CASES["the talk's"],
        3,
        least,
        most,
    )
    assert np.sqrt(np.mean(std**2) / np.mean(error**2)) < 0.4


def chains(width, seed, draws, depth):
    """The diagnostics of chains, and whether they were accepted."""
    rng = np.random.default_rng(seed)
    regressor = MCMCRegr(
        perceptron(width, seed),
        prior_std=2.0,
        noise_std=NOISE,
        draws=draws,
        tune=draws,
        seed=seed,
        depth=depth,
    )
    try:
        regressor.fit(*drawn(CASES["the talk's"], 0.4, 1.0, 40, rng))
    except FitError:
        return regressor.diagnostics, False
    return regressor.diagnostics, True


@needs_sampler
def test_chains_of_a_wide_network_are_refused():
    """49 weights, and far fewer gradients than they need: R-hat says so."""
    found, accepted = chains(16, seed=0, draws=15, depth=4)
    assert not accepted
    assert found["largest_r_hat"] > 1.05


@needs_sampler
@pytest.mark.slow
def test_mcmc_struggles_with_large_networks():
    """Effective samples per gradient fall a hundredfold between 4 weights and 13 or 49."""
    means = []
    for width in (1, 4, 16):
        each = [chains(width, seed, draws=100, depth=6)[0] for seed in range(2)]
        means.append(np.mean([d["smallest_ess"] / d["gradients"] for d in each]))
    assert means[0] > 20.0 * max(means[1:])
