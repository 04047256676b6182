"""Whether coefficients of a file belong to the descriptor in use: the `.snapparam` beside them,
radii and weights.

https://docs.lammps.org/pair_snap.html
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from snap_al.data.storage import LARGEST_TEXT, require_regular_file
from snap_al.descriptors import SnapSettings
from snap_al.errors import InputError

DEFAULTS: dict[str, tuple[float, ...]] = {
    "rfac0": (0.99363,),
    "rmin0": (0.0,),
    "switchflag": (1.0,),
    "bzeroflag": (1.0,),
    "quadraticflag": (0.0,),
    "chemflag": (0.0,),
    "bnormflag": (0.0,),
    "wselfallflag": (0.0,),
    "switchinnerflag": (0.0,),
}
"""What pair_style snap takes for what a `.snapparam` does not say."""
REQUIRED = ("rcutfac", "twojmax")
PER_ELEMENT = ("sinner", "dinner")
WITHOUT_MEANING = ("chunksize", "parallelthresh")
"""Keywords that change how LAMMPS computes, and not what."""
WORDS = {"True": 1.0, "False": 0.0}
"""FitSNAP writes some flags so."""
ROUNDED = 1e-5
"""Published files give radii and cutoffs with six digits; a relative difference up to this is
rounding.
"""

Header = tuple[float, float]
"""Radius and weight of an element, as its line in a `.snapcoeff` has them."""


def param_file(coefficients: Path) -> Path:
    """Where the `.snapparam` of a `.snapcoeff` is looked for."""
    return coefficients.with_suffix(".snapparam")


def check_descriptor(path: Path, headers: Mapping[str, Header], settings: SnapSettings) -> None:
    """Raises InputError that names each value which differs from the settings, as the files have it
    and as it is here.

    path: of the `.snapcoeff`. headers: of its elements, in its order. Without a `.snapparam` beside
    it, what that would say is not compared (`not_compared`).
    """
    found = []
    for number, element in enumerate(settings.elements):
        here = {"radelem": settings.radelem[number], "wj": settings.wj[number]}
        for (name, ours), theirs in zip(here.items(), headers[element], strict=True):
            if not _same(theirs, ours):
                found.append(f"{name} of {element} is {theirs!r} there and {ours!r} here")
    beside = param_file(path)
    if beside.is_file():
        found += _differences(read_snapparam(beside), tuple(headers), settings)
    if settings.chemflag and tuple(headers) != settings.elements:
        found.append(
            f"elements are {' '.join(headers)} there and {' '.join(settings.elements)} here, and "
            "with chemflag their order "
            "and number belong to the descriptor"
        )
    if found:
        raise InputError(
            f"{path}: coefficients of another descriptor than the one in use: {'; '.join(found)}"
        )


def not_compared(path: Path) -> str:
    """A sentence on what could not be compared; empty when all of it was."""
    beside = param_file(path)
    if beside.is_file():
        return ""
    return (
        f"prior_mean: there is no {beside.name} beside {path}: only radii and weights of the "
        "elements were compared with the "
        f"descriptor in use, not {', '.join((*REQUIRED, *DEFAULTS))}"
    )


def read_snapparam(path: Path) -> dict[str, tuple[float, ...]]:
    """Values by keyword, those among them that the file leaves to LAMMPS. Raises InputError for one
    that is not known.
    """
    found = dict(DEFAULTS)
    known = (*REQUIRED, *DEFAULTS, *PER_ELEMENT, *WITHOUT_MEANING)
    try:
        lines = [
            line.split("#")[0].split()
            for line in require_regular_file(path, LARGEST_TEXT)
            .read_text(encoding="utf-8")
            .splitlines()
        ]
        for keyword, *values in filter(None, lines):
            if keyword not in known:
                raise InputError(
                    f"{path}: {keyword} is no keyword of pair_style snap; there are "
                    f"{', '.join(known)}"
                )
            found[keyword] = tuple(float(WORDS.get(value, value)) for value in values)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path}: not a .snapparam: {error}") from error
    for keyword in REQUIRED:
        if keyword not in found:
            raise InputError(f"{path}: not a .snapparam: it does not say {keyword}")
    return found


def _differences(
    theirs: Mapping[str, tuple[float, ...]], elements: Sequence[str], settings: SnapSettings
) -> list[str]:
    """elements: of the file, in its order."""
    inner = settings.sinner is not None
    ours: dict[str, float | int] = {
        "rcutfac": settings.rcutfac,
        "twojmax": settings.largest_twojmax,
        "rfac0": settings.rfac0,
        "rmin0": settings.rmin0,
        "switchflag": settings.switchflag,
        "bzeroflag": settings.bzeroflag,
        "quadraticflag": settings.quadraticflag,
        "chemflag": settings.chemflag,
        "bnormflag": settings.normalised,
        "switchinnerflag": inner,
    }
    if settings.chemflag:  # without, it changes nothing
        ours["wselfallflag"] = settings.wselfallflag
    found = [
        f"{name} is {_words(theirs[name])} there and {value!r} here"
        for name, value in ((n, v if isinstance(v, float) else int(v)) for n, v in ours.items())
        if len(theirs[name]) != 1 or not _same(theirs[name][0], value)
    ]
    if not inner or not theirs["switchinnerflag"][0]:
        return found
    for name in PER_ELEMENT:
        values = dict(zip(elements, theirs.get(name, ()), strict=False))
        for element, value in zip(settings.elements, getattr(settings, name), strict=True):
            if element not in values or not _same(values[element], value):
                found.append(
                    f"{name} of {element} is {values.get(element, 'not given')} there and "
                    f"{value!r} here"
                )
    return found


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=ROUNDED, abs_tol=1e-12)


def _words(values: Sequence[float]) -> str:
    return " ".join(f"{value:.12g}" for value in values) or "not given"
