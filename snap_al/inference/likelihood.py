"""The likelihoods of embedded model error, row by row, and the priors on its stds. Exact gradients;
complex-step safe.

s_i² = Σ_k q_ik² (g_k d_k)² + σ²,   g_k = 1 (additive) or the coefficient itself (multiplicative)

IID   -log L = ½ Σ [ r²/s² + log s² ]
      Sargsyan, Huan, Najm, Int. J. Uncert. Quantif. 9, 365 (2019)
ABC   -log L = ½ Σ [ r² + (s - α|r|)² ] / ε²
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # float64, and complex128 under a complex step


class Rowwise(Protocol):
    """-log L as a sum over rows, of weighted residuals r (m,) and variances s² (m,). steady:
    whether the curvature by r is the same wherever r and s² are."""

    steady: ClassVar[bool]

    def __call__(self, r: Array, s2: Array) -> tuple[Array, Array, Array]:
        """Of each row: -log L, and its derivatives by r and by s²."""

    def information(self, r: Array, s2: Array) -> tuple[Array, Array]:
        """Of each row: a curvature by r and one by s² that are never negative, for a step
        downwards.
        """


@dataclass(frozen=True)
class IID:
    """Independent Gaussian rows."""

    steady: ClassVar[bool] = False
    """Whether the information by r is the same everywhere."""

    def __call__(self, r: Array, s2: Array) -> tuple[Array, Array, Array]:
        ratio = r / s2
        return 0.5 * (r * ratio + np.log(s2)), ratio, 0.5 * (1.0 / s2 - ratio**2)

    def information(self, r: Array, s2: Array) -> tuple[Array, Array]:
        """Fisher's, which has no block between the two."""
        return 1.0 / s2, 0.5 / s2**2


@dataclass(frozen=True)
class ABC:
    """Approximate Bayesian computation: s imitates α|r|. Where r = 0, the derivative by r is that
    of one side."""

    alpha: float
    """Factor α: the std s should be α|r|."""
    epsilon: float
    """Tolerance of this, in weighted units."""
    steady: ClassVar[bool] = True
    """Whether the information by r is the same everywhere."""

    def __call__(self, r: Array, s2: Array) -> tuple[Array, Array, Array]:
        sign = np.where(np.real(r) < 0, -1.0, 1.0)
        s = np.sqrt(s2)
        miss = s - self.alpha * sign * r
        value = 0.5 * (r**2 + miss**2) / self.epsilon**2
        return (
            value,
            (r - self.alpha * sign * miss) / self.epsilon**2,
            0.5 * miss / s / self.epsilon**2,
        )

    def information(self, r: Array, s2: Array) -> tuple[Array, Array]:
        """Gauss and Newton's of the two squares; what is between r and s² averages out with the
        sign of r.
        """
        return np.full(len(r), (1.0 + self.alpha**2) / self.epsilon**2), 0.25 / s2 / self.epsilon**2


Prior = Callable[[Array], tuple[Any, Array]]
"""x = log d (p,) → -log of the prior of d (a number), up to a constant, and its derivative by x
(p,).
"""


def prior(name: str, scale: float, pseudo_rows: float) -> Prior:
    """scale: of d, from the residuals.

    inverse-gamma: on d², weight in rows, mode scale²: no std vanishes. flat: the likelihood alone;
    components that do not help go to zero. half-normal: as flat, without stds far above the scale.
    half-cauchy: tails that allow single large ones. jeffreys, 1/d: drives what does not help to
    zero at once, down to the bound on x, and never out again.
    """
    alpha = 0.5 * pseudo_rows

    def terms(x: Array) -> tuple[Any, Array]:
        d2 = np.exp(2.0 * x) / scale**2
        if name == "inverse-gamma":
            return np.sum(alpha * (2.0 * x + 1.0 / d2)), alpha * (2.0 - 2.0 / d2)
        if name == "half-normal":
            return np.sum(0.5 * d2), d2
        if name == "half-cauchy":
            return np.sum(np.log(1.0 + d2)), 2.0 * d2 / (1.0 + d2)
        if name == "jeffreys":
            return np.sum(x), np.ones_like(x)
        return np.sum(0.0 * x), np.zeros_like(x)

    return terms
