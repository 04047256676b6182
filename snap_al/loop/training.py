"""The training set of a run, its design matrix, and the fit of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snap_al.data.configuration import Configuration, Label
from snap_al.data.weights import Damping
from snap_al.descriptors import DescriptorEngine, DesignMatrix, LabelledConfiguration
from snap_al.descriptors.design_matrix import Rows, require_rows, without_vanishing
from snap_al.fit import Posterior, Prediction, fit_posterior
from snap_al.loop.settings import RunConfig
from snap_al.parallel import Communicator
from snap_al.query import left_out_force_stds
from snap_al.uncertainty import Table, evaluate_predictions

SET_ASIDE = 0.5
"""Training configurations whose force weights are damped below this on average are no measure of what is novel."""


@dataclass(frozen=True)
class Evaluated:
    """Predictions of labelled rows, all ranks' together: kinds, targets (m,) and a Prediction."""

    kinds: np.ndarray
    targets: np.ndarray
    prediction: Prediction

    def table(self) -> Table:
        return evaluate_predictions(self.prediction, self.targets, self.kinds)


class TrainingSet:
    """Grows by labels; every method is collective."""

    def __init__(
        self, config: RunConfig, given: Sequence[LabelledConfiguration], engine: DescriptorEngine, comm: Communicator
    ) -> None:
        self._config = config
        self._comm = comm
        self.matrix = DesignMatrix(engine, comm)
        self.matrix.append(given)

    def add_label(self, configuration: Configuration, label: Label, group: str) -> None:
        settings = self._config.label
        item = LabelledConfiguration(configuration.labelled(label), settings.weights, group, settings.damping)
        self.matrix.append([item])

    def rows(self) -> Rows:
        """This rank's rows, those that vanish by symmetry masked."""
        require_rows(self.matrix)
        return without_vanishing(self.matrix.local(), self._comm)

    def fit(self, rows: Rows) -> Posterior:
        used = rows.used()
        return fit_posterior(
            used.values, used.targets, used.weights,
            settings=self._config.fit, kinds=used.index["kind"], comm=self._comm,
        )  # fmt: skip

    def novelty(self, posterior: Posterior, rows: Rows, limit: float) -> float:
        """eV/Å: the configured quantile of the left-out force stds of configurations in the range of use.

        limit: eV/Å; a left-out std beyond use says that nothing else is like that configuration, and no more. With none
        left the answer is 0: tolerance and gain alone decide.
        """
        stds = left_out_force_stds(posterior, rows, self._comm)
        representative = [std for n, std in stds.items() if std <= limit and _damping(self.matrix.items[n]) > SET_ASIDE]
        return float(np.quantile(representative, self._config.query.novelty_quantile)) if representative else 0.0


class TestSet:
    """Labelled configurations that are never fitted; their rows are computed once. Collective."""

    def __init__(self, given: Sequence[LabelledConfiguration], engine: DescriptorEngine, comm: Communicator) -> None:
        self._comm = comm
        self._matrix = DesignMatrix(engine, comm)
        self._matrix.append(given)

    def __bool__(self) -> bool:
        return self._matrix.n_configurations > 0

    def evaluate(self, posterior: Posterior) -> Evaluated:
        return evaluate_rows(without_vanishing(self._matrix.local(), self._comm), posterior, self._comm)


def evaluate_rows(rows: Rows, posterior: Posterior, comm: Communicator) -> Evaluated:
    """Predictions of all ranks' used rows with the reference noise of their kind. Collective."""
    used = rows.used()
    p = posterior.predict(used.values, kinds=used.index["kind"])
    parts = comm.allgather((used.index["kind"], used.targets, p.mean, p.epistemic_std, p.model_error_std, p.noise_std))
    kinds, targets, *columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Evaluated(kinds, targets, Prediction(*columns))


def _damping(item: LabelledConfiguration) -> float:
    """Mean factor on a configuration's force weights."""
    damping: Damping | None = item.damping
    forces = item.configuration.label.forces
    return 1.0 if damping is None or forces is None else float(damping.of_forces(forces).mean())
