"""Unlabelled configurations to begin with: small strains and displacements of given structures, and
dimers."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations_with_replacement

import numpy as np
from pydantic import BaseModel, Field

from snap_al.data.configuration import Configuration, Label
from snap_al.data.readers import ConfigPath, FileFormat, FileOptions, read_file
from snap_al.errors import InputError

Range = tuple[float, float]
MOST_COPIES = 100_000
MOST_ATOMS = 10_000_000
"""Largest number of copies of one structure."""


class StructureSource(BaseModel, extra="forbid", frozen=True):
    """A structure file, repeated along its cell vectors."""

    structure: ConfigPath
    """The structure file."""
    format: FileFormat | None = None
    """ASE's name of the file's format; found out from name and content when not given."""
    supercell: tuple[int, int, int] = (1, 1, 1)
    """Repetitions along the three cell vectors."""

    def read(self, elements: tuple[str, ...]) -> list[Configuration]:
        """Every frame of the file. Raises InputError."""
        if min(self.supercell) < 1:
            raise InputError(
                f"supercell {list(self.supercell)} of {self.structure}: give three whole numbers "
                "from 1"
            )
        options = FileOptions(self.format)
        contents = read_file(self.structure, elements, labelled=False, options=options)
        frames = contents.configurations
        if (atoms := max(map(len, frames)) * math.prod(self.supercell)) > MOST_ATOMS:
            raise InputError(
                f"supercell {list(self.supercell)} of {self.structure}: has {atoms:,} atoms; "
                f"{MOST_ATOMS:,} at most"
            )
        from ase.build import make_supercell  # late: it is slow to import

        repeat = np.diag(self.supercell)
        return [
            Configuration.from_atoms(make_supercell(f.to_atoms(), repeat), f.name, Label())
            for f in frames
        ]


class RattledStructures(StructureSource, extra="forbid", frozen=True):
    """Copies of a structure with random homogeneous strain and displacements. With count 1,
    displacement 0 and strain 0 the structure is used as it is."""

    count: int = Field(default=4, ge=1, le=MOST_COPIES)
    """Number of copies."""
    displacement: Range = (0.05, 0.1)
    """Å, standard deviation of each Cartesian component; drawn uniformly from this range for each
    copy.
    """
    strain: float = Field(default=0.02, ge=0, lt=0.5)
    """Each component of the symmetric strain is drawn uniformly from ± this."""

    def copies(self, elements: tuple[str, ...], rng: np.random.Generator) -> list[Configuration]:
        return [
            rattled(base, rng.uniform(*self.displacement), self.strain, rng)
            for base in self.read(elements)
            for _ in range(self.count)
        ]


class Dimers(BaseModel, extra="forbid", frozen=True):
    """Pairs of atoms in vacuum, for the short distances that MD rarely shows."""

    shortest: float = Field(gt=0)
    """Å, the shortest distance."""
    longest: float = Field(gt=0)
    """Å, the longest distance."""
    count: int = Field(default=5, ge=1, le=MOST_COPIES)
    """Distances per pair of elements."""

    def pairs(self, elements: tuple[str, ...]) -> list[Configuration]:
        distances = np.linspace(self.shortest, self.longest, self.count)
        return [
            Configuration(
                cell=np.eye(3) * 20.0,
                positions=np.array([[10.0 - d / 2, 10.0, 10.0], [10.0 + d / 2, 10.0, 10.0]]),
                species=pair,
                name=f"dimer {pair[0]}-{pair[1]} {d:.2f} Å",
            )
            for pair in combinations_with_replacement(elements, 2)
            for d in distances
        ]


class StartSettings(BaseModel, extra="forbid", frozen=True):
    """The configurations that a run labels first."""

    structures: tuple[RattledStructures, ...] = ()
    """Structures, each with its random copies."""
    dimers: Dimers | None = None
    """Pairs of atoms in vacuum; none when not given."""

    def configurations(self, elements: tuple[str, ...], seed: int) -> list[Configuration]:
        """All configurations. The same seed gives the same bits. Raises InputError."""
        configurations: list[Configuration] = []
        for number, recipe in enumerate(self.structures):
            configurations += recipe.copies(elements, np.random.default_rng([seed, 1, number]))
        return configurations + (self.dimers.pairs(elements) if self.dimers else [])


def rattled(
    base: Configuration, displacement: float, strain: float, rng: np.random.Generator
) -> Configuration:
    """displacement: Å per Cartesian component; strain: largest component of a random symmetric
    strain.
    """
    e = rng.uniform(-strain, strain, (3, 3))
    deformation = np.eye(3) + 0.5 * (e + e.T)
    positions = base.positions @ deformation + displacement * rng.standard_normal(
        base.positions.shape
    )
    return replace(base, cell=base.cell @ deformation, positions=positions, label=Label())
