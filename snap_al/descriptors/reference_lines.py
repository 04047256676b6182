"""What the lines of a reference potential say, as LAMMPS reads them.

https://docs.lammps.org/pair_hybrid.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from snap_al.data.storage import expanded
from snap_al.descriptors.pair_types import numbered
from snap_al.errors import InputError


@dataclass(frozen=True)
class ReferenceLines:
    """As fields of `ReferencePotential`."""

    styles: tuple[str, ...] = ()
    """Sub-styles with their arguments."""
    coefficients: tuple[tuple[str, str, str], ...] = ()
    """(types, style, arguments) of each pair_coeff."""
    atom_style: str = "atomic"
    """LAMMPS' atom style."""
    fixes: tuple[str, ...] = ()
    """Lines of `fix … nve/spin`."""


def read_lines(lines: Sequence[str], elements: Sequence[str]) -> ReferenceLines:
    """elements: of types 1, 2, …; lines may then name them in place of types. Raises InputError for
    anything but `pair_style`, `pair_coeff`, `atom_style`, `units metal` and `fix … nve/spin`.
    """
    style: list[str] = []
    rest, coefficient_lines = ReferenceLines(), list[list[str]]()
    for line in lines:
        words = [str(expanded(w)) if w[0] == "~" else w for w in line.split("#")[0].split()]
        if not words:
            continue
        if words[0] == "pair_style" and len(words) > 1 and not style:
            style = words[1:]
        elif words[0] == "pair_coeff" and len(words) > 2:
            coefficient_lines.append(_coefficients(words[1:], style, elements))
        elif words[0] == "units":
            if words[1:] != ["metal"]:
                raise InputError(f"reference: `{line}`: only `units metal` is supported")
        elif words[0] == "atom_style":
            rest = replace(rest, atom_style=" ".join(words[1:]))
        elif words[0] == "fix" and words[3:4] == ["nve/spin"]:
            rest = replace(rest, fixes=(*rest.fixes, " ".join(words)))
        else:
            raise InputError(
                f"reference: `{line}`: expected one pair_style line, then pair_coeff lines"
            )
    return _with_styles(rest, style, coefficient_lines)


def _coefficients(words: list[str], style: list[str], elements: Sequence[str]) -> list[str]:
    """Words of a pair_coeff line, with numbers of types."""
    hybrid = bool(style) and style[0].startswith("hybrid")
    return (
        numbered(words, "".join(words[2:3] if hybrid else style[:1]), elements)
        if elements
        else words
    )


def _with_styles(rest: ReferenceLines, style: list[str], lines: list[list[str]]) -> ReferenceLines:
    if not style:
        if lines:
            raise InputError("reference: pair_coeff without a pair_style line before it")
        return rest
    overlay = style[0] == "hybrid/overlay"
    if overlay or (style[0] == "hybrid" and _each_pair_once([c[:2] for c in lines])):
        coefficients = tuple((" ".join(c[:2]), c[2], " ".join(c[3:])) for c in lines)
        return replace(rest, styles=_sub_styles(style[1:], lines), coefficients=coefficients)
    if style[0].startswith("hybrid"):
        raise InputError(
            f"reference: `pair_style {style[0]}`: use hybrid/overlay, onto which SNAP is added"
        )
    coefficients = tuple((" ".join(c[:2]), style[0], " ".join(c[2:])) for c in lines)
    return replace(rest, styles=(" ".join(style),), coefficients=coefficients)


def _sub_styles(words: list[str], lines: list[list[str]]) -> tuple[str, ...]:
    """With their arguments; the lines say which words are names of styles."""
    named = {c[2] for c in lines if len(c) > 2}
    styles: list[list[str]] = []
    for word in words:
        if word in named:
            styles.append([word])
        elif styles:
            styles[-1].append(word)
        else:
            raise InputError(
                f"reference: sub-style {word!r} of hybrid/overlay has no pair_coeff line"
            )
    return tuple(" ".join(s) for s in styles)


def _each_pair_once(pairs: list[list[str]]) -> bool:
    """Whether every pair of types has one sub-style, without wildcards: then hybrid is the same as
    hybrid/overlay.
    """
    named = [frozenset(p) for p in pairs]
    return all(t.isdigit() for p in pairs for t in p) and len(set(named)) == len(named)
