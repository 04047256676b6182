"""Scores of descriptors and weights, by errors on labels that were left out of the fit, or by the
evidence.

The score of a candidate is the geometric mean over kinds of its left-out RMSE, unweighted: it has
no units, and does not depend on the weights that are being tuned. With evidence it is exp(-evidence
per row). Lower is better.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from snap_al.data import LabelledConfiguration
from snap_al.data.configuration import Configuration
from snap_al.data.rows import KIND_NAMES, TO_USER_UNITS
from snap_al.descriptors import (
    DescriptorEngine,
    DesignMatrix,
    ReferencePotential,
    Rows,
    RowSource,
    SnapSettings,
    row_source,
)
from snap_al.inference import BayesSettings, Coefficients, LeftOut, fit_blocks, left_out
from snap_al.loop.compositions import require_energies_met
from snap_al.loop.training import block_of
from snap_al.parallel import Communicator, on_root, sum_rows
from snap_al.progress import Report, silent
from snap_al.sessions import LammpsSettings

Array = NDArray[np.float64]

Measure = Literal["folds", "groups", "evidence"]


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


@dataclass(frozen=True)
class Scoring:
    """How candidates are scored."""

    by: Measure = "folds"
    """Errors on folds that are left out, errors on groups that are left out, or the evidence."""
    n_folds: int = 10
    """Number of folds, by folds."""
    seed: int = 1
    """Seed of the division into folds."""


class Scorer:
    """Scores candidates on the labels at hand. Every method is collective.

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
        self._comm, self._report = comm, report
        self.by = scoring.by
        self.groups = sorted({item.group for item in items})
        names = [self.groups.index(item.group) for item in items]
        order = np.random.default_rng([scoring.seed, 9]).permutation(len(items))
        folds = np.empty(len(items), dtype=np.int64)
        folds[order] = np.arange(len(items)) % scoring.n_folds
        self._folds = np.array(names) if scoring.by == "groups" else folds
        self._costs: dict[str, float] = {}
        self.remarks: dict[str, None] = {}
        """What was left out, and why, in the order in which it was met."""

    @contextmanager
    def source(self, settings: SnapSettings) -> Iterator[RowSource]:
        """Rows for a descriptor, while its engine is open."""
        with DescriptorEngine(settings, self._reference, self._lammps) as engine:
            yield row_source(engine, self._cache, self._comm)

    def require_energies_met(self, matrix: DesignMatrix) -> None:
        """Raises InputError where no energy can be met, see FreeConstants. All rows are fitted for
        this, because candidates are scored on folds alone."""
        if matrix.columns.has_constant:
            return
        slabs, known = matrix.slabs(), Coefficients(constants=matrix.columns.constants)
        blocks, settings = [block_of(rows) for rows in slabs], BayesSettings(posterior="bayes")
        posterior, _ = fit_blocks(blocks, settings, known=known, with_errors=False, comm=self._comm)
        require_energies_met(matrix, slabs, posterior, self._comm)

    def alone(self, settings: SnapSettings, what: str) -> Scored:
        """The score of a descriptor with the weights as they are."""
        with self.source(settings) as source:
            return self.scored(settings, self.matrix(source, settings), {}, what)

    def matrix(self, source: RowSource, settings: SnapSettings) -> DesignMatrix:
        """The rows of all configurations."""
        matrix = DesignMatrix(source, self._comm)
        what = f"2J {settings.largest_twojmax}, cutoff {settings.max_cutoff:.3g} Å"
        left_out_items = matrix.append(
            self._items, strict=False, report=lambda _, done, of: self._report(what, done, of)
        )
        self.remarks |= dict.fromkeys(left_out_items)
        return matrix

    def scored(
        self, settings: SnapSettings, matrix: DesignMatrix, factors: dict[str, float], what: str
    ) -> Scored:
        """The score of a descriptor with its rows.

        factors: factors on the weights of groups. what: how the candidate differs, in words.
        """
        by_group = np.array([factors.get(name, 1.0) for name in matrix.groups] or [1.0])
        slabs = [
            replace(rows, weights=rows.weights * by_group[rows.index["group"]])
            for rows in matrix.slabs()
        ]
        folds = [self._folds[rows.index["configuration"]] for rows in slabs]
        blocks, n_folds = [block_of(rows) for rows in slabs], int(self._folds.max()) + 1
        predicted = left_out(blocks, folds, n_folds, self._comm, matrix.columns.constants)
        rmse = _rmse(slabs, predicted, self._comm)
        score = (
            float(np.exp(-predicted.evidence))
            if self.by == "evidence"
            else float(np.exp(np.mean(np.log(list(rmse.values())))))
        )
        cost = self._cost(settings, [item.configuration for item in matrix.items.values()])
        return Scored(
            settings,
            score,
            rmse,
            predicted.evidence,
            matrix.columns.n_distinct,
            cost,
            factors,
            what,
        )

    def _cost(self, settings: SnapSettings, usable: Sequence[Configuration]) -> float:
        """µs per atom. It is measured once for each descriptor, on the largest configuration, on
        rank 0."""
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


def _rmse(slabs: Sequence[Rows], predicted: LeftOut, comm: Communicator) -> dict[str, float]:
    """RMSE of each kind that is fitted, in user units."""
    squares, counts = np.zeros(3), np.zeros(3)
    for rows, residuals in zip(slabs, predicted.residuals, strict=True):
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
