"""Numbers and arrays of a frame that may be labels, wherever ASE's readers put them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from numpy.typing import NDArray


@dataclass(frozen=True)
class Candidate:
    """A number or array of a frame that may be a label."""

    name: str
    """Name in the frame."""
    value: NDArray[Any]
    """The number or array."""
    per_atom: bool
    """Whether it is stored as a column with a value for each atom."""


def as_array(value: Any) -> NDArray[Any]:
    """The value as an array. A value that cannot be one, such as lists of different lengths, is its
    only element."""
    try:
        return np.asarray(value)
    except ValueError:
        array = np.empty((), dtype=object)
        array[()] = value
        return array


def candidates(atoms: Atoms) -> Iterator[Candidate]:
    """The results of a calculator, then `info`, then `arrays`."""
    if isinstance(atoms.calc, SinglePointCalculator):
        for name, value in atoms.calc.results.items():
            if value is not None:
                yield Candidate(name, as_array(value), name in ("energies", "stresses"))
    for name, value in atoms.info.items():
        if isinstance(value, dict):  # as rows of a database have them: the names are `outer.inner`
            yield from (Candidate(f"{name}.{k}", as_array(v), False) for k, v in value.items())
        elif value is not None:
            yield Candidate(str(name), as_array(value), False)
    yield from (Candidate(k, v, True) for k, v in atoms.arrays.items())
