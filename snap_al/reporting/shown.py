"""Numbers as texts, for terminals and pages, and the units that they are shown in."""

from __future__ import annotations

UNITS = {"energy": ("meV/atom", 1e3), "forces": ("eV/Å", 1.0), "stress": ("GPa", 160.21766)}
"""Name of each unit, and factor on eV/atom, eV/Å and eV/Å³."""


def rounded(value: float | None, digits: int, factor: float = 1.0) -> str:
    """A number with this many significant digits, or `nan` or `inf`; a dash for None."""
    return "-" if value is None else f"{value * factor:.{digits}g}"


def coverage(value: float | None) -> str:
    """A share, or a correlation, to three decimals; a dash for None."""
    return "-" if value is None else f"{value:.3f}"


def in_stds(value: float | None) -> str:
    """A deviation in units of its std, with its sign, to one decimal; large ones to three digits.
    Empty for None."""
    if value is None:
        return ""
    return f"{value:+.1f}" if abs(value) < 1000 else f"{value:+.3g}"
