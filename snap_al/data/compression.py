"""What is usual of condensed matter under compression: stresses rise with volume, and a bulk
modulus times the volume of an atom is within a decade of 10 eV, whatever the material."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from snap_al.data.relatives import Relation

Array = NDArray[np.float64]
DEGREES = 8
"""Degrees of freedom of Student's t distribution, whose tails are wide."""
STIFF, STIFF_SPREAD = 0.9, 0.45
"""log10 of bulk modulus times volume per atom, in eV: 0.2 of potassium, 1.0 of copper, 1.5 of
tungsten, from the isothermal bulk moduli (3.2, 137, 323 GPa) and lattice constants in C. Kittel,
Introduction to Solid State Physics, chapters 1 and 3."""
SOFT, SOFT_SPREAD = -0.3, 0.5
"""The same where stresses fall with volume: beyond the ideal strength, or between different
structures."""
FALLING, ANY = 0.1, 0.02
"""Shares of relations in which stresses fall with volume, and which have any sign and size."""
RANGE = 28.0
"""Decades of both signs together, over which such signs and sizes are spread."""
DILATED = 0.05
"""Smallest change of the logarithm of volume that is compared."""
MOST_COUNTED = 2.0
"""Largest number of relations that count, since relations of one material all have its modulus."""


class Compression:
    """How stresses change with volume in a set of relations."""

    def __init__(self, relations: Sequence[Relation]) -> None:
        dilated = [r for r in relations if abs(r.dilation) > DILATED and r.is_dilation]
        self._stiffness = np.array([r.stiffness for r in dilated if r.stiffness])

    def log_likelihood(self, s: Array) -> Array:
        """(m,) of m factors of stresses: labels over what they should be."""
        if not self._stiffness.size:
            return np.zeros(len(s))
        stiffness = self._stiffness / s[:, None]
        size = np.log10(np.abs(stiffness))
        rising = (1 - FALLING) * t.pdf(size, DEGREES, STIFF, STIFF_SPREAD)
        falling = FALLING * t.pdf(size, DEGREES, SOFT, SOFT_SPREAD)
        each = np.log((1 - ANY) * np.where(stiffness > 0, rising, falling) + ANY / RANGE)
        return np.asarray(each.mean(axis=1) * min(MOST_COUNTED, stiffness.shape[1]))
