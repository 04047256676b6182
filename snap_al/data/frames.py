"""ASE Atoms out of files of every format but VASP's and FitSNAP's, one after another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ase import Atoms

from snap_al.data.extended_xyz import iterate_extended_xyz
from snap_al.data.label_candidates import as_array
from snap_al.data.open_text import open_text

FRAME_MARKS = {"lammps-dump-text": r"ITEM: TIMESTEP", "vasp-xdatcar": r"Direct configuration"}
"""How each frame begins in formats whose readers drop a last frame that is cut off."""


def frames_marked(path: Path, format: str) -> int:
    """How many frames begin in the file; 0 where the format has no mark for that."""
    if format not in FRAME_MARKS:
        return 0
    mark = re.compile(FRAME_MARKS[format])
    with open_text(path) as file:
        return sum(mark.match(line) is not None for line in file)


def iterate_frames(path: Path, format: str, labelled: bool) -> Iterator[Atoms]:
    """format: ASE's name of it. labelled: see iterate_extended_xyz. Raises whatever ASE's readers
    raise."""
    if format in ("extxyz", "xyz"):
        yield from iterate_extended_xyz(path, labelled=labelled)
        return
    if format in ("db", "json"):
        yield from _database(path, format)
        return
    import ase.io  # late: it is slow to import

    frames = ase.io.iread(path, ":", format, do_not_split_by_at_sign=True)
    yield from (atoms for atoms in frames if isinstance(atoms, Atoms))


def _database(path: Path, format: str) -> Iterator[Atoms]:
    """Without ASE's lock file: one that a killed writer left is waited for without end."""
    import ase.db  # late: it is slow to import

    connect: Callable[..., Any] = ase.db.connect
    kind = "extract_from_name" if path.suffix in (".db", ".json", ".aselmdb") else format
    with connect(path, type=kind, use_lock_file=False) as database:
        yield from map(_from_row, database.select())


def _from_row(row: Any) -> Atoms:
    """A row's key-value pairs and data are the Atoms' info; data with three numbers for each atom
    are arrays."""
    atoms: Atoms = row.toatoms()
    for name, value in {**row.key_value_pairs, **row.data}.items():
        array = as_array(value)
        if array.dtype.kind in "iuf" and array.shape == (len(atoms), 3) and not atoms.has(name):
            atoms.set_array(name, array)
        else:
            atoms.info[name] = value
    return atoms
