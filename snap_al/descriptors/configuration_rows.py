"""The rows of one configuration, and which of them are zero by symmetry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snap_al.data.rows import ENERGY, FORCES, STRESS

Array = NDArray[np.float64]
VANISHING = 1e-4
"""A force row this small next to the energy row, column by column (1/Å), is zero by symmetry; a
stress row likewise. Files give positions to some 1e-5 Å, and rows that should vanish are then as
small as that, not as rounding."""


@dataclass(frozen=True)
class ConfigurationRows:
    """Rows over distinct columns, in the configuration's own axes."""

    values: Array
    """(1 + 3 n_atoms + 6, n_distinct): energy per atom, forces (atom by atom, x y z), stress (bar,
    LAMMPS' sign, Voigt order)."""
    reference: Array
    """(1 + 3 n_atoms + 6,) what the reference potential gives for each row, in the row's unit."""
    vanishing: NDArray[np.bool_]
    """(1 + 3 n_atoms + 6,) rows that are zero by symmetry: they fit exactly whatever the
    coefficients are, and would make a likelihood, or a coverage, look better than it is."""

    @property
    def energy(self) -> Array:
        return self.values[ENERGY]

    @property
    def forces(self) -> Array:
        return self.values[FORCES]

    @property
    def stress(self) -> Array:
        return self.values[STRESS]


def vanishing(values: Array, stress_unit: float) -> NDArray[np.bool_]:
    """(1 + 3 n_atoms + 6,) for rows as `ConfigurationRows` has them. stress_unit: bar per eV of
    virial per atom.
    """
    scale = np.abs(values[0])
    here = scale > 0
    size = np.zeros(len(values))
    size[0] = np.inf
    if here.any():
        size[1:] = np.sqrt(np.mean((values[1:, here] / scale[here]) ** 2, axis=1))
    size[STRESS] /= stress_unit
    return np.asarray(size <= VANISHING)
