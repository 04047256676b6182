"""The rows that a configuration of n atoms gives: their kinds, order and units.

0                energy per atom, eV
1 … 3n           forces, eV/Å: atom by atom, x y z
3n + 1 … 3n + 6  stress, bar: LAMMPS' sign (pressure), Voigt order xx yy zz yz xz xy
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snap_al.units import ASE_STRESS_TO_ROWS

KindName = Literal["energy", "forces", "stress"]
KIND_NAMES: Final[tuple[KindName, KindName, KindName]] = ("energy", "forces", "stress")
TO_USER_UNITS: Final = (1.0, 1.0, 1.0 / abs(ASE_STRESS_TO_ROWS))
"""Factors on stds and errors of each kind: to eV/atom, eV/Å, eV/Å³."""
ENERGY, FORCES, STRESS = slice(0, 1), slice(1, -6), slice(-6, None)
"""Positions of the rows of each kind."""


class Kind(IntEnum):
    """Kind of a row, as a number."""

    ENERGY = 0
    FORCE = 1
    STRESS = 2


def n_rows(n_atoms: int) -> int:
    return 1 + 3 * n_atoms + 6


def by_kind(values: ArrayLike, n_atoms: int) -> NDArray[np.float64]:
    """(1 + 3n + 6,) the value of each row's kind. values: (3,)."""
    return np.repeat(np.asarray(values, dtype=float), [1, 3 * n_atoms, 6])


def kinds_of(n_atoms: int) -> NDArray[np.int8]:
    """(1 + 3n + 6,) each row's `Kind`."""
    return np.repeat(np.array(list(Kind), dtype=np.int8), [1, 3 * n_atoms, 6])
