"""Configurations of a training set, and the row weights that the whole set gives each of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration
from snap_al.data.rows import FORCES, by_kind
from snap_al.data.weights import Damping, Weights

Array = NDArray[np.float64]
Composition = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class LabelledConfiguration:
    """A configuration of the training set."""

    configuration: Configuration
    """The structure with its label."""
    weights: Weights
    """Weights of its rows."""
    group: str = ""
    """Name of its group."""
    damping: Damping | None = None
    """How its weights are reduced far outside the range of use; None leaves them as they are."""
    source: str = ""
    """The file that it was read from."""
    entry: str = ""
    """The config's entry that named that file, such as training.0; "" where none did."""


class Weighting:
    """Row weights, damped by how far a label is above the lowest energy of its composition; other
    compositions cannot be compared."""

    def __init__(self, items: Iterable[LabelledConfiguration] = ()) -> None:
        self._lowest: dict[Composition, float] = {}
        for item in items:
            self.include(item)

    def include(self, item: LabelledConfiguration) -> None:
        """Takes an energy per atom into account."""
        c = item.configuration
        if c.label.energy is not None:
            composition, per_atom = _composition(c), c.label.energy / len(c)
            self._lowest[composition] = min(per_atom, self._lowest.get(composition, per_atom))

    def agrees_with(self, earlier: Weighting) -> bool:
        """Whether the weights for what `earlier` had included are still the same."""
        return all(
            self._lowest[composition] == energy for composition, energy in earlier._lowest.items()
        )

    def of(self, item: LabelledConfiguration) -> Array:
        """(1 + 3 n_atoms + 6,) weights of the rows: energy, forces, stress. Forces outside a core
        have weight 0."""
        w, n, core = item.weights, len(item.configuration), item.configuration.core
        weights = by_kind((w.energy, w.force, w.stress), n)
        if core is not None:
            weights[FORCES] *= np.repeat(core, 3)
        return weights * self.damping_of(item)

    def damping_of(self, item: LabelledConfiguration) -> Array:
        """(1 + 3 n_atoms + 6,) factors of the damping on each row's weight, between 0 and 1."""
        c, energy, forces = item.configuration, 1.0, np.ones(len(item.configuration))
        if item.damping is not None and c.label.energy is not None:
            energy = item.damping.of_energy(c.label.energy / len(c) - self._lowest[_composition(c)])
        if item.damping is not None and c.label.forces is not None:
            forces = item.damping.of_forces(c.label.forces)
        return np.concatenate([[energy], np.repeat(forces, 3), np.full(6, energy)])


def _composition(configuration: Configuration) -> Composition:
    symbols = configuration.species
    counts = {s: symbols.count(s) for s in sorted(set(symbols))}
    divisor = int(np.gcd.reduce(list(counts.values())))
    return tuple((s, n // divisor) for s, n in counts.items())
