"""What a file holds, how it is to be read, and which of its configurations can be used."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ase import Atoms

from snap_al.data.configuration import Configuration, check_configuration, check_label
from snap_al.data.label_names import LabelKeys
from snap_al.data.label_units import LabelUnits
from snap_al.errors import InputError


@dataclass(frozen=True)
class FileOptions:
    """How to read a file."""

    format: str | None = None
    """ASE's name of its format; found out when not given."""
    labels: LabelKeys | None = None
    """Names of its labels; the usual ones when not given."""
    units: LabelUnits = field(default_factory=LabelUnits)
    """Units of its labels and lengths; those of ASE when not given."""


@dataclass
class FileContents:
    """The content of a file, of a folder of FitSNAP JSON files, or of a list of Atoms."""

    path: Path
    """Path of the file or folder; a name for what is no file."""
    configurations: list[Configuration] = field(default_factory=list)
    """The configurations that can be used."""
    atoms: list[Atoms] = field(default_factory=list)
    """The same as ASE read them, with all that the file has."""
    frames: int = 0
    """Number of frames in the file, including those that cannot be used."""
    left_out: list[str] = field(default_factory=list)
    """What is left out and why, where that is no error."""
    unread: list[str] = field(default_factory=list)
    """Names that look like labels and were not read."""


def usable(
    contents: FileContents, elements: tuple[str, ...], *, labelled: bool, lenient: bool
) -> FileContents:
    """The configurations that can be used, for these elements and, if so asked for, with labels.
    Raises InputError naming file and frame; if lenient, the frame is left out."""
    kept = FileContents(
        contents.path, frames=contents.frames, left_out=contents.left_out, unread=contents.unread
    )
    for configuration, atoms in zip(contents.configurations, contents.atoms, strict=True):
        try:
            check_configuration(configuration, elements, configuration.name)
            if labelled:
                check_label(configuration, configuration.name)
        except InputError as error:
            if not lenient:
                raise
            kept.left_out.append(str(error))
            continue
        kept.configurations.append(configuration)
        kept.atoms.append(atoms)
    return kept


class LeavingOut:
    """Notes an InputError and goes on; without a list it passes."""

    def __init__(self, problems: list[str] | None) -> None:
        self._problems = problems

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if self._problems is None or not isinstance(error, InputError):
            return False
        self._problems.append(str(error))
        return True
