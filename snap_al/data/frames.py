"""Reads ASE Atoms from files of all formats but VASP's and FitSNAP's, one after another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from ase import Atoms

from snap_al.data.extended_xyz import iterate_extended_xyz
from snap_al.data.label_candidates import as_array
from snap_al.data.open_text import DAMAGED, compressed, open_text
from snap_al.errors import InputError

FRAME_MARKS = {
    "lammps-dump-text": r"ITEM: TIMESTEP",
    "vasp-xdatcar": r"Direct configuration",
    "gpaw-out": r"(?i:positions:)$",
}
"""How each frame begins in formats whose readers drop a last frame that is cut off."""
LAST_LINES = {"espresso-out": r"\s*JOB DONE\.", "gpaw-out": r""}
"""Of text whose readers take what is there of a last frame: a line that follows the last frame of a
run that came to its end, "" where programs write none."""
SQLITE = b"SQLite format 3\0"


def frames_marked(path: Path, format: str) -> int:
    """Number of frames that begin in the file; 0 where the format does not mark that."""
    if format not in FRAME_MARKS:
        return 0
    mark = re.compile(FRAME_MARKS[format])
    with open_text(path) as file:
        return sum(mark.match(line) is not None for line in file)


def early_end(path: Path, format: str) -> str:
    """How the file ends before its last frame is complete; "" where this cannot be found out."""
    if format == "db":
        return _short_database(path)
    if format not in LAST_LINES:
        return ""
    number, line, done = 0, "", False
    last = re.compile(LAST_LINES[format])
    try:
        with open_text(path) as file:
            for number, line in enumerate(file, 1):  # noqa: B007
                done = bool(last.match(line)) or (done and "Program PWSCF" not in line)
    except (*DAMAGED, OSError):
        return ""  # the error of reading tells where
    if not line.endswith("\n"):
        return f"is cut off within line {number}"
    return "" if done else f"is cut off after line {number}: its run did not come to its end"


def _short_database(path: Path) -> str:
    """SQLite reads a file that ends early as long as it needs none of the pages that are gone."""
    with open(path, "rb") as file:
        header = file.read(100)
    if len(header) < 100 or not header.startswith(SQLITE):
        return ""
    page = int.from_bytes(header[16:18], "big")
    size = (65536 if page == 1 else page) * int.from_bytes(header[28:32], "big")
    if (actual := path.stat().st_size) >= size:
        return ""
    return f"is cut off: it has {actual} of {size} bytes"


def all_but_the_last(frames: Iterator[Atoms]) -> Iterator[Atoms]:
    """The frames of a file that is cut off, without the last one, which may be wrong."""
    for before, _ in pairwise(frames):
        yield before


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
    """The rows of a database. ASE's lock file is not used: one that was left by a killed process
    would be waited for without limit."""
    if compressed(path):
        raise InputError(f"{path}: ASE reads no compressed database; decompress it first")
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
