"""Atomic masses, as ASE has them."""

from __future__ import annotations

from collections.abc import Sequence

from ase.data import atomic_masses, atomic_numbers


def masses(elements: Sequence[str]) -> tuple[float, ...]:
    """g/mol, one for each chemical symbol."""
    return tuple(float(atomic_masses[atomic_numbers[e]]) for e in elements)
