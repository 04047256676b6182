"""Noise: one σ for each kind of row, in the kind's own unit, the same in the fit and in
predictions.

Weights say how much a label counts in a fit. They say nothing of how large an error is: a stress
row of weight 1e-12 has the residual, and so the noise, that it would have at any other weight. So
σ² is a share of the mean square residual of the kind, averaged with w²: over the rows that the fit
was asked to reproduce.

    ρ_k = Σ w² (y - a·c)² / Σ w²  over the rows of kind k
    σ_k² = τ ρ_k,  τ the share (`noise_fraction`)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snap_al.inference.blocks import Block
from snap_al.parallel import Communicator, sum_rows

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Noise:
    """Mean square residuals of the kinds, of which noise is a share."""

    mean_squares: Array
    """(3,) ρ of energies per atom (eV²), forces (eV²/Å²) and stress (bar²); 0 for a kind without
    rows."""

    @classmethod
    def of(cls, blocks: Sequence[Block], residual_variance: float, comm: Communicator) -> Noise:
        """From the blocks' residuals, and into their `noise`. Collective.

        residual_variance: σ² of all rows in weighted units, by which their scale is set: a fit that
        passes through its few rows leaves residuals that are too small.
        """
        squares, weights, rows = np.zeros(3), np.zeros(3), np.zeros(3)
        for block in blocks:
            kinds = block.kinds[block.fitted]
            np.add.at(squares, kinds, np.square(block.residuals[block.fitted]))
            np.add.at(weights, kinds, np.square(block.weights[block.fitted]))
            np.add.at(rows, kinds, 1.0)
        squares, weights, rows = sum_rows(comm, squares, weights, rows)
        total = residual_variance * rows.sum()
        # the same share of all residuals for each kind; all rows alike where there are none
        share = squares / squares.sum() if squares.sum() > 0 else rows / max(rows.sum(), 1.0)
        least = LEAST_SHARE * rows / max(rows.sum(), 1.0)
        known = weights > 0
        found = np.divide(total * np.maximum(share, least), weights, out=np.zeros(3), where=known)
        for block in blocks:
            noise = np.square(block.weights) * found[block.kinds]
            block.noise = np.where(noise > 0, noise, residual_variance)
        return cls(found)

    def stds(self, share: float) -> Array:
        """(3,) σ of each kind, in its own unit. share: τ."""
        return np.sqrt(share * self.mean_squares)


LEAST_SHARE = 1e-30
"""Of all squared residuals, for a kind that is fitted exactly: a logarithm needs a number above
zero.
"""
