"""Names of files as LAMMPS can read them.

LAMMPS' input gives quotes, `$`, `#`, `&`, `*`, `%` and white space a meaning of its own, and its
Python module takes UTF-8 only. A path with any other character than those of `PLAIN` is reached
through a symbolic link with a plain name.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from snap_al.errors import InputError

NameOf = Callable[[Path], str]
"""A path to a name that LAMMPS can read."""
PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./+=,@:-]*")
OTHER_PLACES = ("/tmp", "/var/tmp", "/dev/shm")
"""For links where TMPDIR itself is not plain."""
LONGEST = 240
"""Characters: LAMMPS has buffers of 256 for some names."""


class PlainNames:
    """Plain names for the files of one LAMMPS session; links are made where they are needed, and go
    with `close`.
    """

    def __init__(self) -> None:
        self._scratch: TemporaryDirectory[str] | None = None
        self._links: dict[Path, str] = {}

    def of(self, path: Path) -> str:
        """The path itself where it is plain; else one through a link, for reading and for writing.
        Raises InputError when there is no folder for links."""
        if is_plain(path):
            return str(path)
        path = path.absolute()
        if is_plain(Path(path.name)):
            return f"{self._link(path.parent)}/{path.name}"
        return self._link(path)

    def real(self, message: str) -> str:
        """LAMMPS' message with the paths that the names stand for."""
        for path, link in self._links.items():
            message = message.replace(link, str(path))
        return message

    def close(self) -> None:
        self._links.clear()
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None

    def _link(self, path: Path) -> str:
        if path not in self._links:
            if self._scratch is None:
                self._scratch = plain_scratch_folder()
            ending = path.suffix if is_plain(Path(path.suffix)) else ""
            link = (
                Path(self._scratch.name) / f"{len(self._links)}{ending}"
            )  # LAMMPS goes by the ending .gz
            link.symlink_to(path)
            self._links[path] = str(link)
        return self._links[path]


def is_plain(path: Path) -> bool:
    """Whether LAMMPS reads it as it is, on a line of its input too."""
    return len(str(path)) <= LONGEST and PLAIN.fullmatch(str(path)) is not None


def plain_scratch_folder() -> TemporaryDirectory[str]:
    """A temporary folder whose name LAMMPS can read. Raises InputError when no place for one is
    known.
    """
    given = tempfile.gettempdir()
    for place in (given, *OTHER_PLACES):
        if is_plain(Path(place)) and Path(place).is_dir():
            return TemporaryDirectory(prefix="snap_al_", dir=place)
    raise InputError(
        f"TMPDIR={given!r}: LAMMPS cannot read files there; set TMPDIR to a folder whose path has "
        "no characters but letters, "
        "digits and ._/+=,@:-"
    )
