"""The design matrix: rows of labelled configurations, spread over ranks, each with target, weight,
mask and index.

A configuration's rows live on one rank, the one that computed them. Which one depends only on the
configurations before it, so a training set that grows keeps its rows where they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration
from snap_al.data.labelled import LabelledConfiguration, Weighting
from snap_al.data.rows import ENERGY, FORCES, STRESS, kinds_of
from snap_al.descriptors.columns import Columns
from snap_al.descriptors.configuration_rows import ConfigurationRows
from snap_al.descriptors.row_source import RowSource
from snap_al.descriptors.rows import INDEX_TYPE, Rows
from snap_al.descriptors.slabs import Slabs
from snap_al.errors import InputError, SnapALError
from snap_al.parallel import Communicator, collectively
from snap_al.progress import Report, silent
from snap_al.units import ASE_STRESS_TO_ROWS

Array = NDArray[np.float64]


@dataclass
class _Entry:
    """Where one configuration's rows are, and what belongs to them. Weights are not among it: they
    depend on the rest of the training set."""

    slab: int
    """Number of the slab that has its rows."""
    where: slice
    """Places of its rows in the slab."""
    reference: Array
    """(m,) what the reference potential gives."""
    targets: Array
    """(m,) labels without that; NaN where there is none."""
    vanishing: NDArray[np.bool_]
    """(m,) rows that are zero by symmetry."""
    index: NDArray[np.void]
    """(m,) row index."""


class DesignMatrix:
    """Rows over the distinct columns, those of this rank's configurations.

    items: the configurations, by their number in the row index. folder: see Slabs. `append` is
    collective.
    """

    def __init__(self, source: RowSource, comm: Communicator, folder: Path | None = None) -> None:
        self._source = source
        self._comm = comm
        self.folder = folder
        self._slabs = Slabs(source.columns.n_distinct, folder)
        self._entries: dict[int, _Entry] = {}
        self._load = np.zeros(comm.size)
        self._next = 0
        self._seen: dict[str, int] = {}
        self._weighting = Weighting()
        self._fractions: dict[int, list[float]] = {}
        self.items: dict[int, LabelledConfiguration] = {}
        self.groups: list[str] = []

    @property
    def columns(self) -> Columns:
        return self._source.columns

    def append(
        self,
        items: Sequence[LabelledConfiguration],
        *,
        strict: bool = True,
        report: Report = silent,
    ) -> list[str]:
        """Computes and keeps the rows of more configurations.

        A configuration that cannot be computed raises InputError on all ranks, or, if not strict,
        is left out. Returns remarks: what was left out and why, and which configurations have no
        neighbours.
        """
        before = self._slabs.filled, self._load.copy(), list(self.groups)
        try:
            problems, remarks = self._compute(items, strict, report)
        except SnapALError:
            self._entries = {n: e for n, e in self._entries.items() if n < self._next}
            self._seen = {key: n for key, n in self._seen.items() if n < self._next}
            self._slabs.shrink(before[0])
            self._load, self.groups = before[1:]
            raise
        everyone = self._comm.allgather((problems, remarks))
        left_out = {n: text for part, _ in everyone for n, text in part.items()}
        noted = left_out | {n: text for _, part in everyone for n, text in part.items()}
        for number, item in enumerate(items, self._next):
            if number not in left_out:
                self.items[number] = item
                self._weighting.include(item)
        self._next += len(items)
        return [noted[n] for n in sorted(noted)]

    def _compute(
        self, items: Sequence[LabelledConfiguration], strict: bool, report: Report
    ) -> tuple[dict[int, str], dict[int, str]]:
        """This rank's share of them into the slabs. Returns what could not be computed, if not
        strict, and remarks.
        """
        problems: dict[int, str] = {}
        remarks: dict[int, str] = {}
        with collectively(self._comm):
            for number, item in enumerate(items, self._next):
                owner = int(np.argmin(self._load))
                self._load[owner] += len(item.configuration)
                if item.group not in self.groups:
                    self.groups.append(item.group)
                if owner != self._comm.rank:
                    continue
                if self._comm.rank == 0:
                    report("descriptors", number - self._next, len(items))
                try:
                    self._entries[number] = self._entry(number, item)
                except InputError as error:
                    if strict:
                        raise
                    problems[number] = f"left out: {error}{_of_group(item)}"
                    continue
                entry = self._entries[number]
                if not self._slabs[entry.slab][entry.where][STRESS].any():
                    name = item.configuration.name or "configuration"
                    remarks[number] = (
                        f"{name}{_of_group(item)}: no atom has a neighbour within the cutoff"
                    )
        return problems, remarks

    def _entry(self, number: int, item: LabelledConfiguration) -> _Entry:
        configuration = item.configuration
        rows = self._known(configuration) or self._source.rows(configuration)
        self._seen[configuration.key] = number
        label, n = configuration.label, len(configuration)
        targets = np.full(len(rows.reference), np.nan)
        if label.energy is not None:
            targets[ENERGY] = label.energy / n
        if label.forces is not None:
            targets[FORCES] = label.forces.ravel()
        if label.stress is not None:
            targets[STRESS] = label.stress * ASE_STRESS_TO_ROWS
        index = np.zeros(len(targets), INDEX_TYPE)
        index["configuration"], index["group"] = number, self.groups.index(item.group)
        index["kind"] = kinds_of(n)
        index["core"] = True
        if configuration.core is not None:
            index["core"][FORCES] = np.repeat(configuration.core, 3)
        index["atom"] = -1
        index["atom"][FORCES] = np.repeat(np.arange(n), 3)
        index["component"][FORCES] = np.tile(np.arange(3), n)
        index["component"][STRESS] = np.arange(6)
        slab, where = self._slabs.add(rows.values)
        return _Entry(slab, where, rows.reference, targets - rows.reference, rows.vanishing, index)

    def _known(self, configuration: Configuration) -> ConfigurationRows | None:
        """Rows of the same structure in another group, or with another label, on this rank."""
        entry = self._entries.get(self._seen.get(configuration.key, -1))
        if entry is None:
            return None
        return ConfigurationRows(
            self._slabs[entry.slab][entry.where], entry.reference, entry.vanishing
        )

    @property
    def elements(self) -> tuple[str, ...]:
        return self._source.elements

    def fractions(self, numbers: Sequence[int] | NDArray[np.int32]) -> Array:
        """(k, n_elements) the share of each element among the atoms of configurations."""
        for number in map(int, numbers):
            if number not in self._fractions:
                species = self.items[number].configuration.species
                self._fractions[number] = [species.count(e) / len(species) for e in self.elements]
        found = [self._fractions[int(number)] for number in numbers]
        return np.array(found, dtype=float).reshape(len(found), len(self.elements))

    @property
    def own(self) -> list[int]:
        """Numbers of this rank's configurations."""
        return sorted(self._entries)

    def slabs(self) -> list[Rows]:
        """This rank's rows with the weights that the whole training set gives them; values are
        views of what is kept.

        Rows of a configuration stand together, in the order of their numbers. At least one, perhaps
        without rows.
        """
        found = [
            self._together(
                [n for n, e in self._entries.items() if e.slab == slab], self._slabs[slab]
            )
            for slab in range(len(self._slabs.filled))
        ]
        return found or [self._together([], np.zeros((0, self.columns.n_distinct)))]

    def rows_of(self, number: int) -> Rows:
        """Those of one of this rank's configurations."""
        entry = self._entries[number]
        return self._together([number], self._slabs[entry.slab][entry.where])

    def _together(self, numbers: list[int], values: Array) -> Rows:
        entries = [self._entries[n] for n in numbers]
        nothing = np.zeros(0)
        targets = np.concatenate([nothing, *(e.targets for e in entries)])
        weights = np.concatenate([nothing, *(self._weighting.of(self.items[n]) for n in numbers)])
        damping = np.concatenate(
            [nothing, *(self._weighting.damping_of(self.items[n]) for n in numbers)]
        )
        vanishing = np.concatenate([nothing.astype(bool), *(e.vanishing for e in entries)])
        index = np.concatenate([np.zeros(0, INDEX_TYPE), *(e.index for e in entries)])
        return Rows(
            values,
            targets,
            weights,
            np.isfinite(targets) & (weights > 0),
            vanishing,
            index,
            damping,
        )

    def weights_stayed(self, numbers: Iterable[int]) -> bool:
        """Whether these configurations have the weights that they had before the others came."""
        return self._weighting.agrees_with(Weighting(self.items[n] for n in numbers))


def require_rows(matrix: DesignMatrix) -> None:
    """Raises InputError when there is nothing to fit."""
    if not matrix.items:
        raise InputError(
            "there are no labelled configurations to fit; give `training` files, or `start` "
            "structures to label"
        ).on_all_ranks()


def _of_group(item: LabelledConfiguration) -> str:
    return (
        f" (group {item.group})"
        if item.group and f"group {item.group}" not in item.configuration.name
        else ""
    )
