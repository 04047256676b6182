"""The configurations that a task is given: a file, or ASE Atoms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ase import Atoms

from snap_al.data.file_contents import FileContents, FileOptions
from snap_al.data.from_atoms import GIVEN, read_atoms
from snap_al.data.readers import read_file


@dataclass(frozen=True)
class DataFile:
    """A file of configurations, and how to read it."""

    path: Path | str
    """A file that ASE reads, a FitSNAP JSON file, or a folder of these."""
    options: FileOptions = field(default_factory=FileOptions)
    """Its format, the names of its labels, and their units."""


Data = Path | str | DataFile | Sequence[Atoms]
"""Configurations: a file, or ASE Atoms with labels from their calculators, `info` and `arrays`."""


def read_data(data: Data, elements: tuple[str, ...], *, labelled: bool) -> FileContents:
    """All configurations, checked; labelled: each must have a label. Raises InputError."""
    if isinstance(data, Path | str):
        data = DataFile(data)
    if isinstance(data, DataFile):
        return read_file(Path(data.path), elements, labelled=labelled, options=data.options)
    return read_atoms(data, elements, labelled=labelled)


def name_of(data: Data) -> str:
    """The name in messages, and as the source of the configurations."""
    if isinstance(data, DataFile):
        return str(data.path)
    return str(data) if isinstance(data, Path | str) else str(GIVEN)
