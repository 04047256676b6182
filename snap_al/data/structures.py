"""Structures made from others: with a strain, another composition, vacancies, interstitials or a
surface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration, Label
from snap_al.errors import InputError

Array = NDArray[np.float64]
WIDE, BELOW = 0.7, 1e-6
"""Share of the widest gap that counts as wide; of two gaps as near to the cell's end, the lower one
is taken.
"""
TRIED = 4000
"""Number of random points among which an interstitial atom takes the one farthest from all atoms.
"""


def strained(base: Configuration, strain: float) -> Configuration:
    """The structure with all lengths times 1 + strain."""
    if strain <= -1.0:
        raise InputError(f"strain {strain} leaves no volume; 0.02 makes all lengths 2 % longer")
    factor = 1.0 + strain
    return replace(base, cell=base.cell * factor, positions=base.positions * factor, label=Label())


def recomposed(
    base: Configuration, fractions: Mapping[str, float], rng: np.random.Generator
) -> Configuration:
    """The structure with elements distributed at random over all sites, in numbers nearest to the
    fractions. Raises InputError unless these add up to 1."""
    if min(fractions.values()) < 0 or abs(sum(fractions.values()) - 1.0) > 1e-6:
        raise InputError(f"composition {dict(fractions)} does not add up to 1")
    edges = np.round(np.cumsum(list(fractions.values())) * len(base)).astype(int)
    counts = np.diff(np.concatenate([[0], edges]))
    species = np.repeat(list(fractions), counts)
    return replace(
        base,
        species=tuple(str(s) for s in rng.permutation(species)),
        label=Label(),
        spins=None,
        charges=None,
    )


def with_vacancies(base: Configuration, count: int, rng: np.random.Generator) -> Configuration:
    """The structure without some atoms, chosen at random. Raises InputError when none would be
    left."""
    if count >= len(base):
        raise InputError(f"{count} vacancies in {len(base)} atoms")
    kept = np.sort(rng.permutation(len(base))[count:])
    return _some(base, kept)


def with_interstitials(
    base: Configuration, counts: Mapping[str, int], rng: np.random.Generator
) -> Configuration:
    """The structure with atoms added one after another, each where there is most room (Å to the
    nearest atom, images counted)."""
    positions, species = base.positions, list(base.species)
    for symbol, count in counts.items():
        for _ in range(count):
            tried = rng.uniform(size=(TRIED, 3)) @ base.cell
            room = _nearest(tried, positions, base.cell, base.pbc)
            positions = np.vstack([positions, tried[int(np.argmax(room))]])
            species.append(symbol)
    return replace(
        base, positions=positions, species=tuple(species), label=Label(), spins=None, charges=None
    )


def with_surface(base: Configuration, axis: int, vacuum: float) -> Configuration:
    """A slab: open along one cell vector, which becomes longer by `vacuum` (Å) of empty space at
    right angles to the others.

    It is cut where the cell ends, or rather in the wide gap between atoms that is nearest to that
    end: atoms of one plane, some of which are at 0 and others, by a rounding, at 1, stay together.
    """
    a, b = (base.cell[k] for k in range(3) if k != axis)
    normal = np.cross(a, b)
    normal /= np.linalg.norm(normal) * np.sign(normal @ base.cell[axis])
    cell = base.cell.copy()
    cell[axis] = normal * (abs(normal @ base.cell[axis]) + vacuum)
    pbc = tuple(bool(base.pbc[k]) and k != axis for k in range(3))
    positions = _cut_in_a_gap(base, axis) if base.pbc[axis] else base.positions
    return replace(
        base, cell=cell, positions=positions, pbc=(pbc[0], pbc[1], pbc[2]), label=Label()
    )


def _cut_in_a_gap(base: Configuration, axis: int) -> Array:
    """Positions (n, 3) in one period along a cell vector, which begins in a wide gap between the
    atoms' heights.
    """
    along = base.positions @ np.linalg.inv(base.cell)[:, axis]
    heights = np.sort(np.mod(along, 1.0))
    gaps = np.diff(heights, append=heights[0] + 1.0)
    middles = (heights + gaps / 2)[gaps >= WIDE * gaps.max()]
    middles -= np.round(middles)
    cut = middles[np.argmin(np.abs(middles + BELOW))]
    return np.asarray(base.positions - np.floor(along - cut)[:, None] * base.cell[axis])


def _some(base: Configuration, kept: NDArray[np.int64]) -> Configuration:
    return replace(
        base,
        positions=base.positions[kept],
        species=tuple(base.species[k] for k in kept),
        label=Label(),
        spins=None if base.spins is None else base.spins[kept],
        charges=None if base.charges is None else base.charges[kept],
    )


def _nearest(points: Array, positions: Array, cell: Array, pbc: tuple[bool, bool, bool]) -> Array:
    """(n,) distance of each point from the nearest atom."""
    from ase.geometry import get_distances  # late: it is slow to import

    chunks = [points[k : k + 500] for k in range(0, len(points), 500)]
    return np.concatenate(
        [get_distances(c, positions, cell=cell, pbc=pbc)[1].min(axis=1) for c in chunks]
    )
