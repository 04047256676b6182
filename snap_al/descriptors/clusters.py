"""A large cell, cut into clusters: some central atoms, and all that is within the cutoff of one of
them, periodic images as atoms of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from snap_al.sessions import Box

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Cluster:
    """Atoms without a cell; the first c of them are the central ones."""

    n_central: int
    """c, number of central atoms."""
    atoms: NDArray[np.int64]
    """(n,) the atom of the cell that each atom of the cluster is, or is an image of."""
    positions: Array
    """(n, 3) Å."""


def clusters_of(box: Box, cutoff: float, at_once: int) -> Iterator[Cluster]:
    """Clusters of up to `at_once` central atoms, of which each atom of the box is one once.

    cutoff: Å, within which atoms see each other. The time is in proportion to the number of atoms.
    """
    from scipy.spatial import cKDTree  # late: it is slow to import

    inverse = np.linalg.inv(box.lower)
    heights = 1.0 / np.linalg.norm(inverse, axis=0)
    fractional = box.positions @ inverse
    fractional -= np.where(box.pbc, np.floor(fractional), 0.0)
    everyone, atoms = _with_images(fractional, cutoff / heights, box.pbc)
    positions = everyone @ box.lower
    tree = cKDTree(positions)
    for central in _near_together(fractional, heights, box.volume, at_once):
        found = tree.query_ball_point(positions[central], cutoff, return_sorted=True)
        around = np.unique(np.concatenate([np.asarray(f, dtype=np.int64) for f in found]))
        members = np.concatenate([central, np.setdiff1d(around, central)])
        yield Cluster(len(central), atoms[members], positions[members])


def _with_images(
    fractional: Array, reach: Array, pbc: tuple[bool, bool, bool]
) -> tuple[Array, NDArray[np.int64]]:
    """Fractional coordinates of the atoms, in their order, then of images up to `reach` (3,)
    outside of the cell; and which atom each is."""
    furthest = [int(np.ceil(r)) if periodic else 0 for r, periodic in zip(reach, pbc, strict=True)]
    numbers = np.arange(len(fractional))
    found, atoms = [fractional], [numbers]
    for shift in product(*(range(-k, k + 1) for k in furthest)):
        moved = fractional + np.array(shift)
        near = ((moved >= -reach) & (moved <= 1.0 + reach) | ~np.array(pbc)).all(axis=1)
        if any(shift):
            found.append(moved[near])
            atoms.append(numbers[near])
    return np.concatenate(found), np.concatenate(atoms)


def _near_together(
    fractional: Array, heights: Array, volume: float, at_once: int
) -> Iterator[NDArray[np.int64]]:
    """Numbers of atoms by parts of the cell that have about `at_once` atoms each, and no more."""
    edge = (volume * at_once / len(fractional)) ** (1.0 / 3.0)
    parts = np.maximum(np.round(heights / edge), 1).astype(np.int64)
    where = np.clip(np.floor(fractional * parts), 0, parts - 1).astype(np.int64)
    numbers = np.ravel_multi_index(tuple(where.T), tuple(parts))
    order = np.argsort(numbers, kind="stable")
    for part in np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1):
        for start in range(0, len(part), at_once):
            yield part[start : start + at_once]
