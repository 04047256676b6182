"""The coordinates that a model error is sought in, and what is found there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snap_al.inference.conjugate import Conjugate
from snap_al.inference.settings import ModelErrorSettings

Array = NDArray[np.float64]
ZERO_NOISE = 1e-10
"""Of the mean square residual: `noise: zero` where a logarithm needs a number."""


@dataclass(frozen=True)
class Coordinates:
    """The coordinates that the blocks' rows q = ÃT are in."""

    matrix: Array
    """(n, n) transformation T."""
    precision: Array
    """(n, n) of the coefficients' prior there, in units of the residual variance's inverse."""
    coefficients: Array
    """(n,) the mean coefficients in these coordinates, T⁻¹c̄."""
    pull: Array
    """(n,) distance of the mean from the prior's center, T⁻¹(c̄ - c₀)."""
    mixing: Array
    """(n, n) T⁻¹ times the whitening, times the residuals' std."""

    @classmethod
    def of(cls, matrix: Array, c: Conjugate) -> Coordinates:
        scaled = c.factor.norms[:, None] * matrix
        inverse = np.linalg.solve(scaled, np.diag(c.factor.norms))
        mixing = inverse @ c.whitening * np.sqrt(c.residual_variance)
        pull = inverse @ (c.mean - c.factor.center)
        return cls(matrix, c.prior_information_in(matrix), inverse @ c.mean, pull, mixing)


@dataclass(frozen=True)
class Estimate:
    """A model error, and the mean with it, in the rows' coordinates."""

    inner: Array
    """(n, n) covariance Σ_δ of the model error."""
    noise_share: float
    """Share τ of the residuals that is noise."""
    shift: Array
    """(n,) of the mean, zero when anchored."""
    epistemic: Array | None
    """(n, n) covariance of the coefficients; None where the sandwich is it."""
    objective: tuple[float, ...]
    """-log posterior at each step of the search."""


def noise_share(settings: ModelErrorSettings) -> float:
    """τ that is fixed, or where its search begins: σ² of a kind next to the mean square of its
    residuals.
    """
    return ZERO_NOISE if settings.noise == "zero" else settings.noise_fraction


def diagonal(v: Array, chosen: NDArray[np.int64], n: int) -> Array:
    """(n, n) with v (p,) in the chosen places of the diagonal, and zero elsewhere."""
    full = np.zeros(n)
    full[chosen] = v
    return np.diag(full)
