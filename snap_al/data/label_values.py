"""Values of a frame that may be labels, in the units of labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from snap_al.data.label import voigt
from snap_al.data.label_candidates import Candidate
from snap_al.data.label_names import LabelName, family_of, kind_that_it_looks_like
from snap_al.data.label_units import Factors
from snap_al.data.rows import KindName
from snap_al.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LabelValue:
    """A value of a frame that was recognized as a label."""

    name: str
    """Its name in the frame."""
    entry: LabelName
    """The known name that it matches."""
    value: Array
    """The value, in eV, eV/Å or eV/Å³."""

    @property
    def key(self) -> str:
        """Its key in `labels:`."""
        return "virial" if self.entry.virial else self.entry.kind


class ValueReader:
    """Converts the candidates of one frame to labels.

    where: name of the frame, for messages. factors: its units.
    """

    def __init__(self, atoms: Atoms, where: str, factors: Factors) -> None:
        self._n, self._where, self._factors = len(atoms), where, factors
        self._volume = abs(float(np.linalg.det(atoms.cell.array))) * factors.cell**3

    def converted(self, c: Candidate, entry: LabelName) -> Array:
        """The value in eV, eV/Å or eV/Å³: energy (), forces (n_atoms, 3), stress (6,). Raises
        InputError."""
        value, n, f = self._numbers(c), self._n, self._factors
        if entry.kind == "energy":
            if value.size != 1:
                raise InputError(
                    f"{self._where}: {c.name} has {value.size} numbers; an energy is one, of the "
                    "whole cell"
                )
            return np.asarray(value.reshape(()) * f.energy)
        if entry.kind == "forces":
            if value.size != 3 * n:
                raise InputError(
                    f"{self._where}: {c.name} has shape {value.shape}, expected {(n, 3)}"
                )
            return np.asarray(value.reshape(n, 3) * f.forces)
        if value.size not in (6, 9):
            raise InputError(
                f"{self._where}: {c.name} has {value.size} components; give 6 (xx yy zz yz xz xy) "
                "or 9"
            )
        if not entry.virial:
            return voigt(value) * f.stress
        if self._volume == 0:
            raise InputError(
                f"{self._where}: {c.name} is a stress times the volume, and the cell has no volume"
            )
        return voigt(value) * (-f.virial / self._volume)

    def _numbers(self, c: Candidate) -> Array:
        array = c.value
        if array.dtype.kind not in "iuf":
            try:
                if array.dtype.kind in "bc":
                    raise ValueError(
                        "it is true or false" if array.dtype.kind == "b" else "it is complex"
                    )
                array = np.array(c.value, dtype=float)
            except (TypeError, ValueError) as error:
                raise InputError(
                    f"{self._where}: {c.name} is not made of numbers: {error}"
                ) from error
        return np.asarray(array, dtype=float)

    def is_per_atom(self, c: Candidate, entry: LabelName) -> bool:
        """Whether it has a value for each atom, in place of one for the whole cell."""
        if entry.kind == "forces":
            return False
        size = c.value.size
        return c.per_atom or (
            self._n > 1
            and entry.name in ("energies", "stresses", "virials")
            and size % self._n == 0
            and size not in ((1,) if entry.kind == "energy" else (6, 9))
        )

    def may_be(self, kind: KindName, c: Candidate) -> bool:
        """Whether the size of a candidate fits a kind of label."""
        size, n = c.value.size, self._n
        if kind == "energy":
            return size in (1, n)
        return (
            size == 3 * n or (size == n and len(c.name) <= 2)
            if kind == "forces"
            else size in (6, 9, 6 * n, 9 * n)
        )


def looks_like(c: Candidate) -> KindName | None:
    """The kind that a candidate may be a label of, by its name and type."""
    if c.value.dtype.kind not in "iuf":
        return None
    known = family_of(c.name)
    return known[1].kind if known is not None else kind_that_it_looks_like(c.name)
