"""Pairs of configurations that are one crystal, strained and displaced, and the work that their
labels say lies between them.

Along the straight path from one to the other (fractional coordinates move linearly, the cell by the
exponential of a constant strain) the energy changes by the work of stress and of forces. The labels
give that work per length of path at both ends. Its mean, the trapezoid rule, is exact for a
harmonic crystal; its change from one end to the other, the curvature, is positive where a crystal
is stable, and is the scale of the trapezoid rule's error.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration

Array = NDArray[np.float64]
LARGEST_STRAIN = 0.5
"""Largest logarithmic strain, along any direction."""
LARGEST_SHIFT = 0.4
"""Largest displacement of an atom relative to the others, in mean spacings. Atoms that move farther
have changed places."""
SMALLEST_DILATION = 0.15
"""Change of the logarithm of volume that outweighs the difference between two structures."""
WIDEST_GAP = 1.6
"""Between layers of atoms, in mean spacings; in crystals it is below 1."""
LARGEST_FORCE = 1.0
"""eV/Å, largest force in crystals, defects and surfaces near rest."""
MOST_OF_A_KIND = 24
"""Number of configurations with the same species that are compared with one another."""
MOST = 120
"""Number of all configurations that are compared, spread evenly over the set."""


@dataclass(frozen=True)
class Relation:
    """What the labels say about the path from one configuration to another."""

    n_atoms: int
    """Number of atoms; 1 where energies and works are per atom."""
    energy: float
    """eV, the difference; NaN when it is not known."""
    stress_work: tuple[float, float]
    """(2,) eV, work of the stress per length of path at the two ends; zero where nothing is
    strained."""
    force_work: tuple[float, float]
    """(2,) eV, work of the forces per length of path at the two ends; zero where nothing is
    displaced."""
    volume: float
    """Å³, the mean of the two."""
    strain: float
    """Length of the logarithmic strain."""
    dilation: float
    """Trace of the strain."""
    shift: float
    """Largest displacement, in mean spacings."""
    pressure: float
    """eV/Å³, the larger absolute mean normal stress of the two."""
    alike: bool = True
    """False for configurations of which only composition and volume are compared; energies and
    works are then per atom."""

    @property
    def stiffness(self) -> float:
        """eV per atom: a bulk modulus times a volume, where the cell does little but dilate."""
        return (self.stress_work[1] - self.stress_work[0]) / (self.n_atoms * self.dilation**2)

    @property
    def is_dilation(self) -> bool:
        """Whether most of the strain is a change of volume."""
        return self.dilation**2 > 2 * self.strain**2

    @property
    def distance(self) -> float:
        return float(np.hypot(self.strain, self.shift)) + (0.0 if self.alike else 10.0)


def relations(configurations: Sequence[Configuration]) -> list[Relation]:
    """The shortest relations that connect all configurations that can be compared. They form no
    closed loops, so that each adds information. The cost is bounded, see MOST."""
    kinds: dict[tuple[str, ...], list[Configuration]] = defaultdict(list)
    for c in _evenly(configurations, MOST):
        if _can_be_compared(c):
            kinds[c.species].append(c)
    numbered = [c for alike in kinds.values() for c in _evenly(alike, MOST_OF_A_KIND)]
    edges = [
        (relation, a, b)
        for a, first in enumerate(numbered)
        for b, second in enumerate(numbered[:a])
        if (relation := _between(second, first)) is not None
    ]
    return _shortest_tree(edges, len(numbered))


def _evenly(given: Sequence[Configuration], most: int) -> list[Configuration]:
    step = max(1.0, len(given) / most)
    return [given[int(k * step)] for k in range(min(len(given), most))]


def _can_be_compared(c: Configuration) -> bool:
    return all(c.pbc) and c.core is None and c.volume > 0


def _shortest_tree(edges: Iterable[tuple[Relation, int, int]], n: int) -> list[Relation]:
    root = list(range(n))

    def find(k: int) -> int:
        while root[k] != k:
            k = root[k]
        return k

    tree = []
    for relation, a, b in sorted(edges, key=lambda edge: edge[0].distance):
        if (one := find(a)) != (other := find(b)):
            root[one] = other
            tree.append(relation)
    return tree


def _between(a: Configuration, b: Configuration) -> Relation | None:
    if a.species == b.species and (path := strained_and_displaced(a, b)) is not None:
        return path
    return _compressed(a, b)


def strained_and_displaced(a: Configuration, b: Configuration) -> Relation | None:
    """The relation from a to b; None when they are not one crystal, or when a label is missing.
    Atoms are matched by their order. A rotation of the cell is removed."""
    gradient = np.linalg.solve(a.cell, b.cell)
    left, stretches, right = np.linalg.svd(gradient)
    if np.linalg.det(gradient) <= 0 or np.abs(np.log(stretches)).max() > LARGEST_STRAIN:
        return None
    rotation, strain = left @ right, (left * np.log(stretches)) @ left.T
    moved = np.linalg.solve(b.cell.T, b.positions.T).T - np.linalg.solve(a.cell.T, a.positions.T).T
    moved -= np.round(moved)
    moved -= np.median(moved, axis=0)
    moved -= np.round(moved)
    moved -= moved.mean(axis=0)
    in_a, in_b = moved @ a.cell, moved @ b.cell
    spacing = (min(a.volume, b.volume) / len(a)) ** (1 / 3)
    shift = float(np.sqrt((in_a**2).sum(axis=1)).max()) / spacing
    length = float(np.sqrt((strain**2).sum()))
    needs_stress, needs_forces = length > 1e-6, shift > 1e-6
    if (
        shift > LARGEST_SHIFT
        or (needs_stress and _missing("stress", a, b))
        or (needs_forces and _missing("forces", a, b))
    ):
        return None
    if not (needs_stress or needs_forces):
        return None
    by_stress = by_force = (0.0, 0.0)
    pressure = 0.0
    if needs_stress:
        first, second = _tensor(a), rotation @ _tensor(b) @ rotation.T
        by_stress = (
            a.volume * float((first * strain).sum()),
            b.volume * float((second * strain).sum()),
        )
        pressure = max(abs(float(np.trace(s))) / 3 for s in (first, second))
    if needs_forces:
        by_force = (-_work(a, in_a), -_work(b, in_b))
    return Relation(
        len(a),
        _difference(a, b),
        by_stress,
        by_force,
        (a.volume + b.volume) / 2,
        length if needs_stress else 0.0,
        float(np.trace(strain)),
        shift if needs_forces else 0.0,
        pressure,
    )


def _compressed(a: Configuration, b: Configuration) -> Relation | None:
    """Of two structures of one composition, only what differs by volume; None for less than
    SMALLEST_DILATION, or where large forces say that a structure is far from any crystal."""
    if (
        _missing("stress", a, b)
        or _fractions(a) != _fractions(b)
        or not (_near_rest(a) and _near_rest(b))
    ):
        return None
    volumes = a.volume / len(a), b.volume / len(b)
    dilation = float(np.log(volumes[1] / volumes[0]))
    if not SMALLEST_DILATION < abs(dilation) < 3 * LARGEST_STRAIN:
        return None
    means = [float(np.trace(_tensor(c))) / 3 for c in (a, b)]
    works = (volumes[0] * means[0] * dilation, volumes[1] * means[1] * dilation)
    return Relation(
        1,
        _difference(a, b, per_atom=True),
        works,
        (0.0, 0.0),
        sum(volumes) / 2,
        abs(dilation) / np.sqrt(3),
        dilation,
        0.0,
        max(map(abs, means)),
        alike=False,
    )


def _near_rest(c: Configuration) -> bool:
    known = c.label.forces is not None and float(np.abs(c.label.forces).max()) < LARGEST_FORCE
    return known and not _has_empty_layer(c)


def _has_empty_layer(c: Configuration) -> bool:
    """Whether there is a layer without atoms, as at a surface. Its volume belongs to no stress."""
    heights = 1 / np.sqrt((np.linalg.inv(c.cell) ** 2).sum(axis=0))
    scaled = np.sort(np.linalg.solve(c.cell.T, c.positions.T).T % 1.0, axis=0)
    gaps = np.diff(np.vstack([scaled, scaled[:1] + 1.0]), axis=0).max(axis=0)
    return bool(np.any(gaps * heights > WIDEST_GAP * (c.volume / len(c)) ** (1 / 3)))


def _missing(kind: str, *configurations: Configuration) -> bool:
    return any(getattr(c.label, kind) is None for c in configurations)


def _difference(a: Configuration, b: Configuration, *, per_atom: bool = False) -> float:
    if a.label.energy is None or b.label.energy is None:
        return float("nan")
    sizes = (len(a), len(b)) if per_atom else (1, 1)
    return b.label.energy / sizes[1] - a.label.energy / sizes[0]


def _fractions(c: Configuration) -> dict[str, float]:
    return {s: c.species.count(s) / len(c) for s in set(c.species)}


def _tensor(c: Configuration) -> Array:
    assert c.label.stress is not None
    xx, yy, zz, yz, xz, xy = c.label.stress
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


def _work(c: Configuration, moved: Array) -> float:
    """eV, work of the forces along displacements in the same axes."""
    assert c.label.forces is not None
    return float((c.label.forces * moved).sum())
