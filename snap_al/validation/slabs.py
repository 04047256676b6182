"""Slabs with two equal, flat faces, made of whole lattice planes of a crystal.

Which atoms a slab has is decided in whole numbers, once, on the crystal as it was given: how a
coordinate was rounded, or how far a cell was relaxed, cannot move an atom from one face to the
other.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import gcd

import numpy as np
import spglib
from ase import Atoms
from numpy.typing import NDArray

from snap_al.errors import RunError
from snap_al.validation.crystal import SYMPREC, Crystal

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
VACUUM = 12.0
"""Å, the gap between a slab and its periodic image."""
PLANE = 0.02
"""Å: atoms whose heights differ by less are in one plane; gaps between planes that differ by less
are equally wide.
"""
PARTS = 12
"""Lattice vectors of the primitive cell are whole multiples of one twelfth of the conventional
ones.
"""
PRIMITIVE = {
    "P": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "I": ((-0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0.5, 0.5, -0.5)),
    "F": ((0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)),
}
"""Vectors of a primitive cell, in units of the conventional cell's, by centring."""


@dataclass(frozen=True)
class Slab:
    """A slab with two free faces."""

    atoms: Atoms
    """The atoms, periodic along all three cell vectors, the third at right angles to the faces."""
    area: float
    """Å², of one face."""
    termination: str
    """Where the crystal was cut, in words."""


@dataclass(frozen=True)
class _Stack:
    """The planes of one period along a surface normal, from the lowest."""

    along: Integers
    """(3, 3) whole multiples of the primitive vectors: two within the planes, and one to the next
    period."""
    planes: tuple[tuple[tuple[int, int], ...], ...]
    """For each plane, pairs (number of an atom in the conventional cell, periods that it is moved
    by)."""
    heights: Array
    """(n_planes,) Å."""
    period: float
    """Å."""

    @property
    def gaps(self) -> Array:
        """(n_planes,) Å, from each plane down to the next one below."""
        return np.diff(self.heights, prepend=self.heights[-1] - self.period)


def slab(crystal: Crystal, indices: tuple[int, int, int], thickness: float) -> Slab:
    """The thinnest slab of at least `thickness` Å with two equal faces, in the smallest cell along
    its faces.

    indices: Miller indices with respect to the conventional cell. thickness: of the crystal before
    it was relaxed. The crystal is cut in the widest gap between its planes: of a diamond (111) face
    the bonds at right angles to it (the shuffle planes), of an hcp prism face the wider of two
    spacings. The faces are equal because only a slab is taken that a symmetry operation (a mirror,
    an inversion, or a two-fold axis) turns upside down. Raises RunError where there is none.
    """
    stack = _stack(crystal.given, indices)
    n, gaps = len(stack.planes), stack.gaps
    widest = [k for k in range(n) if gaps[k] > gaps.max() - PLANE]
    fewest = int(np.ceil(thickness / stack.period * n - 1e-6))
    for count in range(max(1, fewest - n), fewest + 2 * n + 1):
        for first in widest:
            chosen = range(first, first + count)
            tall = _height(stack, chosen[-1]) - _height(stack, first) >= thickness - 1e-6
            if tall and (first + count) % n in widest:
                operation = _flip(_built(crystal.given, stack, chosen)[0])
                if operation:
                    atoms, area = _built(crystal, stack, chosen)
                    return Slab(atoms, area, _described(stack, count, operation))
    raise RunError(f"the surface {indices}: this crystal has no slab with two equal faces along it")


def _stack(crystal: Crystal, indices: tuple[int, int, int]) -> _Stack:
    primitive = np.array(PRIMITIVE[crystal.centring])
    twelfths = np.rint(PARTS * primitive @ np.array(indices)).astype(int).tolist()
    common = gcd(*twelfths)
    if common == 0:
        raise RunError(f"the surface {indices}: Miller indices cannot all be zero")
    miller = np.array(twelfths) // common
    cell = primitive @ crystal.atoms.cell.array
    along = _along(miller, cell)
    period = abs(float(np.linalg.det(cell))) / float(np.linalg.norm(np.cross(*(along[:2] @ cell))))
    fractions = crystal.atoms.get_scaled_positions(wrap=False) @ np.linalg.inv(primitive)
    basis = _distinct(fractions, cell)
    heights, flat = fractions[basis] @ miller, PLANE / period
    wanted = np.mod(heights - heights[0] + flat, 1.0) - flat
    moved = np.rint(wanted + heights[0] - heights).astype(int)
    order = np.argsort(wanted, kind="stable")
    groups = np.split(order, 1 + np.flatnonzero(np.diff(wanted[order]) > flat))
    return _Stack(
        along,
        tuple(tuple((basis[k], int(moved[k])) for k in sorted(group)) for group in groups),
        period * np.array([wanted[group].mean() for group in groups]),
        period,
    )


def _along(miller: Integers, cell: Array) -> Integers:
    """Two shortest vectors within planes, which span them, and the shortest one to the next plane
    of lattice points.

    miller: (3,) without a common factor, with respect to the primitive cell (3, 3).
    """
    reach = range(-int(abs(miller).max()) - 1, int(abs(miller).max()) + 2)
    vectors = sorted(
        product(reach, repeat=3), key=lambda v: (round(float(np.linalg.norm(v @ cell)), 6), v)
    )
    within = [v for v in vectors if v @ miller == 0 and any(v)]
    first = within[0]
    second = next(v for v in within if np.array_equal(np.cross(first, v), miller))
    third = next(v for v in vectors if v @ miller == 1)
    return np.array([first, second, third])


def _distinct(fractions: Array, cell: Array) -> list[int]:
    """The first atom of each set that lattice vectors of the primitive cell map to each other."""
    kept: list[int] = []
    for k, x in enumerate(fractions):
        separations = x - fractions[kept]
        separations -= np.rint(separations)
        if not (np.linalg.norm(separations @ cell, axis=1) < PLANE).any():
            kept.append(k)
    return kept


def _height(stack: _Stack, plane: int) -> float:
    periods, k = divmod(plane, len(stack.planes))
    return float(stack.heights[k] + periods * stack.period)


def _built(crystal: Crystal, stack: _Stack, planes: range) -> tuple[Atoms, float]:
    """The planes of this crystal with vacuum above and below, and the area (Å²) of a face."""
    cell = np.array(PRIMITIVE[crystal.centring]) @ crystal.atoms.cell.array
    first, second, third = stack.along @ cell
    places = [
        (number, shift + plane // len(stack.planes))
        for plane in planes
        for number, shift in stack.planes[plane % len(stack.planes)]
    ]
    numbers, shifts = (np.array(part) for part in zip(*places, strict=True))
    positions = crystal.atoms.positions[numbers] + shifts[:, None] * third
    normal = np.cross(first, second)
    area = float(np.linalg.norm(normal))
    x, z = first / np.linalg.norm(first), normal / area
    axes = np.array([x, np.cross(z, x), z])
    positions = positions @ axes.T
    positions[:, 2] += VACUUM / 2 - positions[:, 2].min()
    edges = np.array(
        [*(np.array([first, second]) @ axes.T), [0, 0, positions[:, 2].max() + VACUUM / 2]]
    )
    edges[:2, 2] = 0.0
    atoms = Atoms(crystal.atoms.numbers[numbers], positions=positions, cell=edges, pbc=True)
    atoms.wrap(eps=1e-6)
    return atoms, area


def _flip(atoms: Atoms) -> str:
    """The operation that turns a slab upside down, in words; empty where there is none."""
    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    symmetry = spglib.get_symmetry(cell, symprec=SYMPREC)
    rotations = [] if symmetry is None else [r for r in symmetry["rotations"] if r[2, 2] == -1]
    kinds = {(round(np.linalg.det(r)), int(np.trace(r))) for r in rotations}
    names = {(-1, -3): "inversion", (-1, 1): "a mirror plane", (1, -1): "a two-fold axis"}
    known = [name for key, name in names.items() if key in kinds]
    return known[0] if known else "a rotation with inversion" if kinds else ""


def _described(stack: _Stack, count: int, operation: str) -> str:
    gaps = stack.gaps
    others = sorted({round(float(g), 2) for g in gaps if g <= gaps.max() - PLANE}, reverse=True)
    where = f"cut between planes {gaps.max():.2f} Å apart"
    where += (
        f", the wider of {gaps.max():.2f} and {', '.join(f'{g:.2f}' for g in others)} Å"
        if others
        else ""
    )
    return f"{where}; {count} planes, faces equal by {operation}"
