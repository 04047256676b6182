"""Residuals of parts of the rows, each part predicted by the fit to all others: exact for least
squares, without fitting again.

With T the whitening of all rows and prior, S = Σ qᵀq and t = Σ qᵀr over a fold's rows q = ãT and
residuals r, taking the fold off changes the coefficients (in whitened coordinates) by -(1 - S)⁻¹ t,
and its residuals become r + q (1 - S)⁻¹ t. The prior stays, and is never so flat that a direction
which one fold alone holds is lost to rounding: without that fold it is at zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snap_al.inference.blocks import Block, triangle_of
from snap_al.inference.factor import Factor
from snap_al.parallel import Communicator, combined_triangle, sum_rows

Array = NDArray[np.float64]
FLATTEST = 1e-9
"""κ, at least: 1 - S of a fold that holds all of a direction is then known to six digits."""


@dataclass(frozen=True)
class LeftOut:
    """Residuals of rows that were left out of the fits that predict them."""

    residuals: list[Array]
    """Weighted residuals (m,) of each block's rows, each by the fit without its fold."""
    evidence: float
    """Log of the marginal likelihood of all rows, per row, σ² at its own maximum."""
    mean: Array
    """(n,) coefficients of the whole fit."""


def left_out(
    blocks: Sequence[Block],
    folds: Sequence[NDArray[np.int64]],
    n_folds: int,
    comm: Communicator,
    constants: Sequence[int] = (),
) -> LeftOut:
    """folds: of each block (m,), the fold of each row, below n_folds. constants: see
    `fit_posterior`. κ by the evidence of all rows. Collective.

    Raises FitError on all ranks without rows.
    """
    n = blocks[0].rows.shape[1]
    (n_rows,) = sum_rows(comm, float(sum(b.fitted.sum() for b in blocks)))
    triangle = combined_triangle(comm, triangle_of(blocks))
    factor = Factor.of(triangle, int(n_rows), None, comm, constants)
    ridge = max(comm.bcast(factor.evidence_ridge()), FLATTEST)
    mean, whitening = factor.mean(ridge), factor.whitening(ridge)
    residuals = [b.targets - b.rows @ mean for b in blocks]
    for fold in range(n_folds):
        here = [b.fitted & (f == fold) for b, f in zip(blocks, folds, strict=True)]
        white = [b.rows[h] @ whitening for b, h in zip(blocks, here, strict=True)]
        s = sum((q.T @ q for q in white), np.zeros((n, n)))
        t = sum((q.T @ r[h] for q, r, h in zip(white, residuals, here, strict=True)), np.zeros(n))
        s, t = sum_rows(comm, s, t)
        values, vectors = comm.bcast(np.linalg.eigh(s))
        change = vectors @ ((vectors.T @ t) / (1.0 - np.minimum(values, 1.0 - 0.1 * FLATTEST)))
        for r, q, h in zip(residuals, white, here, strict=True):
            r[h] += q @ change
    return LeftOut(residuals, factor.log_evidence(ridge) / factor.n_rows, mean)
