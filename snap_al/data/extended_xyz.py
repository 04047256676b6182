"""Reads extended XYZ frame by frame. The file is read to its end, or the error names the frame and
the line.

ASE's reader stops at the first empty line between two frames, without a message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import IO, Any

from ase import Atoms

from snap_al.data.open_text import DAMAGED, open_text
from snap_al.errors import InputError

MOST_COLUMNS = 10_000
"""Largest number of atoms of a frame, which no program exceeds."""
_PROPERTIES = re.compile(r"""(?:^|\s)Properties\s*=\s*["']?([^\s"']+)""")
_KEYS = re.compile(r"(?:(?<=\s)|^)(lattice|properties|pbc)(?=\s*=)", re.IGNORECASE)
_SPELLING = {"lattice": "Lattice", "properties": "Properties", "pbc": "pbc"}
"""Keys that some programs write in another case, which ASE would take for something else."""
_COLUMNS = re.compile(r":[SRILsril]:(\d+)")
_SIX = re.compile(r"""\b(stress|virial)\s*=\s*(["'{\[])\s*([^"'}\]]*?)\s*["'}\]]""")
PLAIN = 4
"""Columns without `Properties`: symbol and position."""


def iterate_extended_xyz(path: Path, *, labelled: bool = True) -> Iterator[Atoms]:
    """Every frame. Empty lines between frames are skipped. Raises InputError naming frame and line.

    labelled: columns of unknown meaning are an error, since they may be labels.
    """
    with open_text(path) as file:
        lines = _Lines(file, path)
        while (atoms := _frame(lines, labelled)) is not None:
            yield atoms
            lines.frame += 1


class _Lines:
    """Lines of a file with their numbers, and the frame that they are of."""

    def __init__(self, file: IO[str], path: Path) -> None:
        self._file, self._path, self._next = file, path, ""
        self.number = 0
        self.frame = 0

    def read(self) -> str:
        """The next line with its end, "" at the end of the file."""
        line, self._next = self._next, ""
        if not line:
            try:
                line = self._file.readline()
            except (*DAMAGED, OSError) as error:
                raise self.error(
                    f"cannot be read further, it is cut off or damaged: {error}"
                ) from error
        self.number += bool(line)
        return line

    def put_back(self, line: str) -> None:
        self._next = line
        self.number -= bool(line)

    def error(self, text: str) -> InputError:
        return InputError(
            f"{self._path}, frame {self.frame}, line {max(self.number, 1)}: ASE cannot read it: "
            f"{text}"
        )


def _frame(lines: _Lines, labelled: bool) -> Atoms | None:
    """The next frame; None at the end of the file."""
    while (first := lines.read()) and not first.strip():
        pass
    if not first:
        return None
    count = _count(first, lines)
    comment = _KEYS.sub(lambda m: _SPELLING[m.group(1).lower()], lines.read())
    if not comment.endswith("\n"):
        raise lines.error(f"the file ends before the {count} atoms of this frame")
    columns = _columns(comment, lines)
    rows = [_row(lines, n, count, columns, labelled) for n in range(count)]
    if rows and not rows[-1].endswith("\n") and _last_number_is_cut(rows):
        raise lines.error(
            "the last number of the file is shorter than those above it: the file is cut off"
        )
    vectors = _vectors(lines)
    try:
        return _parsed("".join([f"{count}\n", comment, *rows, *vectors]))
    except Exception as error:
        raise lines.error(f"{type(error).__name__}: {error}") from error


def _count(line: str, lines: _Lines) -> int:
    try:
        count = int(line)
    except ValueError as error:
        shown = line.strip()[:60]
        raise lines.error(f"expected a number of atoms, found {shown!r}") from error
    if count < 0:
        raise lines.error(f"a frame of {count} atoms")
    return count


def _columns(comment: str, lines: _Lines) -> int | None:
    """The columns that `Properties` names; None when it is not given."""
    if (properties := _PROPERTIES.search(comment)) is None:
        return None
    columns = sum(int(n) for n in _COLUMNS.findall(properties.group(1)))
    if columns > MOST_COLUMNS:
        raise lines.error(f"a frame of {columns} columns")
    return columns


def _row(lines: _Lines, n: int, count: int, columns: int | None, labelled: bool) -> str:
    row = lines.read()
    if not row:
        raise lines.error(f"a frame of {count} atoms, of which {n} are there: the file is cut off")
    n_columns = len(row.split())
    if columns is None and labelled and n_columns > PLAIN:
        raise lines.error(
            f"{n_columns} columns, and nothing says what those after the position are; say so with "
            "Properties in the line "
            "above the atoms, such as Properties=species:S:1:pos:R:3:forces:R:3"
        )
    if columns is not None and n_columns != columns:
        raise lines.error(
            f"{n_columns} columns, and Properties in the frame's second line speaks of {columns}"
        )
    return row


def _vectors(lines: _Lines) -> list[str]:
    """Cell vectors, one in a line, as some programs write them after the atoms."""
    vectors: list[str] = []
    while (line := lines.read()).lstrip().startswith("VEC"):
        vectors.append(line)
    lines.put_back(line)
    return vectors


def _last_number_is_cut(rows: list[str]) -> bool:
    """Whether the file ends within a number: the last row has fewer digits at its end than the two
    rows before it."""
    digits = [len(row.split()[-1].partition(".")[2]) if row.split() else 0 for row in rows[-3:]]
    return len(digits) == 3 and digits[0] == digits[1] > digits[2]


def _parsed(text: str) -> Atoms:
    from ase.io.extxyz import read_xyz  # late: it is slow to import

    atoms: Atoms = next(iter(read_xyz(StringIO(text), 0, properties_parser=_info)))
    return atoms


def _info(comment: str) -> dict[str, Any]:
    """ASE's parser, and `stress` or `virial` with 6 components too, in the order xx yy zz yz xz
    xy."""
    from ase.io.extxyz import key_val_str_to_dict  # late: it is slow to import

    values: dict[str, Any] = key_val_str_to_dict(_SIX.sub(_as_nine, comment))
    return values


def _as_nine(match: re.Match[str]) -> str:
    parts = re.findall(r"[^\s,]+", match.group(3))
    if len(parts) != 6:
        return match.group(0)
    xx, yy, zz, yz, xz, xy = parts
    return f'{match.group(1)}="{xx} {xy} {xz} {xy} {yy} {yz} {xz} {yz} {zz}"'
