"""Atom types in `pair_coeff` lines: element names become numbers, and lines that contradict the
elements are refused.

Type n is element n of the descriptor. Where a line says for which element it is, by a nuclear
charge of zbl, the list of elements after a potential file's name, or that file's own header (eam),
this must be the element of its type.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ase.data import atomic_numbers

from snap_al.data.storage import require_regular_file
from snap_al.errors import InputError, did_you_mean

Coefficient = tuple[str, str, str]
"""Types, style, arguments."""
CHARGE_TOLERANCE = 0.5
"""Of a charge of zbl around the atomic number: effective charges near it are taken."""
NOT_A_NAME = re.compile(r"\d+|\d*\*\d*")
ACCELERATED = ("/gpu", "/intel", "/kk", "/omp", "/opt")
LISTS_ELEMENTS = frozenset(
    (
        "adp",
        "agni",
        "airebo",
        "airebo/morse",
        "bop",
        "comb",
        "comb3",
        "eam/alloy",
        "eam/cd",
        "eam/fs",
        "eam/he",
        "edip",
        "edip/multi",
        "extep",
        "gw",
        "gw/zbl",
        "lcbop",
        "meam",
        "meam/ms",
        "meam/spline",
        "meam/sw/spline",
        "mliap",
        "nb3b/harmonic",
        "pace",
        "pace/extrapolation",
        "polymorphic",
        "reaxff",
        "rebo",
        "smtbq",
        "snap",
        "sw",
        "sw/mod",
        "tersoff",
        "tersoff/mod",
        "tersoff/mod/c",
        "tersoff/table",
        "tersoff/zbl",
        "vashishta",
        "vashishta/table",
    )
)
"""Styles whose pair_coeff line ends with an element, or NULL, for each type."""


def numbered(words: Sequence[str], style: str, elements: Sequence[str]) -> list[str]:
    """The words of a pair_coeff line after `pair_coeff`, with types in place of names of elements,
    the lower one first.

    style: of this line. Raises InputError for a name that is not among the elements.
    """
    line = f"reference: `pair_coeff {' '.join(words)}`"
    types = [
        word if NOT_A_NAME.fullmatch(word) else _type_of(word, elements, line) for word in words[:2]
    ]
    rest = list(words[2:])
    named = any(not NOT_A_NAME.fullmatch(word) for word in words[:2])
    if named and all(t.isdigit() for t in types) and int(types[0]) > int(types[1]):
        types.reverse()
        if _plain(style) == "zbl":  # its charges are in the order of the types
            rest[-2:] = rest[:-3:-1]
    return [*types, *rest]


def _type_of(name: str, elements: Sequence[str], line: str) -> str:
    if name not in elements:
        raise InputError(
            f"{line}: {name} is neither a type nor one of the elements {', '.join(elements)}; "
            f"{did_you_mean(name, elements)}"
        )
    return str(elements.index(name) + 1)


def check_elements(
    coefficients: Iterable[Coefficient],
    elements: Sequence[str],
    folders: Sequence[Path] = (Path(),),
) -> None:
    """Raises InputError for a line that is for another element than its type is. folders: where
    files are looked for, before LAMMPS' own."""
    lines = list(coefficients)
    for types, style, arguments in lines:
        if _plain(style) in LISTS_ELEMENTS:
            _check_list(types, style, arguments, elements)
        elif _plain(style) == "eam":
            _check_eam(types, style, arguments, elements, folders)
    _check_charges(lines, elements)


def _check_charges(lines: Sequence[Coefficient], elements: Sequence[str]) -> None:
    """Of zbl, as the last line for each pair of types leaves them."""
    last: dict[tuple[str, int, int], tuple[Coefficient, list[float]]] = {}
    for line in lines:
        types, style, arguments = line
        *number, one, other = [None, None, *arguments.split()]
        if _plain(style) != "zbl" or not _is_number(one) or not _is_number(other):
            continue
        first, second = (_expanded(t, len(elements)) for t in types.split())
        for i in first:
            for j in second:
                charges = [float(one or 0), float(other or 0)]
                last[str(number), min(i, j), max(i, j)] = (
                    line,
                    charges if i <= j else charges[::-1],
                )
    for (_, i, j), (line, charges) in last.items():
        symbols = [elements[i - 1], elements[j - 1]]
        expected = [atomic_numbers[symbol] for symbol in symbols]
        if not (_near(charges, expected) or _near(charges[::-1], expected)):
            pair = " ".join(symbols)
            raise _contradiction(
                line,
                f"charges {charges[0]:g} and {charges[1]:g} for types {i} and {j}, which are "
                f"{pair}",
                f"pair_coeff {i} {j} … {' '.join(map(str, expected))}",
                elements,
            )


def _check_list(types: str, style: str, arguments: str, elements: Sequence[str]) -> None:
    named = arguments.split()[-len(elements) :]
    wrong = [
        (k, word, element)
        for k, (word, element) in enumerate(zip(named, elements, strict=False), 1)
        if word in atomic_numbers and word != element
    ]
    if len(named) == len(elements) and wrong:
        number, word, element = wrong[0]
        right = [
            e if word in atomic_numbers else word for word, e in zip(named, elements, strict=True)
        ]
        raise _contradiction(
            (types, style, arguments),
            f"{word} for type {number}, which is {element}",
            f"… {' '.join(right)}",
            elements,
        )


def _check_eam(
    types: str, style: str, arguments: str, elements: Sequence[str], folders: Sequence[Path]
) -> None:
    """The second line of such a file begins with an atomic number."""
    path = _found(arguments.split()[-1], folders) if arguments.split() else None
    if path is None:
        return
    with require_regular_file(path).open(encoding="utf-8", errors="replace") as file:
        head = [file.readline(1000) for _ in range(2)][1].split()
    if not head or not _is_number(head[0]):
        return
    first, second = (_expanded(t, len(elements)) for t in types.split())
    for number in sorted(set(first) & set(second)):
        element = elements[number - 1]
        if not _near([float(head[0])], [atomic_numbers[element]]):
            said = f"a file for atomic number {head[0]} for type {number}, which is {element}"
            raise _contradiction(
                (types, style, arguments),
                said,
                f"a file for {element} ({atomic_numbers[element]})",
                elements,
            )


def _contradiction(
    line: Coefficient, said: str, expected: str, elements: Sequence[str]
) -> InputError:
    return InputError(
        f"reference: `pair_coeff {' '.join(line).strip()}` has {said}: types are numbered as in "
        "elements "
        f"[{', '.join(elements)}]. Expected: {expected}"
    )


def _found(name: str, folders: Sequence[Path]) -> Path | None:
    """Where a potential file is read from."""
    places = [*folders, *lammps_folders()]
    return next((path for folder in places if (path := folder / name).is_file()), None)


def lammps_folders() -> list[Path]:
    """Where LAMMPS looks for potential files that are not in the working directory."""
    named = os.environ.get("LAMMPS_POTENTIALS", "").split(os.pathsep)
    return [Path(folder) for folder in named if folder]


def _plain(style: str) -> str:
    """Without the suffix of an accelerated version."""
    return next(
        (style.removesuffix(suffix) for suffix in ACCELERATED if style.endswith(suffix)), style
    )


def _expanded(types: str, n: int) -> list[int]:
    """Types that a number or a wildcard stands for: 2, *, 2*, *3, 2*3."""
    low, star, high = types.partition("*")
    begin, end = int(low or 1), int((high or n) if star else low)
    return list(range(max(begin, 1), min(end, n) + 1))


def _is_number(word: str | None) -> bool:
    try:
        float(word or "")
    except ValueError:
        return False
    return True


def _near(charges: Sequence[float], expected: Sequence[float]) -> bool:
    return all(abs(c - e) < CHARGE_TOLERANCE for c, e in zip(charges, expected, strict=True))
