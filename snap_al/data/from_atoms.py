"""Configurations from ASE Atoms, whether they come from a file or from Python."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator

from snap_al.data.configuration import Configuration
from snap_al.data.file_contents import FileContents, FileOptions, LeavingOut, usable
from snap_al.data.label_candidates import candidates
from snap_al.data.label_families import require_key_somewhere, require_one_family
from snap_al.data.label_units import Factors
from snap_al.data.reading_labels import labels_of
from snap_al.errors import InputError

GIVEN = Path("the atoms given")
"""Name in messages, in place of that of a file."""


def read_atoms(
    frames: Sequence[Atoms],
    elements: tuple[str, ...],
    *,
    labelled: bool,
    options: FileOptions | None = None,
) -> FileContents:
    """The same as `read_file` for these frames, which are not changed. Labels are those of a
    calculator that has computed them for the atoms as they are, of `info` and of `arrays`. Raises
    InputError naming the frame."""
    options = options or FileOptions()
    contents = FileContents(GIVEN, frames=len(frames))
    if not frames:
        raise InputError(f"{GIVEN}: no configurations among them")
    named = ((f"{GIVEN}, frame {n}", _own(atoms)) for n, atoms in enumerate(frames))
    take_frames(named, contents, options, options.units.factors(), labelled=labelled)
    return usable(contents, elements, labelled=labelled, lenient=False)


def _own(atoms: Atoms) -> Atoms:
    """A copy with the results of its calculator."""
    copy: Atoms = atoms.copy()
    if isinstance(atoms.calc, Calculator) and not atoms.calc.check_state(atoms):
        copy.calc = SinglePointCalculator(copy)
        copy.calc.results.update(atoms.calc.results)
    return copy


def take_frames(
    frames: Iterable[tuple[str, Atoms]],
    contents: FileContents,
    options: FileOptions,
    factors: Factors,
    *,
    labelled: bool,
    lenient: bool = False,
) -> None:
    """Adds frames, each with its name for messages, to `contents`. The Atoms get the units of ASE.
    Raises InputError.

    labelled: all labels must be understood, and belong to one family of names. lenient: a frame
    that cannot be used is left out.
    """
    families: dict[str, tuple[str, ...]] | None = None
    names: set[str] = set()
    keys, unread = options.labels, dict.fromkeys(contents.unread)
    for where, atoms in frames:
        names |= {c.name for c in candidates(atoms)}
        with LeavingOut(contents.left_out if lenient else None):
            labels = labels_of(atoms, where, keys, factors, required=labelled)
            atoms.set_cell(atoms.cell.array * factors.cell)
            atoms.set_positions(atoms.positions * factors.length, apply_constraint=False)
            configuration = Configuration.from_atoms(atoms, where, labels.label)
            if labelled:
                families = require_one_family(families, labels, where)
            contents.configurations.append(configuration)
            contents.atoms.append(atoms)
            unread |= dict.fromkeys(labels.unread)
    contents.unread = list(unread)
    if keys is not None and names and labelled:
        require_key_somewhere(keys, names, contents.path)
