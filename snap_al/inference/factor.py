"""The triangular factor of the weighted rows, its singular values, and the conjugate posterior mean
they give.

Columns are brought to unit weighted norm first, which makes everything after it independent of the
columns' units. Columns of constants, one per element, have no share in the prior of the others:
what a code calls zero of energy says nothing of how well coefficients are known. They are
eliminated first, and the prior acts on what is left (`Constants`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snap_al.errors import FitError
from snap_al.inference.constants import Constants
from snap_al.parallel import Communicator

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Factor:
    """Ã = Q R of the weighted rows, Q never formed. Coefficients are c = center + θ; θ = (θ_c, θ_x)
    of constants and others.
    """

    norms: Array
    """(n,) weighted column norms (1 for a column of zeros)."""
    empty: NDArray[np.bool_]
    """(n,) True for columns that are zero."""
    center: Array
    """(n,) what the prior is centered on."""
    order: NDArray[np.int64]
    """(n,) numbers of the columns, those of constants first."""
    top: Array
    """(p, n) R's rows of the constants, in that order."""
    top_target: Array
    """(p,) targets of these rows."""
    s: Array
    """(k,) singular values of the other columns in Q'U diag(s) Vᵀ diag(norms_x), once constants are
    eliminated."""
    v: Array
    """(k, k) right singular vectors V of these columns."""
    projected: Array
    """(k,) their targets, in the coordinates of U."""
    remainder: float
    """Squared norm of what no coefficients can fit."""
    n_rows: int
    """Number of rows, over all ranks."""
    n_free: int
    """Number of combinations of constants that the rows determine."""
    anchor: Array
    """(p, n) rows of the constants' prior, in the columns' own order."""
    axes: Array
    """(p, p) which these are, see `Constants`."""

    @classmethod
    def of(
        cls,
        triangle: Array,
        n_rows: int,
        prior_mean: Array | None,
        comm: Communicator,
        constants: Sequence[int] = (),
    ) -> Factor:
        """triangle: (n + 1, n + 1) of all ranks' weighted rows with their targets as the last
        column. n_rows: how many. prior_mean: (n,) c₀, zero when not given. constants: (p,) columns
        that are elements' constants.

        Raises FitError on all ranks without rows.
        """
        if n_rows == 0:
            raise FitError(
                "no rows to fit: every row is masked, has weight zero, or vanishes by symmetry"
            ).on_all_ranks()
        # all of it is sent from one rank: ranks on unlike processors must not differ by a rounding
        return comm.bcast(
            cls._of(triangle, n_rows, prior_mean, np.asarray(constants, dtype=np.int64))
        )

    @classmethod
    def _of(
        cls, triangle: Array, n_rows: int, prior_mean: Array | None, constants: NDArray[np.int64]
    ) -> Factor:
        n, p = len(triangle) - 1, len(constants)
        norms = np.linalg.norm(triangle[:, :n], axis=0)
        empty = norms == 0
        norms[empty] = 1.0
        others = np.setdiff1d(np.arange(n), constants)
        order = np.concatenate([constants, others])
        center = np.zeros(n) if prior_mean is None else np.array(prior_mean)
        anchor, axes, n_free = np.zeros((p, n)), np.zeros((p, p)), 0
        if p:
            known = Constants.of(triangle, constants, others, norms[constants], center)
            center[constants], anchor, axes = known.center, known.anchor, known.axes
            n_free = known.n_free
        target = triangle[:, n] - triangle[:, :n] @ center
        rows = np.column_stack([triangle[:, order], target])
        if p:
            prior = np.column_stack([anchor[:, order], np.zeros(p)])
            rows = np.asarray(np.linalg.qr(np.vstack([rows, prior]), mode="r"))
        u, s, vt = np.linalg.svd(rows[p:n, p:n] / norms[others])
        return cls(
            norms,
            empty,
            center,
            order,
            rows[:p, :n],
            rows[:p, n],
            s,
            vt.T,
            u.T @ rows[p:n, n],
            float(rows[n, n] ** 2),
            n_rows,
            n_free,
            anchor,
            axes,
        )

    @property
    def n_constants(self) -> int:
        return len(self.top)

    @property
    def _other_norms(self) -> Array:
        return np.asarray(self.norms[self.order[self.n_constants :]])

    def mean(self, ridge: float) -> Array:
        """(n,) posterior mean for κ = ridge, the prior precision in units of 1/σ² and of the
        columns' norms.
        """
        p, theta = self.n_constants, np.empty(len(self.order))
        theta[p:] = self.v @ (self.s / (self.s**2 + ridge) * self.projected) / self._other_norms
        if p:
            theta[:p] = np.linalg.solve(
                self.top[:, :p], self.top_target - self.top[:, p:] @ theta[p:]
            )
        mean = self.center.copy()
        mean[self.order] += theta
        return mean

    def whitening(self, ridge: float) -> Array:
        """T (n, n) with Tᵀ (ÃᵀÃ + P) T = 1, P the prior's precision: finite in directions without
        data as well.
        """
        p, n = self.n_constants, len(self.order)
        ordered = np.zeros((n, n))
        ordered[p:, p:] = self.v / np.sqrt(self.s**2 + ridge) / self._other_norms[:, None]
        if p:
            ordered[:p, :p] = np.linalg.inv(self.top[:, :p])
            ordered[:p, p:] = -ordered[:p, :p] @ (self.top[:, p:] @ ordered[p:, p:])
        whitening = np.empty((n, n))
        whitening[self.order] = ordered
        return whitening

    def prior_root(self, ridge: float) -> Array:
        """(n, n) whose product RᵀR is P: κ norms² of the columns that are no constants, and the
        constants' anchor.
        """
        p, n = self.n_constants, len(self.order)
        root = np.zeros((n, n))
        root[:p] = self.anchor
        root[np.arange(p, n), self.order[p:]] = np.sqrt(ridge) * self._other_norms
        return root

    @property
    def unit_columns(self) -> Array:
        """(n, n) coordinates in which all columns have unit norm, and those of constants are
        orthogonal: a combination of them that the rows do not determine is a column of its own."""
        matrix = np.diag(1.0 / self.norms)
        first = self.order[: self.n_constants]
        matrix[np.ix_(first, first)] = self.axes
        return matrix

    def noise_variance(self, ridge: float) -> float:
        """σ² (weighted units) that maximises the evidence for this κ."""
        misfit = self.remainder + np.sum(self.projected**2 * ridge / (self.s**2 + ridge))
        return float(misfit / self._freedom)

    def log_evidence(self, ridge: float) -> float:
        """log p(ỹ | κ, σ²) for this κ, σ² at its own maximum, of rows in weighted units, constants
        integrated out. Bishop (2006), eq. 3.86."""
        variance = max(self.noise_variance(ridge), np.finfo(float).tiny)
        known = self._freedom * (np.log(2.0 * np.pi * variance) + 1.0)
        return float(-0.5 * (known + np.sum(np.log1p(self.s**2 / ridge))))

    def evidence_ridge(self) -> float:
        """κ that maximises the evidence (type-II maximum likelihood), σ² at its own maximum.

        Bishop, Pattern Recognition and Machine Learning (2006), 3.5; one-dimensional after σ² is
        profiled out.
        """
        from scipy.optimize import minimize_scalar  # late: it is slow to import

        smallest, largest = np.log(RIDGE_BOUNDS)

        def cost(log_ridge: float) -> float:
            return -self.log_evidence(float(np.exp(log_ridge)))

        grid = np.linspace(smallest, largest, 61)
        best = int(np.argmin([cost(x) for x in grid]))
        bracket = (grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
        return float(
            np.exp(
                minimize_scalar(cost, bounds=bracket, method="bounded", options={"xatol": 1e-6}).x
            )
        )

    @property
    def _freedom(self) -> int:
        """Rows less the constants that they determine."""
        return max(self.n_rows - self.n_free, 1)


LEAST_INFORMATION = 1e-12
"""The flattest prior that covariances and σ² are computed with, whatever the mean's is. In a
direction without data a std is then a million times that of one column alone, and products of
doubles still hold the stds in the directions that have data."""
RIDGE_BOUNDS = (1e-14, 1e2)
"""κ of the mean, next to columns of unit norm: from rounding to a prior as strong as a hundred
times all of the data.
"""
