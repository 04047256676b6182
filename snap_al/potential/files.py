"""The text of `.snapcoeff` and `.snapparam`, as LAMMPS and FitSNAP read them.

https://docs.lammps.org/pair_snap.html
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snap_al.data.storage import LARGEST_TEXT, require_regular_file
from snap_al.descriptors import Columns, SnapSettings, component_names
from snap_al.errors import InputError
from snap_al.potential.comparison import Header, check_descriptor

Array = NDArray[np.float64]


def snapcoeff(settings: SnapSettings, coefficients: Array) -> str:
    """coefficients: (n_distinct,) in eV; equal columns get equal shares. Printed so that they read
    back bit for bit.
    """
    columns = Columns.of(settings)
    everything = columns.spread @ coefficients
    names = ["constant", *component_names(settings)]
    lines = [
        "# SNAP coefficients fitted by snap_al",
        "",
        f"{len(settings.elements)} {columns.n_components + 1}",
    ]
    for number, element in enumerate(settings.elements):
        block = everything[columns.block(number)]
        values = block if columns.has_constant else np.concatenate([[0.0], block])
        lines.append(element_line(settings, number))
        lines += [
            f"{value: .17e} # {element} {name}" for value, name in zip(values, names, strict=True)
        ]
    return "\n".join(lines) + "\n"


def read_snapcoeff(path: Path, settings: SnapSettings) -> Array:
    """(n_distinct,) coefficients in eV of a file for these settings. Elements are matched by name,
    and there may be more.

    Raises InputError for elements that are missing and for another descriptor, going by the radii
    and weights in the file and by the `.snapparam` beside it, if there is one.
    """
    try:
        lines = [
            line.split("#")[0].split()
            for line in require_regular_file(path, LARGEST_TEXT)
            .read_text(encoding="utf-8")
            .splitlines()
        ]
        (n_elements, width), *rest = ([*words] for words in lines if words)
        headers, values = _blocks(rest, int(n_elements), int(width), settings.elements)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, IndexError, KeyError) as error:
        raise InputError(
            f"{path}: no .snapcoeff for {', '.join(settings.elements)}: {error}"
        ) from error
    check_descriptor(path, headers, settings)
    columns = Columns.of(settings)
    if values.shape[1] != columns.n_components + 1:
        raise InputError(
            f"{path}: {values.shape[1]} coefficients per element, and these settings have "
            f"{columns.n_components + 1}"
        )
    if not np.isfinite(values).all():
        raise InputError(f"{path}: a coefficient is not finite")
    if not columns.has_constant:
        if values[:, 0].any():
            raise InputError(f"{path}: has constants, and with bzeroflag there are none")
        values = values[:, 1:]
    unused = values.ravel()[columns.distinct_of < 0]
    if unused.any():
        raise InputError(
            f"{path}: has {np.count_nonzero(unused)} coefficients of components that are not "
            "fitted here: twojmax of each "
            f"element is {' '.join(map(str, settings.twojmax))}"
        )
    return columns.gathered(values.ravel())


def _blocks(
    lines: list[list[str]], n_elements: int, width: int, elements: tuple[str, ...]
) -> tuple[dict[str, Header], Array]:
    """Radius and weight of each of the file's elements, and coefficients (n_elements, width) in the
    order of `elements`.
    """
    headers: dict[str, Header] = {}
    found = {}
    for k in range(n_elements):
        header, *numbers = lines[k * (width + 1) : (k + 1) * (width + 1)]
        symbol, radius, weight = header
        if symbol in found:
            raise ValueError(f"{symbol} is there twice")
        headers[symbol] = (float(radius), float(weight))
        found[symbol] = [float(words[0]) for words in numbers]
    for element in elements:
        if element not in found:
            raise ValueError(f"no {element} in it, only {', '.join(found)}")
    return headers, np.array([found[e] for e in elements]).reshape(len(elements), width)


def element_line(settings: SnapSettings, number: int) -> str:
    return f"{settings.elements[number]} {settings.radelem[number]!r} {settings.wj[number]!r}"


def snapparam(settings: SnapSettings, *, quadratic: bool | None = None) -> str:
    """The hyper-parameters, in LAMMPS' words. quadratic: of the file beside it, where it is not the
    settings' own.
    """
    values: dict[str, str | int] = {
        "rcutfac": repr(settings.rcutfac),
        "twojmax": settings.largest_twojmax,
        "rfac0": repr(settings.rfac0),
        "rmin0": repr(settings.rmin0),
        "switchflag": int(settings.switchflag),
        "bzeroflag": int(settings.bzeroflag),
        "quadraticflag": int(settings.quadraticflag if quadratic is None else quadratic),
        "chemflag": int(settings.chemflag),
        "bnormflag": int(settings.normalised),
        "wselfallflag": int(settings.wselfallflag),
    }
    if settings.sinner is not None and settings.dinner is not None:
        values |= {"switchinnerflag": 1}
        values |= {
            k: " ".join(map(repr, v))
            for k, v in (("sinner", settings.sinner), ("dinner", settings.dinner))
        }
    return "# SNAP hyper-parameters written by snap_al\n" + "".join(
        f"{k} {v}\n" for k, v in values.items()
    )
