"""Pairs of neighbouring atoms in a configuration with three periods."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Neighbours:
    """The pairs of atoms within the cutoff."""

    i: NDArray[np.int64]
    """(m,) numbers of the atoms."""
    j: NDArray[np.int64]
    """(m,) numbers of their neighbours."""
    distances: Array
    """(m,) Å."""
    bonds: Array
    """(m, 3) unit vectors from atom to neighbour."""
    n_atoms: int
    """Number of atoms."""

    @classmethod
    def of(cls, c: Configuration, cutoff: float) -> Neighbours:
        """The neighbours in a configuration with three periods, by all pairs of atoms and images,
        which is quick for few atoms. The images are those along the lattice's shortest vectors,
        since a skewed cell would need very many."""
        from ase.geometry import minkowski_reduce  # late: it is slow to import

        cell = np.asarray(minkowski_reduce(c.cell, pbc=True)[0], dtype=float)
        heights = 1 / np.sqrt((np.linalg.inv(cell) ** 2).sum(axis=0))
        reach = [range(-n, n + 1) for n in np.floor(cutoff / heights + 0.5).astype(int)]
        images = np.array(list(product(*reach)), dtype=float)
        scaled = np.linalg.solve(cell.T, c.positions.T).T
        separations = scaled[None, :, :] - scaled[:, None, :]
        separations -= np.round(separations)
        vectors = separations @ cell
        steps = images @ cell
        squared = (
            (vectors**2).sum(axis=2)[:, :, None] + 2 * vectors @ steps.T + (steps**2).sum(axis=1)
        )  # (n_atoms, n_atoms, images)
        i, j, k = np.nonzero((squared < cutoff**2) & (squared > 1e-6))
        bonds = vectors[i, j] + steps[k]
        distances = np.sqrt((bonds**2).sum(axis=1))
        return cls(i, j, distances, bonds / distances[:, None], len(c))

    def sums(self, of_pairs: Array) -> Array:
        """(n_atoms, k) sums over the pairs of each atom, of (m, k)."""
        columns = [np.bincount(self.i, x, self.n_atoms) for x in of_pairs.T]
        return np.stack(columns, axis=1)


def nearest_distance(c: Configuration) -> float:
    """Å, the median over atoms; infinite without neighbours within twice the mean spacing."""
    pairs = Neighbours.of(c, 2.0 * (c.volume / len(c)) ** (1 / 3))
    nearest = np.full(len(c), np.inf)
    np.minimum.at(nearest, pairs.i, pairs.distances)
    return float(np.median(nearest))
