"""The file of `pair_style mliap … descriptor sna FILE`.

https://docs.lammps.org/pair_mliap.html
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from snap_al.data.storage import LARGEST_TEXT, require_regular_file
from snap_al.descriptors import SnapSettings
from snap_al.errors import InputError

PER_ELEMENT = {
    "elems": "elements",
    "radelems": "radelem",
    "welems": "wj",
    "sinnerelems": "sinner",
    "dinnerelems": "dinner",
}
"""LAMMPS' keywords with one value for each element, and the settings that they are."""
NUMBERS = ("rcutfac", "rfac0", "rmin0")
FLAGS = {
    "switchflag": 1,
    "bzeroflag": 1,
    "chemflag": 0,
    "bnormflag": 0,
    "wselfallflag": 0,
    "switchinnerflag": 0,
}
"""What LAMMPS takes for a flag that the file does not have."""
REQUIRED = ("rcutfac", "twojmax", "nelems", "elems", "radelems", "welems")


def descriptor_text(settings: SnapSettings) -> str:
    """The file. It has one twojmax, the largest."""
    values: dict[str, Any] = {
        "rcutfac": repr(settings.rcutfac),
        "twojmax": settings.largest_twojmax,
        "rfac0": repr(settings.rfac0),
        "rmin0": repr(settings.rmin0),
        "nelems": len(settings.elements),
        "elems": " ".join(settings.elements),
        "radelems": " ".join(map(repr, settings.radelem)),
        "welems": " ".join(map(repr, settings.wj)),
        "switchflag": int(settings.switchflag),
        "bzeroflag": int(settings.bzeroflag),
        "chemflag": int(settings.chemflag),
        "bnormflag": int(settings.normalised),
        "wselfallflag": int(settings.wselfallflag),
    }
    if settings.sinner is not None and settings.dinner is not None:
        values["switchinnerflag"] = 1
        values["sinnerelems"] = " ".join(map(repr, settings.sinner))
        values["dinnerelems"] = " ".join(map(repr, settings.dinner))
    lines = "".join(f"{name} {value}\n" for name, value in values.items())
    return "# descriptor written by snap_al\n" + lines


def read_descriptor(path: Path | str) -> SnapSettings:
    """Read a descriptor file.

    Parameters
    ----------
    path : path or str
        A file for `descriptor sna`.

    Returns
    -------
    SnapSettings

    Raises
    ------
    InputError
        For a file that LAMMPS would refuse or that is for other components than SNAP's; it names
        the file, the line and the value.
    """
    path = Path(path)
    found: dict[str, Any] = {}
    for number, words in _lines(path):
        where = f"{path}, line {number}"
        keyword, values = words[0], words[1:]
        if keyword in found:
            raise InputError(f"{where}: {keyword} is there twice")
        found[keyword] = _value(where, keyword, values, found.get("nelems"))
    if missing := [name for name in REQUIRED if name not in found]:
        raise InputError(f"{path}: no {', '.join(missing)}; the file is cut or not complete")
    inner = {"sinnerelems", "dinnerelems"} & set(found)
    flags = {name: bool(found.pop(name, default)) for name, default in FLAGS.items()}
    if flags.pop("switchinnerflag") != (len(inner) == 2) or len(inner) == 1:
        raise InputError(f"{path}: switchinnerflag 1, sinnerelems and dinnerelems belong together")
    found.pop("nelems")
    try:
        return SnapSettings(**{PER_ELEMENT.get(k, k): v for k, v in (found | flags).items()})
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}, found {first['input']!r}"
        ) from error


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """Number and words of each line that has words."""
    try:
        text = require_regular_file(path, LARGEST_TEXT).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    numbered = enumerate((line.split("#")[0].split() for line in text.splitlines()), 1)
    return [(number, words) for number, words in numbered if words]


def _value(where: str, keyword: str, values: list[str], n_elements: int | None) -> Any:
    """What a keyword says. Raises InputError."""
    if keyword in PER_ELEMENT:
        if n_elements is None:
            raise InputError(f"{where}: nelems must come before {keyword}")
        if len(values) != n_elements:
            raise InputError(f"{where}: {keyword} has {len(values)} values for {n_elements}")
        return tuple(values) if keyword == "elems" else tuple(_float(where, v) for v in values)
    if len(values) != 1:
        raise InputError(f"{where}: {keyword} has {len(values)} values, expected one")
    if keyword in NUMBERS:
        return _float(where, values[0])
    if keyword in FLAGS:
        if values[0] not in ("0", "1"):
            raise InputError(f"{where}: {keyword} is {values[0]!r}, expected 0 or 1")
        return int(values[0])
    if keyword in ("twojmax", "nelems"):
        if not (values[0].isascii() and values[0].isdigit()):
            raise InputError(f"{where}: {keyword} is {values[0]!r}, expected a whole number")
        return int(values[0])
    reason = " (networks take components alone)" if keyword == "quadraticflag" else ""
    raise InputError(f"{where}: LAMMPS does not know {keyword!r} here{reason}")


def _float(where: str, word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise InputError(f"{where}: {word!r} is no number") from None
