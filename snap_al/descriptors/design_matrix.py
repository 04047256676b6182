"""The design matrix: rows of labelled configurations, spread over ranks, each with target, weight, mask and index.

A configuration's rows live on one rank, the one that computed them. Which one depends only on the configurations before
it, so a training set that grows keeps its rows where they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration
from snap_al.data.weights import Damping, Weights
from snap_al.descriptors.engine import ConfigurationRows, DescriptorEngine
from snap_al.errors import InputError
from snap_al.parallel import Communicator, collectively, sum_rows
from snap_al.units import ASE_STRESS_TO_ROWS

Array = NDArray[np.float64]
VANISHING = 1e-9
"""A row this small, next to others of its kind and with its columns on one scale, is zero by symmetry."""


class Kind(IntEnum):
    ENERGY = 0
    FORCE = 1
    STRESS = 2


INDEX_TYPE = np.dtype([("configuration", "i4"), ("kind", "i1"), ("atom", "i4"), ("component", "i1"), ("group", "i4")])
"""The row index. atom is -1 for energy and stress rows; component is 0-2 for forces, 0-5 (Voigt) for stress."""


@dataclass(frozen=True)
class LabelledConfiguration:
    """A configuration of the training set, with its weights, group, and damping (None: weights as they are)."""

    configuration: Configuration
    weights: Weights
    group: str = ""
    damping: Damping | None = None


@dataclass
class _Block:
    """One configuration's rows. Its weights are not among them: they depend on the rest of the training set."""

    rows: ConfigurationRows
    targets: Array
    index: NDArray[np.void]


class DesignMatrix:
    """Rows over the distinct columns, those of this rank's configurations.

    Every method but the properties is collective.
    """

    def __init__(self, engine: DescriptorEngine, comm: Communicator) -> None:
        self._engine = engine
        self._comm = comm
        self._blocks: dict[int, _Block] = {}
        self._load = np.zeros(comm.size)
        self.items: list[LabelledConfiguration] = []
        self.groups: list[str] = []

    @property
    def n_configurations(self) -> int:
        return len(self.items)

    def append(self, items: Sequence[LabelledConfiguration]) -> None:
        """Computes and keeps the rows of more configurations. Raises InputError on all ranks, and then keeps none."""
        mine: dict[int, _Block] = {}
        load = self._load.copy()
        first = len(self.items)
        groups = list(self.groups)
        with collectively(self._comm):
            for number, item in enumerate(items, first):
                owner = int(np.argmin(load))
                load[owner] += len(item.configuration)
                if item.group not in groups:
                    groups.append(item.group)
                if owner == self._comm.rank:
                    mine[number] = self._block(number, item, groups.index(item.group))
        self._blocks.update(mine)
        self._load, self.groups = load, groups
        self.items.extend(items)

    def _block(self, number: int, item: LabelledConfiguration, group: int) -> _Block:
        configuration = item.configuration
        rows = self._engine.rows(configuration)
        label, n = configuration.label, len(configuration)
        targets = np.full(len(rows.reference), np.nan)
        if label.energy is not None:
            targets[0] = label.energy / n
        if label.forces is not None:
            targets[1:-6] = label.forces.ravel()
        if label.stress is not None:
            targets[-6:] = label.stress * ASE_STRESS_TO_ROWS
        index = np.zeros(len(targets), INDEX_TYPE)
        index["configuration"], index["group"] = number, group
        index["kind"][0], index["kind"][1:-6], index["kind"][-6:] = Kind.ENERGY, Kind.FORCE, Kind.STRESS
        index["atom"] = -1
        index["atom"][1:-6] = np.repeat(np.arange(n), 3)
        index["component"][1:-6] = np.tile(np.arange(3), n)
        index["component"][-6:] = np.arange(6)
        return _Block(rows, targets - rows.reference, index)

    def local(self) -> Rows:
        """This rank's rows with the weights that the whole training set gives them."""
        lowest = self._lowest_energies()
        order = sorted(self._blocks)
        n_columns = self._engine.columns.n_distinct
        if not order:
            empty = np.zeros(0)
            return Rows(np.zeros((0, n_columns)), empty, empty, np.zeros(0, bool), np.zeros(0, INDEX_TYPE))
        values = np.vstack([self._blocks[k].rows.values for k in order])
        targets = np.concatenate([self._blocks[k].targets for k in order])
        weights = np.concatenate([self._weights(self.items[k], lowest) for k in order])
        index = np.concatenate([self._blocks[k].index for k in order])
        return Rows(values, targets, weights, np.isfinite(targets) & (weights > 0), index)

    def _lowest_energies(self) -> dict[tuple[tuple[str, int], ...], float]:
        """Lowest energy per atom of each composition; configurations of different composition cannot be compared."""
        lowest: dict[tuple[tuple[str, int], ...], float] = {}
        for item in self.items:
            c = item.configuration
            if c.label.energy is not None:
                composition = _composition(c)
                per_atom = c.label.energy / len(c)
                lowest[composition] = min(per_atom, lowest.get(composition, per_atom))
        return lowest

    def _weights(self, item: LabelledConfiguration, lowest: dict[tuple[tuple[str, int], ...], float]) -> Array:
        c, w = item.configuration, item.weights
        energy, forces, stress = w.energy, np.full(len(c), w.force), w.stress
        if item.damping is not None and c.label.energy is not None:
            factor = item.damping.of_energy(c.label.energy / len(c) - lowest[_composition(c)])
            energy, stress = energy * factor, stress * factor
        if item.damping is not None and c.label.forces is not None:
            forces = forces * item.damping.of_forces(c.label.forces)
        return np.concatenate([[energy], np.repeat(forces, 3), np.full(6, stress)])


@dataclass(frozen=True)
class Rows:
    """One rank's rows: values (m, n), targets (m,) with the reference potential taken off, weights (m,), mask (m,), index (m,).

    The mask is False for rows without a label or weight; their targets may be NaN.
    """

    values: Array
    targets: Array
    weights: Array
    mask: NDArray[np.bool_]
    index: NDArray[np.void]

    def used(self) -> Rows:
        """Only the rows that a fit sees."""
        m = self.mask
        return Rows(self.values[m], self.targets[m], self.weights[m], m[m], self.index[m])


def without_vanishing(rows: Rows, comm: Communicator) -> Rows:
    """Masks force and stress rows that are zero by symmetry: they fit exactly whatever the coefficients are, and would
    make a likelihood, or a coverage, look better than it is. Collective."""
    mask = rows.mask.copy()
    for kind in (Kind.FORCE, Kind.STRESS):
        here = mask & (rows.index["kind"] == kind)
        values = rows.values[here]
        squares, count = sum_rows(comm, np.sum(values**2, axis=0), float(len(values)))
        scale = np.sqrt(squares / max(float(count), 1.0))
        size = np.linalg.norm(values / np.where(scale > 0, scale, 1.0), axis=1)
        mask[here] = size > VANISHING * np.sqrt(values.shape[1])
    return Rows(rows.values, rows.targets, rows.weights, mask, rows.index)


def _composition(configuration: Configuration) -> tuple[tuple[str, int], ...]:
    symbols = configuration.species
    counts = {s: symbols.count(s) for s in sorted(set(symbols))}
    divisor = int(np.gcd.reduce(list(counts.values())))
    return tuple((s, n // divisor) for s, n in counts.items())


def require_rows(matrix: DesignMatrix) -> None:
    """Raises InputError when there is nothing to fit."""
    if not matrix.n_configurations:
        raise InputError(
            "there are no labelled configurations to fit; give `training` files, or `start` structures to label"
        ).on_all_ranks()
