"""The triangular factor of the weighted rows, its singular values, and the conjugate posterior mean they give.

Columns are brought to unit weighted norm first, which makes everything after it independent of the columns' units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snap_al.errors import FitError
from snap_al.parallel import Communicator

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Factor:
    """Ã = Q U diag(s) Vᵀ diag(norms), Q never formed.

    norms: (n,) weighted column norms (1 for a column of zeros). empty: (n,) which those are. s: (n,), v: (n, n). projected: (n,) = (QU)ᵀ(ỹ - Ã c₀).
    remainder: squared norm of what no coefficients can fit. n_rows: over all ranks.
    """

    norms: Array
    s: Array
    v: Array
    projected: Array
    remainder: float
    n_rows: int
    center: Array
    empty: NDArray[np.bool_]

    @classmethod
    def of(cls, triangle: Array, n_rows: int, center: Array, comm: Communicator) -> Factor:
        """triangle: (n + 1, n + 1) of all ranks' weighted rows with their targets as the last column. n_rows: how many.

        center: (n,) the prior mean c₀. Raises FitError on all ranks without rows.
        """
        if n_rows == 0:
            raise FitError(
                "no rows to fit: every row is masked, has weight zero, or vanishes by symmetry"
            ).on_all_ranks()
        n = len(center)
        rows, targets = triangle[:n, :n], triangle[:n, n]
        norms = np.linalg.norm(rows, axis=0)
        empty = norms == 0
        norms[empty] = 1.0
        u, s, vt = comm.bcast(np.linalg.svd(rows / norms))  # ranks on unlike processors must not differ by a rounding
        projected = u.T @ (targets - rows @ center)
        return cls(norms, s, vt.T, projected, float(triangle[n, n] ** 2), n_rows, center, empty)

    def mean(self, ridge: float) -> Array:
        """(n,) posterior mean for κ = ridge, the prior precision in units of 1/σ² and of the columns' norms."""
        return np.asarray(self.center + self.v @ (self.s / (self.s**2 + ridge) * self.projected) / self.norms)

    def whitening(self, ridge: float) -> Array:
        """T (n, n) with Tᵀ (ÃᵀÃ + κ diag(norms²)) T = 1: finite in directions without data as well."""
        return np.asarray(self.v / np.sqrt(self.s**2 + ridge) / self.norms[:, None])

    def noise_variance(self, ridge: float) -> float:
        """σ² (weighted units) that maximises the evidence for this κ."""
        misfit = self.remainder + np.sum(self.projected**2 * ridge / (self.s**2 + ridge))
        return float(misfit / self.n_rows)

    def log_evidence(self, ridge: float) -> float:
        """log p(ỹ | κ, σ²) for this κ, σ² at its own maximum, of rows in weighted units. Bishop (2006), eq. 3.86."""
        variance = max(self.noise_variance(ridge), np.finfo(float).tiny)
        known = self.n_rows * (np.log(2.0 * np.pi * variance) + 1.0)
        return float(-0.5 * (known + np.sum(np.log1p(self.s**2 / ridge))))

    def evidence_ridge(self) -> float:
        """κ that maximises the evidence (type-II maximum likelihood), σ² at its own maximum.

        Bishop, Pattern Recognition and Machine Learning (2006), 3.5; one-dimensional after σ² is profiled out.
        """
        from scipy.optimize import minimize_scalar  # late: it is slow to import

        smallest, largest = np.log(RIDGE_BOUNDS)

        def cost(log_ridge: float) -> float:
            return -self.log_evidence(float(np.exp(log_ridge)))

        grid = np.linspace(smallest, largest, 61)
        best = int(np.argmin([cost(x) for x in grid]))
        bracket = (grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
        return float(np.exp(minimize_scalar(cost, bounds=bracket, method="bounded", options={"xatol": 1e-6}).x))


RIDGE_BOUNDS = (1e-14, 1e2)
"""κ next to columns of unit norm: from rounding to a prior as strong as a hundred times all of the data."""
