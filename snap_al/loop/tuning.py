"""Which twojmax, cutoff, element radii and group weights suit the labels at hand, by errors on
labels that were left out or by evidence.

A candidate's score is the geometric mean over kinds of its left-out RMSE, unweighted: it has no
units, and does not change with the weights that are being tuned. With evidence it is exp(-evidence
per row). Lower is better.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from snap_al.data import LabelledConfiguration
from snap_al.data.configuration import Configuration
from snap_al.data.rows import KIND_NAMES, TO_USER_UNITS
from snap_al.descriptors import (
    Columns,
    ConfigurationRows,
    DescriptorEngine,
    DesignMatrix,
    ReferencePotential,
    Rows,
    RowSource,
    SnapSettings,
    distinct_names,
    row_source,
)
from snap_al.errors import InputError
from snap_al.inference import FitSettings, LeftOut, fit_blocks, left_out
from snap_al.loop.compositions import require_energies_met
from snap_al.loop.training import block_of
from snap_al.parallel import Communicator, on_root, sum_rows
from snap_al.progress import Report, silent
from snap_al.sessions import LammpsSettings

Array = NDArray[np.float64]
Measure = Literal["folds", "groups", "evidence"]
WORTH = 0.03
"""A candidate that costs more must be better than a cheaper one by this share of the score."""
ALIKE = 1.2
"""Costs that differ by no more are the same: one timing is no better."""
RADII = (0.85, 1.15)
"""Factors tried on the radius and the weight of each element but the first."""
GROUP_FACTORS = (0.3, 3.0)


@dataclass(frozen=True)
class Scored:
    """A candidate with its score."""

    settings: SnapSettings
    """Its descriptor."""
    score: float
    """Its score; lower is better."""
    rmse: dict[str, float]
    """RMSE of the labels that were left out, by kind: eV/atom, eV/Å and eV/Å³."""
    evidence: float
    """Logarithm of the evidence per row."""
    columns: int
    """Number of coefficients."""
    cost: float
    """µs per atom of one evaluation of the descriptor with its derivatives."""
    groups: dict[str, float] = field(default_factory=dict)
    """Factors on the weights of groups; 1 for a group that is not given."""
    changed: str = ""
    """What differs from the candidate that it was made from, in words."""


class Subset:
    """Rows for a smaller twojmax out of those for a larger one: components do not depend on how
    many others there are.
    """

    def __init__(self, source: RowSource, largest: SnapSettings, wanted: SnapSettings) -> None:
        self._source, self._columns = source, Columns.of(wanted)
        places = {name: k for k, name in enumerate(distinct_names(largest))}
        self._kept = np.array([places[name] for name in distinct_names(wanted)])

    @property
    def columns(self) -> Columns:
        return self._columns

    @property
    def elements(self) -> tuple[str, ...]:
        return self._source.elements

    def atom_rows(self, configuration: Configuration) -> Array:
        """As the source's."""
        return np.ascontiguousarray(self._source.atom_rows(configuration)[:, self._kept])

    def rows(self, configuration: Configuration) -> ConfigurationRows:
        """As the source's."""
        found = self._source.rows(configuration)
        return ConfigurationRows(
            np.ascontiguousarray(found.values[:, self._kept]), found.reference, found.vanishing
        )


@dataclass(frozen=True)
class Scoring:
    """How candidates are scored."""

    by: Measure = "folds"
    """Errors on folds that are left out, errors on groups that are left out, or the evidence."""
    n_folds: int = 10
    """Number of folds, by folds."""
    seed: int = 1
    """Seed of the division into folds."""


class Tuner:
    """Scores candidates on the labels at hand. Collective.

    items: labelled configurations; those that cannot be computed are left out. cache: folder in
    which descriptors are kept.
    """

    def __init__(
        self,
        items: Sequence[LabelledConfiguration],
        reference: ReferencePotential,
        lammps: LammpsSettings,
        cache: Path | None,
        comm: Communicator,
        scoring: Scoring | None = None,
        report: Report = silent,
    ) -> None:
        scoring = scoring or Scoring()
        self._items, self._reference = list(items), reference
        self._lammps, self._cache = lammps, cache
        self._comm, self._by, self._report = comm, scoring.by, report
        self.groups = sorted({item.group for item in items})
        names = [self.groups.index(item.group) for item in items]
        order = np.random.default_rng([scoring.seed, 9]).permutation(len(items))
        folds = np.empty(len(items), dtype=np.int64)
        folds[order] = np.arange(len(items)) % scoring.n_folds
        self._folds = np.array(names) if scoring.by == "groups" else folds
        self._costs: dict[str, float] = {}
        self.remarks: dict[str, None] = {}
        """What was left out, and why, in the order in which it was met."""

    def grid(
        self, base: SnapSettings, twojmax: Sequence[int], rcutfac: Sequence[float]
    ) -> list[Scored]:
        """Every pair of them; descriptors are computed once for each cutoff, with the largest
        twojmax.

        Raises InputError where no energy can be met, see FreeConstants.
        """
        found: list[Scored] = []
        for cutoff in rcutfac:
            largest = _with(base, rcutfac=cutoff, twojmax=max(twojmax))
            with DescriptorEngine(largest, self._reference, self._lammps) as engine:
                source = row_source(engine, self._cache, self._comm)
                for two in sorted(twojmax):
                    wanted = _with(base, rcutfac=cutoff, twojmax=two)
                    matrix = self._matrix(Subset(source, largest, wanted), wanted)
                    if cutoff == rcutfac[0] and wanted == largest:
                        self._require_energies_met(matrix)
                    found.append(
                        self._scored(wanted, matrix, {}, f"2J {two}, {wanted.max_cutoff:.3g} Å")
                    )
        return found

    def _require_energies_met(self, matrix: DesignMatrix) -> None:
        """By a fit of its own, since candidates are scored on folds alone."""
        if matrix.columns.has_constant:
            return
        slabs, constants = matrix.slabs(), matrix.columns.constants
        blocks, settings = [block_of(rows) for rows in slabs], FitSettings(posterior="bayes")
        posterior, _ = fit_blocks(
            blocks, settings, constants=constants, with_errors=False, comm=self._comm
        )
        require_energies_met(matrix, slabs, posterior, self._comm)

    def elements(self, best: Scored) -> list[Scored]:
        """Radius and weight of each element but the first, one after another, each time from the
        best so far.
        """
        found: list[Scored] = []
        settings = best.settings
        for k in range(1, len(settings.elements)):
            for name in ("radelem", "wj"):
                tried = []
                for factor in RADII:
                    values = list(getattr(settings, name))
                    values[k] = float(round(values[k] * factor, 6))
                    tried.append(
                        self._alone(
                            _with(settings, **{name: tuple(values)}),
                            f"{name} of {settings.elements[k]} {values[k]:g}",
                        )
                    )
                found += tried
                good = min(tried, key=lambda s: s.score)
                if good.score < (1.0 - WORTH) * best.score:
                    best, settings = good, good.settings
        return found

    def weights(self, best: Scored) -> list[Scored]:
        """Factors on the weights of whole groups, one after another, each time from the best so
        far. None by evidence, which is a density of weighted labels: other weights are other
        units."""
        if len(self.groups) < 2 or self._by == "evidence":
            return []
        found: list[Scored] = []
        with DescriptorEngine(best.settings, self._reference, self._lammps) as engine:
            matrix = self._matrix(row_source(engine, self._cache, self._comm), best.settings)
            for group in self.groups:
                factors = [
                    {**best.groups, group: best.groups.get(group, 1.0) * f} for f in GROUP_FACTORS
                ]
                tried = [
                    self._scored(
                        best.settings,
                        matrix,
                        f,
                        f"weights of {group or '(no group)'} × {f[group]:g}",
                    )
                    for f in factors
                ]
                found += tried
                good = min(tried, key=lambda s: s.score)
                if good.score < (1.0 - WORTH) * best.score:
                    best = good
        return found

    def _alone(self, settings: SnapSettings, what: str) -> Scored:
        with DescriptorEngine(settings, self._reference, self._lammps) as engine:
            return self._scored(
                settings,
                self._matrix(row_source(engine, self._cache, self._comm), settings),
                {},
                what,
            )

    def _matrix(self, source: RowSource, settings: SnapSettings) -> DesignMatrix:
        matrix = DesignMatrix(source, self._comm)
        what = f"2J {settings.largest_twojmax}, cutoff {settings.max_cutoff:.3g} Å"
        told = matrix.append(
            self._items, strict=False, report=lambda _, done, of: self._report(what, done, of)
        )
        self.remarks |= dict.fromkeys(told)
        return matrix

    def _scored(
        self, settings: SnapSettings, matrix: DesignMatrix, factors: dict[str, float], what: str
    ) -> Scored:
        by_group = np.array([factors.get(name, 1.0) for name in matrix.groups] or [1.0])
        slabs = [
            replace(rows, weights=rows.weights * by_group[rows.index["group"]])
            for rows in matrix.slabs()
        ]
        folds = [self._folds[rows.index["configuration"]] for rows in slabs]
        blocks, n_folds = [block_of(rows) for rows in slabs], int(self._folds.max()) + 1
        found = left_out(blocks, folds, n_folds, self._comm, matrix.columns.constants)
        rmse = _rmse(slabs, found, self._comm)
        score = (
            float(np.exp(-found.evidence))
            if self._by == "evidence"
            else float(np.exp(np.mean(np.log(list(rmse.values())))))
        )
        cost = self._cost(settings, [item.configuration for item in matrix.items.values()])
        return Scored(
            settings, score, rmse, found.evidence, matrix.columns.n_distinct, cost, factors, what
        )

    def _cost(self, settings: SnapSettings, usable: Sequence[Configuration]) -> float:
        """µs per atom: measured once for settings, on the largest configuration, on rank 0."""
        key = settings.model_dump_json()
        if key not in self._costs:
            largest = max(usable, key=len)
            self._costs[key] = on_root(
                self._comm, lambda: 1e6 * self._seconds(settings, largest) / len(largest)
            )
        return self._costs[key]

    def _seconds(self, settings: SnapSettings, configuration: Configuration) -> float:
        with DescriptorEngine(settings, self._reference, self._lammps) as engine:
            engine.rows(configuration)
            started = time.perf_counter()
            engine.rows(configuration)
            return time.perf_counter() - started


def _with(settings: SnapSettings, **changes: object) -> SnapSettings:
    """Raises InputError, on all ranks alike, for values that no descriptor can have."""
    try:
        return SnapSettings(**{**settings.model_dump(), **changes})
    except ValidationError as error:
        told = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        )
        raise InputError(f"a descriptor to try: {told}").on_all_ranks() from error


def _rmse(slabs: Sequence[Rows], found: LeftOut, comm: Communicator) -> dict[str, float]:
    """By kind that is fitted, in user units."""
    squares, counts = np.zeros(3), np.zeros(3)
    for rows, residuals in zip(slabs, found.residuals, strict=True):
        m = rows.mask
        error = residuals[m] / rows.weights[m]
        np.add.at(squares, rows.index["kind"][m], error**2)
        np.add.at(counts, rows.index["kind"][m], 1.0)
    squares, counts = sum_rows(comm, squares, counts)
    return {
        name: float(u * np.sqrt(s / n))
        for name, u, s, n in zip(KIND_NAMES, TO_USER_UNITS, squares, counts, strict=True)
        if n
    }


def cheapest_good(scored: Iterable[Scored]) -> Scored:
    """Of those whose score is within WORTH of the lowest, the best among the cheapest."""
    found = list(scored)
    lowest = min(s.score for s in found)
    good = [s for s in found if s.score <= (1.0 + WORTH) * lowest]
    least = min(s.cost for s in good)
    return min((s for s in good if s.cost <= ALIKE * least), key=lambda s: s.score)
