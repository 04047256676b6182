"""Reference values of one configuration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snap_al.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Label:
    """Reference values of one configuration, in ASE's units and signs. Each is None when it is not
    known."""

    energy: float | None = None
    """eV, of the whole cell."""
    forces: Array | None = None
    """(n_atoms, 3) eV/Å."""
    stress: Array | None = None
    """(6,) eV/Å³, in Voigt order xx yy zz yz xz xy, positive under tension."""


def voigt(stress: Array, name: str = "") -> Array:
    """A stress of 6 (Voigt), 9 or (3, 3) components as the 6 of ASE's Voigt order."""
    if stress.size == 6:
        return stress.ravel()
    if stress.size == 9:
        s = stress.reshape(3, 3)
        return np.array([s[0, 0], s[1, 1], s[2, 2], s[1, 2], s[0, 2], s[0, 1]])
    raise InputError(
        f"{name or 'configuration'}: stress has {stress.size} components; give 6 (Voigt) or 9"
    )
