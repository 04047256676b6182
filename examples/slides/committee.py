"""Query by committee against random selection on the talk's test functions, Griewank and sine, in
2, 4, 16 and 32 dimensions.

A pool of points, a training set that grows by M points a round; K learners, each on a share f of it
drawn with replacement; the points on which they disagree most are asked for, one of each cluster.
Random selection trains the same committee on points drawn from the pool. Error: RMSE of the
committee's mean on points of their own, next to the spread of the function there.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from snap_al.query import Committee

DIMENSIONS = (2, 4, 16, 32)
POOL, TESTED, MEMBERS, FRACTION = 1000, 500, 8, 0.8
START, BATCH, ROUNDS = 20, 10, 8


def griewank(x):
    """On [-5, 5]^d."""
    return (
        1.0
        + np.sum(x**2, axis=1) / 4000.0
        - np.prod(np.cos(x / np.sqrt(np.arange(1, x.shape[1] + 1))), axis=1)
    )


def sine(x):
    """On [-1, 1]^d."""
    return np.sin(x.sum(axis=1))


FUNCTIONS: dict[str, tuple[Callable, float]] = {"Griewank": (griewank, 5.0), "sine": (sine, 1.0)}


def kernel(d: int):
    """A Gaussian process with a kernel as wide as points are apart."""
    return GaussianProcessRegressor(
        RBF(np.sqrt(d)) + WhiteKernel(1e-4), optimizer=None, normalize_y=True
    )


def polynomial(d: int):
    """All products up to the third order in few dimensions, the second in many."""
    return make_pipeline(PolynomialFeatures(3 if d <= 4 else 2 if d <= 16 else 1), Ridge(1e-3))


LEARNERS = {"kernel": kernel, "polynomial": polynomial}


def learned(function: str, d: int, learner: str, seed: int) -> dict[str, np.ndarray]:
    """Error after each round, by committee and by chance, from the same start."""
    f, half = FUNCTIONS[function]
    rng = np.random.default_rng([seed, d])
    x = rng.uniform(-1, 1, (POOL, d))
    test = rng.uniform(-1, 1, (TESTED, d))
    y, truth = f(half * x), f(half * test)
    start = rng.permutation(POOL)[:START]
    found = {}
    for way in ("committee", "random"):
        rng = np.random.default_rng([seed, d, 1])
        committee = Committee.of(lambda: LEARNERS[learner](d), MEMBERS, FRACTION, start, rng)
        known, errors = list(start), []
        for _ in range(ROUNDS + 1):
            committee.fit(x, y)
            errors.append(np.sqrt(np.mean((committee.predict(test)[0] - truth) ** 2)) / truth.std())
            left = np.setdiff1d(np.arange(POOL), known)
            asked = (
                committee.ask(x, left, BATCH, rng)
                if way == "committee"
                else rng.permutation(left)[:BATCH]
            )
            committee.tell(x, asked, rng)
            known += asked.tolist()
        found[way] = np.array(errors)
    return found


def compared(function: str, d: int, learner: str, seeds: int = 10) -> dict[str, np.ndarray | float]:
    """Mean errors over seeds; and error by committee over that by chance, geometric mean over the
    last half of the rounds, with its 95 % interval over seeds (twice the standard error)."""
    runs = [learned(function, d, learner, seed) for seed in range(seeds)]
    gain = np.array([np.mean(np.log(r["committee"] / r["random"])[ROUNDS // 2 :]) for r in runs])
    mean, error = gain.mean(), gain.std(ddof=1) / np.sqrt(seeds)
    return {
        "committee": np.mean([r["committee"] for r in runs], axis=0),
        "random": np.mean([r["random"] for r in runs], axis=0),
        "ratio": float(np.exp(mean)),
        "low": float(np.exp(mean - 2 * error)),
        "high": float(np.exp(mean + 2 * error)),
    }


def make(out: Path, seeds: int = 10) -> None:
    labels = START + BATCH * np.arange(ROUNDS + 1)
    lines = [
        "Query by committee against random selection: error of the committee's mean, over the "
        "last half of the rounds, by",
        f"committee over by chance (95 % interval over {seeds} seeds). Below 1 the committee "
        "helps.",
        "",
        "| function | learner | " + " | ".join(f"d = {d}" for d in DIMENSIONS) + " |",
        "|---|---|" + "---|" * len(DIMENSIONS),
    ]
    for learner in LEARNERS:
        figure = Figure(figsize=(3.4 * len(DIMENSIONS), 5.6), layout="constrained")
        panels = figure.subplots(len(FUNCTIONS), len(DIMENSIONS))
        for row, function in zip(panels, FUNCTIONS, strict=True):
            cells = []
            for panel, d in zip(row, DIMENSIONS, strict=True):
                found = compared(function, d, learner, seeds)
                cells.append(f"{found['ratio']:.2f} [{found['low']:.2f}, {found['high']:.2f}]")
                for way, color in (("committee", "tab:blue"), ("random", "0.5")):
                    panel.semilogy(labels, found[way], "o-", ms=3, color=color, label=way)
                panel.set_title(f"{function}, d = {d}", loc="left", fontsize=10)
                panel.set_xlabel("labels")
            row[0].set_ylabel("RMSE / spread")
            lines.append(f"| {function} | {learner} | " + " | ".join(cells) + " |")
        panels[0, 0].legend(fontsize=8)
        figure.savefig(out / f"committee_{learner}.png", dpi=130)
    (out / "committee.md").write_text("\n".join(lines) + "\n")
