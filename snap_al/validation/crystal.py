"""The crystal whose properties are computed: its conventional cell, standard setting, and how it
relaxes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
import spglib
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.data import atomic_numbers, reference_states
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS

from snap_al.errors import InputError, RunError

SYMPREC = 1e-3
"""Å, tolerance for symmetry."""
KNOWN = ("fcc", "bcc", "hcp", "diamond", "sc")
SHELL, ALIKE = 1.1, 1e-3
"""In nearest distances: the range of the nearest shell, and the difference up to which components
of vectors are equal."""
IONS, CELL = 2e-3, 1e-3
"""eV/Å and eV at which a relaxation has converged: strains are then right to some 1e-5."""
MOST_STEPS = 300


class NotConvergedError(RunError):
    """A relaxation came to no end: with this potential the structure does not hold."""


@dataclass(frozen=True)
class Crystal:
    """A crystal with cubic or hexagonal symmetry."""

    atoms: Atoms
    """The conventional cell, with a along x, and c along z where it is hexagonal."""
    system: Literal["cubic", "hexagonal"]
    """Crystal system."""
    centring: Literal["P", "I", "F"]
    """Centring of the lattice."""
    unrelaxed: Crystal | None = None
    """The crystal that this one was relaxed from, with the atoms in the same order; None for a
    crystal as it was given. Cells of a supercell and planes of a slab are counted on it, so that
    their number is the same for each calculator."""

    @property
    def given(self) -> Crystal:
        """The crystal before it was relaxed."""
        return self.unrelaxed or self

    @property
    def is_element(self) -> bool:
        return len(set(self.atoms.symbols)) == 1

    @property
    def nearest(self) -> float:
        """Å, distance between neighbours."""
        return nearest_distance(self.atoms)

    def repeats(self, length: float) -> tuple[int, int, int]:
        """Number of repetitions along each cell vector, until every edge of the crystal as it was
        given has `length` Å."""
        a, b, c = (int(np.ceil(length / edge - 1e-6)) for edge in self.given.atoms.cell.lengths())
        return a, b, c

    def supercell(self, length: float) -> Atoms:
        """The crystal repeated until every edge has `length` Å, up to the change by relaxation."""
        atoms: Atoms = self.atoms * self.repeats(length)
        return atoms

    def relaxed(self, calculator: Calculator) -> Crystal:
        """The crystal with the cell and positions where this calculator has no stress and no
        forces, in the same symmetry. Raises NotConvergedError."""
        atoms = with_calculator(self.atoms, calculator)
        cell = FrechetCellFilter(atoms, mask=[1, 1, 1, 0, 0, 0])
        converge(cell, CELL, f"the {self.system} cell of {atoms.get_chemical_formula()}")
        return replace(self, atoms=symmetrised(atoms, self.given.atoms), unrelaxed=self.given)


def crystal_of(atoms: Atoms) -> Crystal:
    """Raises InputError for one that is neither cubic nor hexagonal."""
    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    dataset = spglib.get_symmetry_dataset(cell, symprec=SYMPREC)
    if dataset is None or not atoms.pbc.all():
        raise InputError(
            f"{atoms.get_chemical_formula()}: is no crystal, as far as spglib can see to "
            f"{SYMPREC} Å"
        )
    if dataset.number < 168:
        raise InputError(
            f"{atoms.get_chemical_formula()}: space group {dataset.international} is neither cubic "
            "nor hexagonal; give another --structure"
        )
    standard = Atoms(
        numbers=dataset.std_types,
        scaled_positions=dataset.std_positions,
        cell=dataset.std_lattice,
        pbc=True,
    )
    return Crystal(
        standard,
        "cubic" if dataset.number >= 195 else "hexagonal",
        cast(Literal["P", "I", "F"], dataset.international[0]),
    )


def element_crystal(element: str) -> Crystal:
    """The crystal that ASE has as the element's reference state. Raises InputError when it is
    neither cubic nor hexagonal."""
    state: dict[str, Any] = reference_states[atomic_numbers[element]] or {}
    if state.get("symmetry") not in KNOWN:
        raise InputError(
            f"{element}: ASE knows no cubic or hexagonal crystal of it; give one with --structure"
        )
    return crystal_of(bulk(element))


def symmetrised(atoms: Atoms, model: Atoms) -> Atoms:
    """The mean of `atoms` over the symmetry operations of `model`, which has the same atoms, moved
    and strained a little.

    The cell is turned to a along x and b in the xy plane.
    """
    fractions, numbers = model.get_scaled_positions(wrap=False), model.numbers
    symmetry = spglib.get_symmetry((model.cell.array, fractions, numbers), symprec=SYMPREC)
    assert symmetry is not None, "the model is a crystal"
    metric = atoms.cell.array @ atoms.cell.array.T
    moved = np.linalg.solve(atoms.cell.array.T, atoms.positions.T).T - fractions
    means, metrics = np.zeros_like(moved), np.zeros((3, 3))
    for rotation, translation in zip(symmetry["rotations"], symmetry["translations"], strict=True):
        separations = (fractions @ rotation.T + translation)[:, None] - fractions
        separations -= np.rint(separations)
        same = np.where(
            numbers[:, None] == numbers,
            np.linalg.norm(separations @ model.cell.array, axis=2),
            np.inf,
        )
        means[same.argmin(axis=1)] += moved @ rotation.T
        metrics += rotation.T @ metric @ rotation
    n = len(symmetry["rotations"])
    cell = np.linalg.cholesky(metrics / n)
    return Atoms(numbers, cell=cell, scaled_positions=fractions + means / n, pbc=True)


def neighbour_of_first(atoms: Atoms) -> tuple[int, np.ndarray]:
    """An atom of the first one's nearest shell, and the vector (3,) Å to it. The same one however
    coordinates are rounded.

    Of atoms in that shell (up to SHELL of the shortest distance) the one with the smallest height
    difference comes first: in hcp, where neighbours within the basal plane and beside it are nearly
    as far, one within the plane.
    """
    vectors = atoms.get_distances(0, range(1, len(atoms)), mic=True, vector=True)
    lengths = np.linalg.norm(vectors, axis=1)
    near = np.flatnonzero(lengths < SHELL * lengths.min())
    rounded = np.rint(vectors[near] / (ALIKE * lengths.min()))
    first = near[np.lexsort((rounded[:, 0], rounded[:, 1], abs(rounded[:, 2])))[0]]
    return int(first) + 1, vectors[first]


def nearest_distance(atoms: Atoms) -> float:
    """Å, distance of the two atoms that are nearest to each other, including images."""
    from ase.neighborlist import neighbor_list

    reach = 1.2 * (atoms.get_volume() / len(atoms)) ** (1 / 3) * 2 ** (1 / 2)
    distances = neighbor_list("d", atoms, reach)
    return float(distances.min()) if len(distances) else reach


def with_calculator(atoms: Atoms, calculator: Calculator) -> Atoms:
    """A copy of the atoms with this calculator."""
    copied: Atoms = atoms.copy()
    copied.calc = calculator
    return copied


def converge(what: Any, forces: float, name: str) -> None:
    """Runs BFGS on atoms or a filter. Raises NotConvergedError."""
    if not BFGS(what, logfile=None).run(fmax=forces, steps=MOST_STEPS):
        raise NotConvergedError(f"{name}: not relaxed in {MOST_STEPS} steps")
