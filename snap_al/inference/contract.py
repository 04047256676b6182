"""The contract that every posterior must keep, for our own methods and those of third parties."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from snap_al.inference.posterior import Posterior
from snap_al.parallel import SERIAL, Communicator

Array = NDArray[np.float64]
TOLERANCE = 1e-6
"""Relative; what two orders of the same sums may differ by on the contract's problem."""

ROUNDING = 1e-12
"""What the two triangles of a matrix of correlations may differ by."""


class Fit(Protocol):
    """Rows A (m, n), targets b (m,), weights w (m,) → Posterior."""

    def __call__(self, a: Array, b: Array, w: Array, comm: Communicator) -> Posterior: ...


def validate_posterior(fit: Fit, seed: int = 0, tolerance: float = TOLERANCE) -> None:
    """Raises AssertionError saying which law broke.

    Covariances are symmetric; stds are finite, and positive also in a direction without data; the
    order of rows does not
    matter; rescaling a column rescales its coefficient and changes no prediction; scaling all
    weights changes no mean; what is stored reads back; samples have the posterior's moments.
    tolerance: relative, for methods that search or sample.
    """
    rng = np.random.default_rng(seed)
    m, n = 120, 6
    a = rng.standard_normal((m, n)) * np.array([1.0, 10.0, 0.1, 1.0, 1.0, 0.0])
    b = a @ rng.standard_normal(n) + 0.1 * np.sin(5.0 * a[:, 0])
    w = rng.uniform(0.5, 2.0, m)
    p = fit(a, b, w, SERIAL)
    for name in ("epistemic", "model_error"):
        covariance = getattr(p, name)
        stds = np.sqrt(np.diag(covariance))
        scale = np.where(stds > 0, stds, np.inf)
        uneven = np.abs(covariance - covariance.T) / np.outer(scale, scale)
        assert uneven.max() < ROUNDING, f"{name} is not symmetric"
    probe = np.vstack([a[:5], np.eye(n)])
    reference = p.predict(probe)
    std = np.hypot(reference.epistemic_std, reference.model_error_std)
    assert np.isfinite(std).all(), "a std is not finite"
    assert (std > 0).all(), "a std vanishes, also where there is no data"
    order = rng.permutation(m)
    _same(
        fit(a[order], b[order], w[order], SERIAL).predict(probe),
        reference,
        "the order of rows matters",
        tolerance,
    )
    scale = np.array([1.0, 1e3, 1.0, 1e-3, 1.0, 1.0])
    _same(
        fit(a * scale, b, w, SERIAL).predict(probe * scale),
        reference,
        "the scale of a column matters",
        tolerance,
    )
    doubled = fit(a, b, 2.0 * w, SERIAL).predict(probe)
    assert np.allclose(doubled.mean, reference.mean, rtol=tolerance, atol=tolerance), (
        "the scale of all weights matters"
    )
    again = Posterior.from_bytes(p.to_bytes()).predict(probe)
    assert np.array_equal(again.mean, reference.mean), "storage changed the mean"
    assert np.array_equal(again.total_std, reference.total_std), "storage changed the std"
    draws = p.sample(4000, rng) @ probe[:5].T
    spread = np.hypot(reference.epistemic_std, reference.model_error_std)[:5]
    assert (np.abs(draws.mean(axis=0) - reference.mean[:5]) < 0.5 * spread).all(), (
        "samples have another mean"
    )


def _same(found: object, expected: object, message: str, tolerance: float) -> None:
    for name in ("mean", "epistemic_std", "model_error_std", "noise_std"):
        one, other = getattr(found, name), getattr(expected, name)
        assert np.allclose(one, other, rtol=tolerance, atol=tolerance * np.abs(other).max()), (
            f"{message}: {name}"
        )
