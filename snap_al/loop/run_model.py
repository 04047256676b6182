"""The model of a run: its training set and test set, and its fits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from snap_al.data.remarks import Remarks
from snap_al.data.storage import write_atomically
from snap_al.descriptors import Engine, RowSource, row_source
from snap_al.errors import OtherVersionError, RunError
from snap_al.loop.evaluation import TestSet
from snap_al.loop.events import Fitted
from snap_al.loop.inputs import RunInputs
from snap_al.loop.labelling import Labelling
from snap_al.loop.memory import matrix_folder
from snap_al.loop.run_directory import RunDirectory
from snap_al.loop.settings import RunConfig
from snap_al.loop.state import RunState
from snap_al.loop.training import TrainingSet
from snap_al.loop.watching import keep_active_set
from snap_al.parallel import Communicator, on_root
from snap_al.potential import FittedPotential, Model
from snap_al.progress import Report


@dataclass
class RunModel:
    """The model of a run. Every method is collective."""

    config: RunConfig
    """The config."""
    inputs: RunInputs
    """What the run read from the user's files."""
    directory: RunDirectory
    """The directory of the run, which has the fits."""
    labelling: Labelling
    """Reads the labels of the run."""
    comm: Communicator
    """All ranks of the run."""
    model: Model
    """The form of the energy."""
    engine: Engine
    """Computes descriptors."""
    source: RowSource
    """Computes rows, or reads those that were computed before."""
    training: TrainingSet
    """The training set."""
    test: TestSet
    """The test set, which may be empty."""
    warnings: tuple[str, ...]
    """Problems of the rows of both sets."""
    _potential: FittedPotential | None = None
    _n_added: int = field(default=0, repr=False)
    """Number of labels of the journal that are in the training set of this process."""

    def fit(self, state: RunState) -> Fitted:
        """Fits all labels, and writes the potential."""
        started = time.perf_counter()
        self._add_labels(state)
        if self.last_fit_is_readable(state):
            previous = self.potential(state).posterior
            n_fitted = state.fitted_labels + len(self.inputs.training)
            posterior = self.training.fit(previous, n_fitted)
        else:
            posterior = self.training.fit()
        potential = FittedPotential(self.model, self.inputs.reference, posterior)
        assert self.config.explore is not None
        limits = self.training.limits(posterior, self.config.explore.guards.max_force_std)
        evaluated = (self.test or self.training).evaluate(posterior)
        number, matrix = state.fits + 1, self.training.matrix
        if self.config.query.rule == "grade":
            keep_active_set(self.directory, number, matrix, self.engine, posterior, self.comm)

        def write() -> None:
            potential.write(self.directory.fit(number))
            potential.write(self.directory.root)

        on_root(self.comm, write)
        self._potential = potential
        return Fitted(
            fit=number,
            labels=len(state.labelled),
            novelty=limits.novelty,
            tolerance=limits.tolerance,
            configurations=len(matrix.items),
            ridge=posterior.ridge,
            measured_on="test" if self.test else "training",
            table=evaluated.table(),
            seconds=time.perf_counter() - started,
        )

    def last_fit_is_readable(self, state: RunState) -> bool:
        """Whether there is one, and this version of snap_al wrote it. Raises InputError for a
        damaged one."""
        if not state.fits:
            return False
        try:
            self.potential(state)
        except OtherVersionError:
            return False
        return True

    def remarks(self, state: RunState, again: bool) -> Remarks:
        """Problems of the rows. again: whether the last fit is done once more, which is a note."""
        note = (
            f"fit {state.fits} was written by another version of snap_al: all labels are fitted "
            "once more"
        )
        return Remarks(self.warnings, (note,) if again else ())

    def potential(self, state: RunState) -> FittedPotential:
        """The potential of the last fit. After a restart it is read from its files, which hold the
        same bits."""
        if self._potential is None:
            self._potential = on_root(
                self.comm, lambda: FittedPotential.read(self.directory.fit(state.fits), self.model)
            )
        return self._potential

    def write_predictions(self, state: RunState) -> None:
        """Writes predictions of the last fit, which figures are drawn from."""
        potential = self.potential(state)
        self._add_labels(state)
        measured = self.test or self.training
        evaluated, names = measured.evaluate(potential.posterior), measured.matrix.groups
        on_root(
            self.comm,
            lambda: write_atomically(self.directory.predictions, evaluated.to_bytes(names)),
        )

    def _add_labels(self, state: RunState) -> None:
        """Adds the labels of the journal that the training set does not have yet."""
        for query, job in state.labelled[self._n_added :]:
            result = self.labelling.result(query, job)
            if result is None or result.label is None:
                raise RunError(
                    f"the label {job} that the journal names is not in {self.directory.labels}; "
                    "restore it"
                ).on_all_ranks()
            self.training.add_label(self.directory.read_query(query.key), result.label, query.group)
        self._n_added = len(state.labelled)


@contextmanager
def run_model(
    config: RunConfig,
    model: Model,
    inputs: RunInputs,
    directory: RunDirectory,
    labelling: Labelling,
    comm: Communicator,
    report: Report,
) -> Iterator[RunModel]:
    """The model before the labels of the run are added, with its engine open. Collective."""
    with model.engine(inputs.reference, config.lammps) as engine:
        source = row_source(engine, directory.descriptors if config.cache else None, comm)
        given = (*inputs.training, *inputs.test)
        limit = config.memory_gb and config.memory_gb * 1e9
        disk = matrix_folder(given, source.columns, limit, directory.root, comm)
        training = TrainingSet(config, source, comm, inputs.prior_mean, disk)
        warnings = training.add(inputs.training, report=report)
        test = TestSet(source, comm, disk)
        warnings += test.add(inputs.test, report=report)
        yield RunModel(
            config,
            inputs,
            directory,
            labelling,
            comm,
            model,
            engine,
            source,
            training,
            test,
            tuple(warnings),
        )
