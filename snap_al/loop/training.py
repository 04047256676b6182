"""The training set of a run, its design matrix, and the fit of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snap_al.data import LabelledConfiguration
from snap_al.data.configuration import Configuration, Label, shifted
from snap_al.data.weights import Damping
from snap_al.descriptors import DesignMatrix, Rows, RowSource
from snap_al.descriptors.design_matrix import require_rows
from snap_al.inference import (
    Block,
    Coefficients,
    FitSettings,
    ModelErrorSettings,
    Posterior,
    can_refit,
    fit_blocks,
    growth_before_fit,
    refit,
    square_root,
    triangle_of,
)
from snap_al.loop.compositions import FreeConstants, atom_reference, require_energies_met
from snap_al.loop.evaluation import predicted, row_errors
from snap_al.loop.settings import RunConfig
from snap_al.parallel import Communicator, collectively, combined_triangle, sum_rows
from snap_al.progress import Report, silent
from snap_al.query import left_out_force_stds
from snap_al.uncertainty import Evaluated

Array = NDArray[np.float64]
AUTOMATIC_QUANTILE = 0.95
MOST_LOOKED_AT = 100
"""Number of configurations whose atoms give the usual std."""
SET_ASIDE = 0.5
"""Training configurations whose force weights are damped below this on average are not used to
measure novelty."""


@dataclass(frozen=True)
class Limits:
    """Limits on the largest force std of a frame."""

    tolerance: float
    """eV/Å, that the user accepts."""
    novelty: float
    """eV/Å, above which a frame is novel."""


class TrainingSet:
    """Grows by labels. The triangular factor of the fitted rows is kept. Every method is
    collective."""

    def __init__(
        self,
        config: RunConfig,
        source: RowSource,
        comm: Communicator,
        prior_mean: Array | None = None,
        folder: Path | None = None,
    ) -> None:
        """folder: where the design matrix is kept in files; in memory when not given."""
        self._config = config
        self._fit = with_column_numbers(config)
        self._comm = comm
        self._prior_mean = prior_mean
        self.matrix = DesignMatrix(source, comm, folder)
        self._source = source
        self._atoms: dict[int, tuple[Array, NDArray[np.int64]]] = {}
        """Rows and elements of the atoms of this rank's configurations whose stds were computed
        last."""
        self._triangle: Array | None = None
        self._factored: dict[int, bytes] = {}
        """The weights with which configurations are in the triangle."""

    def add(
        self,
        given: Sequence[LabelledConfiguration],
        *,
        strict: bool = True,
        report: Report = silent,
    ) -> list[str]:
        """Adds configurations, see DesignMatrix.append."""
        return self.matrix.append(given, strict=strict, report=report)

    def add_label(self, configuration: Configuration, label: Label, group: str) -> None:
        settings, carve = self._config.label, self._config.carve
        if configuration.core is not None and not (carve and carve.energy):
            label = Label(None, label.forces, None)
        label = shifted(label, configuration.species, self._config.eshift)
        item = LabelledConfiguration(
            configuration.labelled(label), settings.weights, group, settings.damping
        )
        self.matrix.append([item])

    def fit(self, previous: Posterior | None = None, fitted: int = 0) -> Posterior:
        """previous: the last fit, of the first `fitted` configurations. While the rows grow little
        its model error and noise are kept, and the fit costs no more than the new ones; else that
        model error is where the search begins."""
        require_rows(self.matrix)
        slabs, settings, comm = self.matrix.slabs(), self._fit, self._comm
        triangle = self._updated_triangle()
        known = Coefficients(self._prior_mean, self.matrix.columns.constants)
        (by_kind,) = sum_rows(comm, sum(rows_by_kind(rows) for rows in slabs))
        before = dict.fromkeys(sorted(self.matrix.items)[:fitted])
        if (
            previous is None
            or by_kind.sum() > previous.embedded_rows * (1.0 + growth_before_fit(settings))
            or (by_kind[previous.noise_by_kind == 0] > 0).any()
            or not can_refit(settings)
            or not self.matrix.weights_stayed(before)
        ):
            posterior, _ = fit_blocks(
                [block_of(rows) for rows in slabs],
                settings,
                known=known,
                triangle=triangle,
                previous=previous,
                with_errors=False,
                comm=comm,
            )
        else:
            added = [block_of(self.matrix.rows_of(n)) for n in self.matrix.own if n not in before]
            posterior = refit(
                previous,
                combined_triangle(comm, triangle),
                int(by_kind.sum()),
                added or [block_of(slabs[0], slice(0, 0))],
                settings,
                known=known,
                comm=comm,
            )
        require_energies_met(self.matrix, slabs, posterior, comm)
        last = sorted(self.matrix.items)[-MOST_LOOKED_AT:]
        return self._with_atoms(posterior, atom_reference(self.matrix, slabs, comm), last)

    def fit_once(self) -> tuple[Posterior, Evaluated]:
        """Fits in the place of the design matrix, which is lost: no second copy is made. Returns
        predictions of all labelled rows, those that vanish by symmetry among them, on every
        rank."""
        require_rows(self.matrix)
        slabs = self.matrix.slabs()
        reference = atom_reference(self.matrix, slabs, self._comm)
        free = None
        if not self.matrix.columns.has_constant:
            free = FreeConstants.of(self.matrix, slabs, self._comm)
        blocks = []
        for rows in slabs:
            weights = np.where(rows.labelled, rows.weights, 0.0)
            rows.values[:] *= weights[:, None]
            targets = np.where(rows.labelled, rows.targets * rows.weights, 0.0)
            kinds, units = rows.index["kind"], rows.index["configuration"]
            blocks.append(
                Block(rows.values, targets, rows.mask, kinds, units, rows.damping, weights)
            )
        posterior, errors = fit_blocks(
            blocks,
            self._fit,
            known=Coefficients(
                self._prior_mean,
                self.matrix.columns.constants,
                self._config.made_model().column_names(),
            ),
            comm=self._comm,
        )
        everyone = sorted(self.matrix.items)
        some = everyone[:: -(-len(everyone) // MOST_LOOKED_AT)]
        posterior = self._with_atoms(posterior, reference, some)
        if free is not None:
            residuals = [
                np.divide(
                    error.residuals, rows.weights, out=np.zeros(len(rows.weights)), where=rows.mask
                )
                for error, rows in zip(errors, slabs, strict=True)
            ]
            free.require_energies_met(self.matrix, slabs, residuals, posterior, self._comm)
        return posterior, row_errors(slabs, errors, posterior, self._comm)

    def _with_atoms(
        self, posterior: Posterior, reference: Array, numbers: Sequence[int]
    ) -> Posterior:
        """The posterior with what stds of single atoms need, and the largest of these stds in the
        given configurations. Collective."""
        posterior = replace(posterior, atom_reference=reference)
        own, root = set(self.matrix.own), square_root(posterior.covariance)
        looked_at = [n for n in numbers if n in own]
        largest = 0.0
        with collectively(self._comm):
            for n in looked_at:
                configuration = self.matrix.items[n].configuration
                if n not in self._atoms:
                    elements = [self.matrix.elements.index(s) for s in configuration.species]
                    self._atoms[n] = self._source.atom_rows(configuration), np.array(elements)
                stds = posterior.atom_energy_std(*self._atoms[n], root)
                stds = stds if configuration.core is None else stds[configuration.core]
                largest = max(largest, float(stds.max(initial=0.0)))
        self._atoms = {n: self._atoms[n] for n in looked_at}
        return replace(posterior, atom_std=max(self._comm.allgather(largest)))

    def _updated_triangle(self) -> Array:
        """This rank's, brought up to date configuration by configuration, so that its bits do not
        depend on when. Begun anew when weights have changed, as a new lowest energy makes them."""
        local = {n: self.matrix.rows_of(n) for n in self.matrix.own}
        if self._triangle is None or any(
            local[n].weights.tobytes() != w for n, w in self._factored.items()
        ):
            self._factored = {}
            self._triangle = np.zeros((self.matrix.columns.n_distinct + 1,) * 2)
        for n, rows in local.items():
            if n not in self._factored:
                self._triangle = triangle_of([block_of(rows)], self._triangle)
                self._factored[n] = rows.weights.tobytes()
        return self._triangle

    def evaluate(self, posterior: Posterior) -> Evaluated:
        return predicted(self.matrix.slabs(), posterior, self._comm)

    def limits(self, posterior: Posterior, beyond_use: float) -> Limits:
        """From the left-out force stds of configurations in the range of use.

        beyond_use: eV/Å; a left-out std above it says that nothing else is like that configuration,
        and no more. With none left novelty is 0: tolerance and gain alone decide.
        """
        stds = left_out_force_stds(posterior, self.matrix, self._comm)
        representative = [
            std
            for n, std in stds.items()
            if std <= beyond_use and _damping(self.matrix.items[n]) > SET_ASIDE
        ]
        query = self._config.query
        novelty = (
            float(np.quantile(representative, query.novelty_quantile)) if representative else 0.0
        )
        if query.force_std != "auto":
            return Limits(query.force_std, novelty)
        usual = (
            float(np.quantile(representative, AUTOMATIC_QUANTILE))
            if representative
            else query.force_tolerance
        )
        return Limits(usual, novelty)


def with_column_numbers(config: RunConfig) -> FitSettings:
    """The settings with the names of fit.embed as numbers of distinct columns."""
    settings = config.fit
    if not isinstance(settings, ModelErrorSettings) or isinstance(settings.embed, str):
        return settings
    embed = config.made_model().columns_named(settings.embed)
    return settings.model_copy(update={"embed": embed})


def block_of(rows: Rows, part: slice = slice(None)) -> Block:
    """A weighted copy of the rows."""
    weights = np.where(rows.labelled, rows.weights, 0.0)[part]
    targets = np.where(rows.labelled, rows.targets, 0.0)[part]
    index = rows.index[part]
    return Block(
        rows.values[part] * weights[:, None],
        targets * weights,
        rows.mask[part],
        index["kind"],
        index["configuration"],
        rows.damping[part],
        weights,
    )


def rows_by_kind(rows: Rows) -> Array:
    """(3,) number of rows of each kind that are fitted."""
    return np.bincount(rows.index["kind"][rows.mask], minlength=3).astype(float)


def _damping(item: LabelledConfiguration) -> float:
    """Mean factor of the damping on a configuration's force weights."""
    damping: Damping | None = item.damping
    forces = item.configuration.label.forces
    return 1.0 if damping is None or forces is None else float(damping.of_forces(forces).mean())
