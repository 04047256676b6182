"""A small potential that is fitted to forces alone, to see what stresses and energies they mean.

Forces and stress are derivatives of one energy, so a potential that predicts the forces of
configurations that it has not seen also has their virial, but for terms that depend on volume
alone: deviatoric stresses are compared. It has their energies, but for a constant of each
composition and cell: differences at equal cells are compared. No relatives are needed: liquids will
do.

The potential is linear: a radial function for each pair of elements, and for each element the
square root and the square of a density and the squared lengths of the neighbours' first and second
moments, which bend bonds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration

Array = NDArray[np.float64]
Term = tuple[float, Array]
"""An energy, and its derivative by the vectors of bonds, (m, 3)."""
RADIAL = np.linspace(-2.0, 12.0, 6)
"""Steepness of the radial functions."""
DENSITIES = (2, 4)
"""Radial functions that densities and moments are made of."""
CUTOFF = 1.9
"""Nearest distances: two to three shells of neighbours."""
SYMMETRIC = 3e-3
"""Largest share of a pair's force that is left where symmetry lets forces vanish."""
RIDGE = 1e-4
MOST_ATOMS, MOST_CONFIGURATIONS = 1200, 24
FEWEST = 4
PREDICTED = 0.5
"""Share of the squared forces of a configuration that must be predicted without it."""
NO_UNIT = 10**7.5
"""No wrong unit changes labels by so much. Stresses that are so small are rounding errors, in cells
that were relaxed.
"""
FEWEST_STRESSES = 5
"""Configurations. In draws of ten from potentials of ten other materials, stresses that were
predicted for four were off by up to 0.9 decades, and for five by up to 0.5."""
CORRELATED = 0.6
"""Of five deviatoric components of each of at least FEWEST_STRESSES configurations."""
CORRELATED_ENERGIES = 0.95
"""Of at least four differences: numbers without relation reach it once in a hundred times."""


@dataclass(frozen=True)
class Geometry:
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
    def of(cls, c: Configuration, cutoff: float) -> Geometry:
        """By all pairs of atoms and images, which is quick for the few atoms that are looked at; c
        has three periods. In the lattice's shortest vectors: a skewed cell has images without
        end."""
        from ase.geometry import minkowski_reduce  # late: it is slow to import

        cell = np.asarray(minkowski_reduce(c.cell, pbc=True)[0], dtype=float)
        heights = 1 / np.sqrt((np.linalg.inv(cell) ** 2).sum(axis=0))
        reach = [range(-n, n + 1) for n in np.floor(cutoff / heights + 0.5).astype(int)]
        images = np.array(list(product(*reach)), dtype=float)
        scaled = np.linalg.solve(cell.T, c.positions.T).T
        apart = scaled[None, :, :] - scaled[:, None, :]
        apart -= np.round(apart)
        vectors = apart @ cell
        steps = images @ cell
        squared = (
            (vectors**2).sum(axis=2)[:, :, None] + 2 * vectors @ steps.T + (steps**2).sum(axis=1)
        )  # (n_atoms, n_atoms, images)
        i, j, k = np.nonzero((squared < cutoff**2) & (squared > 1e-6))
        bonds = vectors[i, j] + steps[k]
        distances = np.sqrt((bonds**2).sum(axis=1))
        return cls(i, j, distances, bonds / distances[:, None], len(c))

    def sums(self, of_pairs: Array) -> Array:
        """(n_atoms, k) of (m, k)."""
        columns = [np.bincount(self.i, x, self.n_atoms) for x in of_pairs.T]
        return np.stack(columns, axis=1)


def nearest_distance(c: Configuration) -> float:
    """Å, the median over atoms; infinite without neighbours within twice the mean spacing."""
    found = Geometry.of(c, 2.0 * (c.volume / len(c)) ** (1 / 3))
    nearest = np.full(len(c), np.inf)
    np.minimum.at(nearest, found.i, found.distances)
    return float(np.median(nearest))


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
    found = Geometry.of(c, cutoff)
    terms = _pair_terms(c, found, elements, cutoff) + _density_terms(c, found, elements, cutoff)
    energies, slopes = np.array([e for e, _ in terms]), np.array([w for _, w in terms])
    forces = np.stack(
        [
            [np.bincount(found.i, w, len(c)) - np.bincount(found.j, w, len(c)) for w in slope.T]
            for slope in slopes
        ]
    ).transpose(0, 2, 1)
    virials = np.einsum("mx,pmy->pxy", found.bonds * found.distances[:, None], slopes)
    virials = (virials + virials.transpose(0, 2, 1)) / 2
    return Terms(c, energies, forces, virials[:, [0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]] / c.volume)


def _pair_terms(
    c: Configuration, found: Geometry, elements: Sequence[str], cutoff: float
) -> list[Term]:
    values, slopes = radial(found.distances, cutoff)
    kinds = np.array([elements.index(s) for s in c.species])
    low, high = (
        np.minimum(kinds[found.i], kinds[found.j]),
        np.maximum(kinds[found.i], kinds[found.j]),
    )
    return [
        (0.5 * float(value @ at), 0.5 * (slope * at)[:, None] * found.bonds)
        for a in range(len(elements))
        for b in range(a, len(elements))
        for at in [(low == a) & (high == b)]
        for value, slope in zip(values, slopes, strict=True)
    ]


def _density_terms(
    c: Configuration, found: Geometry, elements: Sequence[str], cutoff: float
) -> list[Term]:
    values, slopes = (x / 8 for x in radial(found.distances, cutoff))
    kinds = np.array([elements.index(s) for s in c.species])
    bonds, n, i = found.bonds, found.n_atoms, found.i
    squares = bonds[:, :, None] * bonds[:, None, :] - np.eye(3) / 3
    terms: list[Term] = []
    for k in DENSITIES:
        value, slope = values[k], slopes[k][:, None]
        per_length = (value / found.distances)[:, None]
        density = np.maximum(found.sums(value[:, None])[:, 0], 1e-12)
        first = found.sums(value[:, None] * bonds)
        along = (first[i] * bonds).sum(axis=1)[:, None]
        second = found.sums((value[:, None, None] * squares).reshape(-1, 9)).reshape(n, 3, 3)
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


@dataclass(frozen=True)
class Ratios:
    """Labels divided by the values that the forces predict: near 1, or near another factor and
    sign. None where the forces predict nothing."""

    stress: float | None = None
    """Ratio of the stresses."""
    energy: float | None = None
    """Ratio of the energies."""


def compared_with_forces(configurations: Sequence[Configuration]) -> Ratios:
    """Nothing is said when there are too few, symmetry lets forces vanish, or the small potential
    cannot predict them.
    """
    chosen = _affordable(configurations)
    if len(chosen) < FEWEST:
        return Ratios()
    elements = sorted({s for c in chosen for s in c.species})
    cutoff = CUTOFF * float(np.median([nearest_distance(c) for c in chosen]))
    if not np.isfinite(cutoff):
        return Ratios()
    usable = [t for t in (terms_of(c, elements, cutoff) for c in chosen) if not t.symmetric]
    if len(usable) < FEWEST:
        return Ratios()
    known, together = _predicted(usable)
    return Ratios(_of_stresses(known), _of_energies([t for t, _ in known], together))


def _affordable(configurations: Sequence[Configuration]) -> list[Configuration]:
    fit = [
        c
        for c in configurations
        if all(c.pbc) and c.core is None and c.volume > 0 and 1 < len(c) <= MOST_ATOMS // FEWEST
        if c.label.forces is not None and np.any(c.label.forces)
    ]
    step = max(1.0, len(fit) / MOST_CONFIGURATIONS)
    chosen: list[Configuration] = []
    for c in (fit[int(k * step)] for k in range(min(len(fit), MOST_CONFIGURATIONS))):
        if sum(map(len, chosen)) + len(c) <= MOST_ATOMS:
            chosen.append(c)
    return chosen


def _predicted(usable: Sequence[Terms]) -> tuple[list[tuple[Terms, Array]], Array]:
    """Those whose forces are predicted by a fit to the others, with its coefficients; and those of
    a fit to all.
    """
    targets = [
        t.configuration.label.forces.ravel()
        for t in usable
        if t.configuration.label.forces is not None
    ]
    typical = float(np.median([np.sqrt(np.mean(t**2)) for t in targets]))
    scales = [1 / ((np.sqrt(np.mean(t**2)) + 0.3 * typical) * np.sqrt(len(t))) for t in targets]
    rows = [t.forces.reshape(len(t.forces), -1).T * s for t, s in zip(usable, scales, strict=True)]
    targets = [t * s for t, s in zip(targets, scales, strict=True)]
    gram = np.array([a.T @ a for a in rows])
    right = np.array([a.T @ t for a, t in zip(rows, targets, strict=True)])
    size = np.sqrt(np.maximum(np.diagonal(gram.sum(axis=0)), 1e-300))

    def fitted(gram: Array, right: Array) -> Array:
        ridged = gram / np.outer(size, size) + RIDGE * np.eye(len(size))
        return np.asarray(np.linalg.solve(ridged, right / size) / size)

    found = []
    for n, terms in enumerate(usable):
        coefficients = fitted(gram.sum(axis=0) - gram[n], right.sum(axis=0) - right[n])
        left = np.sum((targets[n] - rows[n] @ coefficients) ** 2)
        if left < (1 - PREDICTED) * np.sum(targets[n] ** 2):
            found.append((terms, coefficients))
    return found, fitted(gram.sum(axis=0), right.sum(axis=0))


def _of_stresses(known: Sequence[tuple[Terms, Array]]) -> float | None:
    """Of the deviatoric parts, all configurations counting alike."""
    pairs = [
        (t.configuration.label.stress, x @ t.stresses)
        for t, x in known
        if t.configuration.label.stress is not None
    ]
    if len(pairs) < FEWEST_STRESSES:
        return None
    given, said = (_deviatoric(np.array([pair[k] for pair in pairs])) for k in (0, 1))
    sizes = (given**2).sum(axis=1)
    weights = 1 / np.sqrt(sizes + 0.3 * np.median(sizes) + 1e-300)[:, None]
    return _ratio(given * weights, said * weights, CORRELATED)


def _of_energies(known: Sequence[Terms], coefficients: Array) -> float | None:
    """Of differences between configurations of one list of species and one cell."""
    alike: dict[tuple[tuple[str, ...], bytes], list[tuple[float, float]]] = defaultdict(list)
    for t in known:
        c = t.configuration
        if c.label.energy is not None:
            alike[c.species, np.round(c.cell, 3).tobytes()].append(
                (c.label.energy, float(coefficients @ t.energies))
            )
    centred = [np.array(e) - np.mean(e, axis=0) for e in alike.values()]
    if sum(len(e) - 1 for e in centred) < FEWEST:
        return None
    both = np.concatenate(centred)
    return _ratio(both[:, 0], both[:, 1], CORRELATED_ENERGIES)


def _ratio(given: Array, said: Array, correlated: float) -> float | None:
    norms = float(np.sqrt((given**2).sum())), float(np.sqrt((said**2).sum()))
    if (
        min(norms) == 0
        or abs(correlation := float((given * said).sum()) / (norms[0] * norms[1])) < correlated
    ):
        return None
    if not 1 / NO_UNIT < norms[0] / norms[1] < NO_UNIT:
        return None
    return float(np.sign(correlation)) * norms[0] / norms[1]


def _deviatoric(stresses: Array) -> Array:
    found = stresses.copy()
    found[:, :3] -= stresses[:, :3].mean(axis=1)[:, None]
    found[:, 3:] *= np.sqrt(2)
    return found
