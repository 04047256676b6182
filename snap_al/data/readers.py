"""Reads and checks configurations from files that ASE reads and from FitSNAP's JSON.

A file is read to its end, or the error names the frame at which reading stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from ase import Atoms
from pydantic import AfterValidator, ValidationInfo

from snap_al.data.configuration import Configuration
from snap_al.data.file_contents import FileContents, LeavingOut, usable
from snap_al.data.file_contents import FileOptions as FileOptions
from snap_al.data.fitsnap_json import is_fitsnap_json, read_json
from snap_al.data.frames import all_but_the_last, early_end, frames_marked, iterate_frames
from snap_al.data.from_atoms import take_frames
from snap_al.data.label_units import Factors
from snap_al.data.label_units import LabelUnits as LabelUnits
from snap_al.data.open_text import beginning
from snap_al.data.storage import expanded, require_regular_file
from snap_al.data.vasp import read_vasp, vasp_format
from snap_al.errors import InputError, did_you_mean


def _beside_config(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    path = expanded(path)
    return path if folder is None or path.is_absolute() else Path(folder) / path


ConfigPath = Annotated[Path, AfterValidator(_beside_config)]
"""A path in a config, relative to the config file; `~` is the home directory."""


def _known_format(name: str) -> str:
    from ase.io.formats import ioformats  # late: it is slow to import

    readable = sorted(n for n, f in ioformats.items() if f.can_read)
    if name not in readable:
        raise ValueError(f"{name!r} is no format that ASE reads; {did_you_mean(name, readable)}")
    return name


FileFormat = Annotated[str, AfterValidator(_known_format)]
"""ASE's name of a file format, such as extxyz or vasp-out."""
FITSNAP = "fitsnap-json"
NAME_THE_FORMAT = (
    "name its format, such as extxyz or vasp-out, with `format:` in a config or `--format` on the "
    "command line, or write it as extended XYZ"
)
"""Advice for a file whose type is not recognized."""


def read_configurations(
    path: Path,
    elements: tuple[str, ...],
    *,
    labelled: bool,
    units: LabelUnits | None = None,
    problems: list[str] | None = None,
) -> list[Configuration]:
    """The configurations of `read_file`."""
    options = FileOptions(units=units or LabelUnits())
    contents = read_file(
        path, elements, labelled=labelled, options=options, lenient=problems is not None
    )
    if problems is not None:
        problems += contents.left_out
    return contents.configurations


def read_file(
    path: Path,
    elements: tuple[str, ...],
    *,
    labelled: bool,
    options: FileOptions | None = None,
    lenient: bool = False,
) -> FileContents:
    """Every frame of a file: extended XYZ, an ASE database, VASP's output, FitSNAP JSON, anything
    that ASE reads; or of all FitSNAP JSON files in a folder.

    labelled: labels are wanted, and all of them must be understood. lenient: a frame that cannot be
    used is left out, and the rest of a file that cannot be read to its end. Raises InputError
    naming file and frame otherwise.
    """
    contents = _Reading(path, options or FileOptions(), labelled, lenient).contents()
    return usable(contents, elements, labelled=labelled, lenient=lenient)


def read_frames(
    path: Path,
    format: str | None = None,
    problems: list[str] | None = None,
    factors: Factors | None = None,
) -> list[Configuration]:
    """Every frame as it is, named by file and number, unchecked. format, factors: see FileOptions
    and Factors.

    Raises InputError for what cannot be read; with `problems` it is noted there, and what could be
    read is returned.
    """
    contents = _Reading(path, FileOptions(format), True, problems is not None, factors).contents()
    if problems is not None:
        problems += contents.left_out
    return contents.configurations


class _Reading:
    """One file that is being read."""

    def __init__(
        self,
        path: Path,
        options: FileOptions,
        labelled: bool,
        lenient: bool,
        factors: Factors | None = None,
    ) -> None:
        self._path, self._options, self._labelled, self._lenient = path, options, labelled, lenient
        self._factors = factors or options.units.factors()
        self._found = FileContents(path)

    def contents(self) -> FileContents:
        """The configurations of the file. Raises InputError."""
        if not self._path.exists():
            raise InputError(f"{self._path}: no such file")
        if self._path.is_dir():
            self._take_folder()
        elif self._format() == FITSNAP:
            self._take_json(self._path, "")
        else:
            self._take_frames()
        if not self._found.configurations:
            first = f"; the first: {self._found.left_out[0]}" if self._found.left_out else ""
            raise InputError(f"{self._path}: no configurations in it that can be read{first}")
        return self._found

    def _format(self) -> str:
        require_regular_file(self._path)
        if self._options.format is not None:
            return self._options.format
        first = beginning(self._path)
        if is_fitsnap_json(first):
            return FITSNAP
        if (vasp := vasp_format(first)) is not None:
            return vasp
        from ase.io.formats import UnknownFileTypeError, filetype  # late: it is slow to import

        try:
            return _known_format(filetype(str(self._path)))
        except (UnknownFileTypeError, ValueError) as error:
            unknown = "ASE cannot read it, a file of unknown type"
            raise InputError(f"{self._path}: {unknown}; {NAME_THE_FORMAT}") from error
        except Exception as error:
            raise InputError(
                f"{self._path}: ASE cannot read it: {type(error).__name__}: {error}"
            ) from error

    def _take_folder(self) -> None:
        files = sorted(p for p in self._path.rglob("*.json") if is_fitsnap_json(beginning(p)))
        if not files:
            raise InputError(
                f"{self._path}: is a folder without FitSNAP JSON files; name a file, or a folder "
                "of them"
            )
        for path in files:
            self._take_json(path, "" if path.parent == self._path else path.parent.name)

    def _take_json(self, path: Path, group: str) -> None:
        if self._options.labels is not None or self._options.units != LabelUnits():
            raise InputError(
                f"{path}: FitSNAP JSON names its labels and units itself; take `labels:` and "
                "`units:` out"
            )
        self._found.frames += 1
        with self._leaving_out():
            configuration = read_json(path, group=group)
            self._found.configurations.append(configuration)
            self._found.atoms.append(configuration.to_atoms())

    def _take_frames(self) -> None:
        """Takes the frames of any file but FitSNAP's."""
        take_frames(
            self._frames(),
            self._found,
            self._options,
            self._factors,
            labelled=self._labelled,
            lenient=self._lenient,
        )

    def _leaving_out(self) -> LeavingOut:
        return LeavingOut(self._found.left_out if self._lenient else None)

    def _frames(self) -> Iterator[tuple[str, Atoms]]:
        """The frames with their names, which are counted. When the file cannot be read further,
        raises InputError or, if lenient, ends."""
        format = self._format()
        try:
            if format in ("vasp-out", "vasp-xml"):
                yield from self._vasp_steps(format)
                return
            end = early_end(self._path, format)
            frames = iterate_frames(self._path, format, self._labelled)
            for number, atoms in enumerate(all_but_the_last(frames) if end else frames):
                self._found.frames += 1
                yield f"{self._path}, frame {number}", atoms
            if end:
                self._stop(f"{self._path}, frame {self._found.frames}: {end}")
            elif (count := frames_marked(self._path, format)) > (n := self._found.frames):
                self._stop(f"{self._path}, frame {n}: is cut off; ASE reads {n} of {count} frames")
        except InputError as error:
            self._stop(str(error))
        except Exception as error:  # noqa: BLE001  ASE's readers raise anything
            after = f", after frame {self._found.frames - 1}" if self._found.frames else ""
            why = f"ASE cannot read it: {type(error).__name__}: {error}"
            if not self._found.frames and self._options.format is None:
                why += f"; it seems to be {format}, and if it is not, {NAME_THE_FORMAT}"
            self._stop(f"{self._path}{after}: {why}")

    def _vasp_steps(self, format: Any) -> Iterator[tuple[str, Atoms]]:
        steps = read_vasp(self._path, format)
        self._found.frames = steps.begun
        if self._labelled:
            self._found.left_out += steps.remarks(self._path)
        for number, atoms in steps.converged if self._labelled else steps.without_wrong_labels:
            yield f"{self._path}, step {number}", atoms
        if steps.cut:
            self._stop(f"{self._path}: {steps.cut}")

    def _stop(self, why: str) -> None:
        if not (self._lenient and self._found.configurations):
            raise InputError(why)
        read = len(self._found.configurations)
        self._found.left_out.append(
            f"{why} (after frame {read - 1}; the {read} before it are used)"
        )
