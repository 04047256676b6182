"""The training set of a run, its design matrix, and the fit of both."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from snap_al.data.configuration import Configuration, Label, check_label
from snap_al.data.readers import read_configurations
from snap_al.data.weights import Damping, Weights
from snap_al.descriptors import DescriptorEngine, DesignMatrix, LabelledConfiguration
from snap_al.descriptors.design_matrix import Rows, require_rows, without_vanishing
from snap_al.fit import Posterior, Prediction, fit_posterior
from snap_al.loop.settings import RunConfig, TrainingSource
from snap_al.parallel import Communicator, on_root
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

    def __init__(self, config: RunConfig, engine: DescriptorEngine, comm: Communicator) -> None:
        self._config = config
        self._comm = comm
        self.matrix = DesignMatrix(engine, comm)
        for source in config.training:
            self.matrix.append(read_source(source, config.descriptor.elements, comm))

    def add_label(self, configuration: Configuration, label: Label, group: str) -> None:
        settings = self._config.label
        item = LabelledConfiguration(configuration.labelled(label), settings.weights, group, settings.damping)
        self.matrix.append([item])

    def fit(self) -> tuple[Posterior, Rows]:
        """The posterior, and the rows it was fitted to (masked ones included)."""
        require_rows(self.matrix)
        rows = without_vanishing(self.matrix.local(), self._comm)
        used = rows.used()
        posterior = fit_posterior(
            used.values, used.targets, used.weights,
            settings=self._config.fit, kinds=used.index["kind"], comm=self._comm,
        )  # fmt: skip
        return posterior, rows

    def novelty(self, posterior: Posterior, rows: Rows) -> float:
        """eV/Å: the configured quantile of the left-out force stds of configurations in the range of use."""
        stds = left_out_force_stds(posterior, rows, self._comm)
        representative = [std for n, std in stds.items() if _damping(self.matrix.items[n]) > SET_ASIDE]
        return float(np.quantile(representative or list(stds.values()), self._config.query.novelty_quantile))


class TestSet:
    """Labelled configurations that are never fitted; their rows are computed once. Collective."""

    def __init__(self, config: RunConfig, engine: DescriptorEngine, comm: Communicator) -> None:
        self._comm = comm
        self._matrix = DesignMatrix(engine, comm)
        for path in config.test:
            # The noise of a test row is that of a row which the fit weighs as the run's own labels, or its training.
            source = TrainingSource(path=path)
            weights = config.training[0].weights if config.training else config.label.weights
            items = read_source(source, config.descriptor.elements, comm)
            self._matrix.append([replace(item, weights=_positive(weights)) for item in items])

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


def read_source(source: TrainingSource, elements: tuple[str, ...], comm: Communicator) -> list[LabelledConfiguration]:
    """Read by rank 0 and handed to all. Raises InputError on all ranks."""

    def read() -> list[Configuration]:
        configurations = read_configurations(source.path, elements, labelled=True)
        for c in configurations:
            check_label(c, c.name)
        return configurations

    group = source.group or source.path.stem
    return [LabelledConfiguration(c, source.weights, group, source.damping) for c in on_root(comm, read)]


def _damping(item: LabelledConfiguration) -> float:
    """Mean factor on a configuration's force weights."""
    damping: Damping | None = item.damping
    forces = item.configuration.label.forces
    return 1.0 if damping is None or forces is None else float(damping.of_forces(forces).mean())


def _positive(weights: Weights) -> Weights:
    """A weight of zero would leave a kind out of the evaluation too."""
    return Weights(weights.energy or 1.0, weights.force or 1.0, weights.stress or 3e-5)
