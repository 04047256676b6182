"""Terms of a small linear potential: energies, forces and stresses per unit of each coefficient.

The terms are a radial function for each pair of elements, and for each element the square root and
the square of a density and the squared lengths of the neighbours' first and second moments, which
give forces on angles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration
from snap_al.data.neighbours import Neighbours

Array = NDArray[np.float64]
Term = tuple[float, Array]
"""An energy, and its derivative by the vectors of bonds, (m, 3)."""
RADIAL = np.linspace(-2.0, 12.0, 6)
"""Steepness of the radial functions."""
DENSITIES = (2, 4)
"""Numbers of the radial functions that densities and moments are made of."""
CUTOFF = 1.9
"""Cutoff in nearest distances; it includes two to three shells of neighbours."""
SYMMETRIC = 3e-3
"""Largest share of a pair's force that is left where symmetry lets forces vanish."""


def radial(distances: Array, cutoff: float, steepness: Array = RADIAL) -> tuple[Array, Array]:
    """Functions that end smoothly at the cutoff, and their derivatives, each (k, m)."""
    x = distances / cutoff
    ends, d_ends = (1 - x) ** 2, -2 * (1 - x) / cutoff
    falls = np.exp(-steepness[:, None] * (x - 1 / CUTOFF))
    return falls * ends, falls * (d_ends - steepness[:, None] / cutoff * ends)


@dataclass(frozen=True)
class Terms:
    """The p terms of the potential for one configuration, per unit of their coefficients."""

    configuration: Configuration
    """The configuration."""
    energies: Array
    """(p,) energies."""
    forces: Array
    """(p, n_atoms, 3) forces."""
    stresses: Array
    """(p, 6) stresses."""

    @property
    def symmetric(self) -> bool:
        """Whether symmetry lets all forces vanish."""
        c = self.configuration
        return bool(
            np.abs(self.forces).max() < SYMMETRIC * np.abs(self.stresses).max() * c.volume / len(c)
        )


def terms_of(c: Configuration, elements: Sequence[str], cutoff: float) -> Terms:
    pairs = Neighbours.of(c, cutoff)
    terms = _pair_terms(c, pairs, elements, cutoff) + _density_terms(c, pairs, elements, cutoff)
    energies, slopes = np.array([e for e, _ in terms]), np.array([w for _, w in terms])
    forces = np.stack(
        [
            [np.bincount(pairs.i, w, len(c)) - np.bincount(pairs.j, w, len(c)) for w in slope.T]
            for slope in slopes
        ]
    ).transpose(0, 2, 1)
    virials = np.einsum("mx,pmy->pxy", pairs.bonds * pairs.distances[:, None], slopes)
    virials = (virials + virials.transpose(0, 2, 1)) / 2
    return Terms(c, energies, forces, virials[:, [0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]] / c.volume)


def _pair_terms(
    c: Configuration, pairs: Neighbours, elements: Sequence[str], cutoff: float
) -> list[Term]:
    values, slopes = radial(pairs.distances, cutoff)
    kinds = np.array([elements.index(s) for s in c.species])
    low, high = (
        np.minimum(kinds[pairs.i], kinds[pairs.j]),
        np.maximum(kinds[pairs.i], kinds[pairs.j]),
    )
    return [
        (0.5 * float(value @ at), 0.5 * (slope * at)[:, None] * pairs.bonds)
        for a in range(len(elements))
        for b in range(a, len(elements))
        for at in [(low == a) & (high == b)]
        for value, slope in zip(values, slopes, strict=True)
    ]


def _density_terms(
    c: Configuration, pairs: Neighbours, elements: Sequence[str], cutoff: float
) -> list[Term]:
    values, slopes = (x / 8 for x in radial(pairs.distances, cutoff))
    kinds = np.array([elements.index(s) for s in c.species])
    bonds, n, i = pairs.bonds, pairs.n_atoms, pairs.i
    squares = bonds[:, :, None] * bonds[:, None, :] - np.eye(3) / 3
    terms: list[Term] = []
    for k in DENSITIES:
        value, slope = values[k], slopes[k][:, None]
        per_length = (value / pairs.distances)[:, None]
        density = np.maximum(pairs.sums(value[:, None])[:, 0], 1e-12)
        first = pairs.sums(value[:, None] * bonds)
        along = (first[i] * bonds).sum(axis=1)[:, None]
        second = pairs.sums((value[:, None, None] * squares).reshape(-1, 9)).reshape(n, 3, 3)
        turned = np.einsum("mxy,my->mx", second[i], bonds)
        along_second = (turned * bonds).sum(axis=1)[:, None]
        of_atoms = (
            (np.sqrt(density), (0.5 / np.sqrt(density[i]))[:, None] * slope * bonds),
            (density**2, 2 * density[i][:, None] * slope * bonds),
            (
                (first**2).sum(axis=1),
                2 * (slope * along * bonds + per_length * (first[i] - along * bonds)),
            ),
            (
                (second**2).sum(axis=(1, 2)),
                2
                * (slope * along_second * bonds + 2 * per_length * (turned - along_second * bonds)),
            ),
        )
        for element in range(len(elements)):
            at = kinds == element
            terms += [(float(energy @ at), bend * at[i][:, None]) for energy, bend in of_atoms]
    return terms
