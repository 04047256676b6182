"""A configuration: cell, positions and species, and its labels when it has them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import atomic_numbers
from numpy.typing import NDArray

from snap_al.data.label import Label as Label
from snap_al.data.label import voigt as voigt
from snap_al.data.label_names import PREFIXES, names_read
from snap_al.data.reading_labels import labels_of
from snap_al.errors import InputError

Array = NDArray[np.float64]
LARGEST_LABEL = 1e30
"""In any unit: more than any energy, force or stress of atoms, and little enough to be squared."""
FLAT = 1e-10
"""A cell whose volume is this small next to its edges' lengths has none."""


def shifted(label: Label, species: Sequence[str], eshift: Mapping[str, float]) -> Label:
    """The label with eV added for each atom of an element, as FitSNAP's [ESHIFT] does."""
    if label.energy is None:
        return label
    return replace(label, energy=label.energy + energy_shift(species, eshift))


def energy_shift(species: Sequence[str], eshift: Mapping[str, float]) -> float:
    """The energy that `eshift` adds for these atoms, in the unit of `eshift`."""
    return sum(eshift.get(s, 0.0) for s in species)


@dataclass(frozen=True)
class Configuration:
    """Atoms in a cell, and their labels when they have them."""

    cell: Array
    """(3, 3) Å; rows are vectors."""
    positions: Array
    """(n_atoms, 3) Å."""
    species: tuple[str, ...]
    """Chemical symbols (n_atoms)."""
    pbc: tuple[bool, bool, bool] = (True, True, True)
    """Whether it is periodic along each cell vector."""
    label: Label = field(default_factory=Label)
    """Energy (eV), forces ((n_atoms, 3), eV/Å) and stress ((6,), eV/Å³), those that are known."""
    name: str = ""
    """For messages, such as a file and a frame's number."""
    group: str = ""
    """Name of the group that the file gives (`group` or `config_type`), for statistics."""
    charges: Array | None = None
    """(n_atoms,) e, where the reference potential needs them; None when not known."""
    spins: Array | None = None
    """(n_atoms, 3) μB, or (n_atoms,) along z, likewise."""
    core: NDArray[np.bool_] | None = None
    """(n_atoms,) whose forces alone are fitted, in a cell that was carved out of a larger one;
    None: all.
    """

    def __len__(self) -> int:
        return len(self.species)

    @property
    def volume(self) -> float:
        """Å³."""
        return float(abs(np.linalg.det(self.cell)))

    @property
    def key(self) -> str:
        """A hash of what a labeler is asked for: cell, positions, species, periodicity, charges and
        spins, to the last bit."""
        digest = hashlib.sha256()
        for array in (self.cell, self.positions):
            digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
        digest.update(repr((self.species, self.pbc)).encode())
        for name, moments in (("charges", self.charges), ("spins", self.spins)):
            if moments is not None:
                digest.update(name.encode() + np.ascontiguousarray(moments, dtype="<f8").tobytes())
        return digest.hexdigest()[:20]

    def labelled(self, label: Label) -> Configuration:
        """The same configuration with another label."""
        return replace(self, label=label)

    def to_atoms(self) -> Atoms:
        """ASE Atoms with a SinglePointCalculator that holds the labels."""
        atoms = Atoms(
            symbols=list(self.species),
            positions=self.positions,
            cell=self.cell,
            pbc=self.pbc,
            charges=self.charges,
            magmoms=self.spins,
        )
        known = {k: v for k, v in vars(self.label).items() if v is not None}
        if known:
            atoms.calc = SinglePointCalculator(atoms, **known)
        return atoms

    @classmethod
    def from_atoms(cls, atoms: Atoms, name: str = "", label: Label | None = None) -> Configuration:
        """A configuration of ASE Atoms. Raises InputError for labels that disagree.

        label: its label; when not given, the label that the Atoms have (reading_labels.py). The
        energy is the force-consistent free energy where there is one.
        """
        return cls(
            cell=np.array(atoms.cell.array, dtype=float),
            positions=np.array(atoms.positions, dtype=float),
            species=tuple(atoms.get_chemical_symbols()),
            pbc=(bool(atoms.pbc[0]), bool(atoms.pbc[1]), bool(atoms.pbc[2])),
            label=labels_of(atoms, name or "these atoms").label if label is None else label,
            name=name,
            group=str(atoms.info.get("group", atoms.info.get("config_type", ""))),
            charges=atoms.get_initial_charges() if atoms.has("initial_charges") else None,
            spins=atoms.get_initial_magnetic_moments() if atoms.has("initial_magmoms") else None,
        )


def check_configuration(
    configuration: Configuration, elements: tuple[str, ...], where: str
) -> None:
    """Raises InputError for coordinates that are not numbers, a flat cell, or an element without a
    type.
    """
    if len(configuration) == 0:
        raise InputError(f"{where}: the configuration has no atoms")
    if not (np.isfinite(configuration.positions).all() and np.isfinite(configuration.cell).all()):
        raise InputError(f"{where}: positions or cell contain NaN or infinity")
    for symbol in sorted(set(configuration.species)):
        if symbol not in elements:
            known = "" if symbol in atomic_numbers else " (which is no chemical symbol)"
            raise InputError(
                f"{where}: element {symbol}{known} has no type: descriptor.elements is "
                f"{list(elements)}; "
                "add it there, or take the configuration out"
            )
    if _is_flat(configuration.cell[list(configuration.pbc)]):
        raise InputError(f"{where}: the cell has no volume: {configuration.cell.tolist()}")


def _is_flat(vectors: Array) -> bool:
    """Whether the vectors (k, 3) span less than k dimensions."""
    if len(vectors) == 3:
        return bool(
            abs(np.linalg.det(vectors)) <= FLAT * np.prod(np.sqrt(np.sum(vectors**2, axis=1)))
        )
    return bool(np.linalg.matrix_rank(vectors) < len(vectors)) if len(vectors) else False


def check_label(configuration: Configuration, where: str) -> None:
    """Raises InputError when no label is there, or one is not finite or of another shape."""
    label = configuration.label
    if label.energy is None and label.forces is None and label.stress is None:
        raise InputError(
            f"{where}: no energy, forces or stress found; names that are read: "
            f"{names_read('energy')}; "
            f"{names_read('forces')}; {names_read('stress')}; the same with "
            f"{', '.join(p.upper() for p in PREFIXES)} "
            "in front, upper or lower case; and what `labels:` names"
        )
    shapes = {"energy": (), "forces": (len(configuration), 3), "stress": (6,)}
    for kind, value in vars(label).items():
        if value is None:
            continue
        if np.shape(value) != shapes[kind]:
            raise InputError(
                f"{where}: {kind} has shape {np.shape(value)}, expected {shapes[kind]}"
            )
        if not np.isfinite(value).all():
            raise InputError(
                f"{where}: {kind} contains NaN or infinity; label it again or take it out"
            )
        if (largest := float(np.abs(value).max(initial=0.0))) > LARGEST_LABEL:
            raise InputError(
                f"{where}: {kind} is as large as {largest:.3g}; label it again or take it out"
            )
