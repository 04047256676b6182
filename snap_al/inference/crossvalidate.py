"""Factors on the stds of each kind from the fit's own configurations, each predicted with itself
left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from snap_al.inference.blocks import MOST_LEVERAGE, Block
from snap_al.inference.posterior import Posterior
from snap_al.inference.stds import square_root
from snap_al.parallel import Communicator, collectively, sum_rows

Array = NDArray[np.float64]


def left_out_factors(
    blocks: Sequence[Block], to_white: Array, posterior: Posterior, comm: Communicator
) -> Array:
    """(3,) by kind the RMS of residual over total std, both with the row's own unit left out; 1
    where there are no rows.

    blocks: rows q with their residuals; to_white: (n, n) with (ãT) = q X⁻¹ for X = to_white. With H
    = QQᵀ of a unit's whitened rows the left-out residuals are (1 - H)⁻¹ r: exact for least squares.
    O(n³) per unit. Collective.
    """
    squares, rows = np.zeros(3), np.zeros(3)
    with collectively(comm):
        for block in blocks:
            units = np.arange(len(block.rows)) if block.units is None else block.units
            for unit in np.unique(units[block.fitted]):
                here = np.flatnonzero(block.fitted & (units == unit))
                q = np.linalg.solve(to_white.T, block.rows[here].T).T
                values, vectors = np.linalg.eigh(q.T @ q)
                left = 1.0 - np.minimum(values, MOST_LEVERAGE)
                # (1 - QQᵀ)⁻¹ r = r + Q (1 - QᵀQ)⁻¹ Qᵀ r
                residual = block.residuals[here] + q @ (vectors / left @ vectors.T) @ (
                    q.T @ block.residuals[here]
                )
                root = square_root(posterior.inner_with(-q.T @ q))
                kinds = block.kinds[here]
                noise = posterior.noise_variance(block.weights[here], kinds)
                variance = np.square(q @ root).sum(axis=1) + noise
                np.add.at(squares, kinds, residual**2 / variance)
                np.add.at(rows, kinds, 1.0)
    squares, rows = sum_rows(comm, squares, rows)
    return np.sqrt(np.divide(squares, rows, out=np.ones(3), where=rows > 0))
