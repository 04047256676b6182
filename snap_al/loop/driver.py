"""The loop: explore → query → label → refit, until nothing more is worth labelling.

    while (action := next_action(state)): the action leaves its results on disk, then one event in the journal;
                                          state = state.apply(event)

The state comes from the journal alone, so a run that was killed anywhere goes on as if it had not been.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from io import BytesIO

import numpy as np
from threadpoolctl import threadpool_limits

from snap_al import __version__
from snap_al.data.configuration import Configuration
from snap_al.data.storage import write_atomically
from snap_al.descriptors import DescriptorEngine, ReferencePotential
from snap_al.errors import InputError, RunError
from snap_al.label import LabelBackend, LabelResult
from snap_al.loop.explore import WalkerGroups, explore
from snap_al.loop.journal import FORMAT, Event, Journal
from snap_al.loop.labelling import Labelling
from snap_al.loop.run_directory import RunDirectory
from snap_al.loop.settings import RunConfig
from snap_al.loop.state import Query, RunState, initial_state
from snap_al.loop.stopping import failed_run, stop_reason
from snap_al.loop.training import Evaluated, TestSet, TrainingSet, evaluate_rows
from snap_al.parallel import Communicator, collectively, on_root
from snap_al.potential import FittedPotential

Observer = Callable[[Event, RunState], None]
"""Called on rank 0 after each event."""


class Driver:
    """One run in one directory. `run` is collective over `comm`; only rank 0 writes the journal and observes."""

    def __init__(
        self, config: RunConfig, directory: RunDirectory, backend: LabelBackend, comm: Communicator, observe: Observer
    ) -> None:
        self._state = initial_state(config)
        self._config, self._directory, self._backend = config, directory, backend
        self._comm, self._observe = comm, observe
        self._reference = ReferencePotential.parse(list(config.reference))
        self._structures = on_root(comm, lambda: _walker_structures(config))
        self._potential: FittedPotential | None = None
        self._labelling = Labelling(backend, directory, comm)
        self._known = 0  # labels of the journal that are in the training set of this process

    def run(self) -> RunState:
        """Goes on where the directory stopped. Raises InputError or RunError; what was finished is on disk."""
        journal = on_root_only(self._comm, lambda: Journal(self._directory.journal))
        try:
            with (
                threadpool_limits(1),
                DescriptorEngine(self._config.descriptor, self._reference, self._config.lammps.arguments) as engine,
            ):
                return self._loop(journal, engine)
        finally:
            if journal is not None:
                journal.close()

    def _loop(self, journal: Journal | None, engine: DescriptorEngine) -> RunState:
        config, comm = self._config, self._comm
        self._journal = journal
        for event in comm.bcast(journal.events if journal is not None else []):
            self._state = self._state.apply(event)
        self._record({"event": "opened", "format": FORMAT, "snap_al": __version__, "ranks": comm.size})
        if not self._state.started:
            self._start()
        training, test = TrainingSet(config, engine, comm), TestSet(config, engine, comm)
        groups = WalkerGroups.of(comm, len(self._structures))
        while True:
            if self._state.pending:
                self._label()
            elif self._state.fitted_labels != len(self._state.labelled):
                self._fit(training, test)
            elif reason := stop_reason(self._state, config):
                break
            else:
                self._explore(groups)
        self._finish(training, test, reason)
        failed_run(self._state)
        return self._state

    def _record(self, event: Event) -> None:
        """Appends on rank 0, folds in on all."""

        def write() -> Event:
            assert self._journal is not None
            return self._journal.append(event)

        self._state = self._state.apply(on_root(self._comm, write))
        if self._comm.rank == 0 and self._journal is not None:
            self._observe(self._journal.events[-1], self._state)

    def _start(self) -> None:
        """The starting set becomes the first queries."""
        config = self._config

        def write() -> list[str]:
            start = config.start.configurations(config.descriptor.elements, config.seed)
            return list(dict.fromkeys(self._directory.write_query(c) for c in start))

        self._record({"event": "started", "queries": on_root(self._comm, write), "walkers": len(self._structures)})

    def _label(self) -> None:
        """All pending queries; each result, in the order of the queries, into the journal."""
        # Again also those that an earlier session submitted: what they asked for may not have been finished.
        jobs = self._labelling.submit(self._state.pending)
        new = {q.key: job for q, job in zip(self._state.pending, jobs, strict=True) if not q.job}
        if new:
            self._record({"event": "submitted", "jobs": new})
        queries = self._state.pending
        for query, result in zip(queries, self._labelling.collect(queries), strict=True):
            self._record(_label_event(query, result))
            if self._state.failures_in_a_row >= self._config.label.max_failures:
                raise _everywhere(
                    RunError(
                        f"{self._state.failures_in_a_row} labels in a row failed, the last with: {result.reason}. "
                        f"Mend the labeler and start again: {self._directory.root} goes on from here"
                    )
                )

    def _fit(self, training: TrainingSet, test: TestSet) -> None:
        started = time.perf_counter()
        self._catch_up(training)
        posterior, rows = training.fit()
        potential = FittedPotential(self._config.descriptor, self._reference, posterior)
        novelty = training.novelty(posterior, rows)
        evaluated = test.evaluate(posterior) if test else evaluate_rows(rows, posterior, self._comm)
        number = self._state.fits + 1

        def write() -> None:
            potential.write(self._directory.fit(number))
            potential.write(self._directory.root)

        on_root(self._comm, write)
        self._potential = potential
        self._record(
            {
                "event": "fitted", "fit": number, "labels": len(self._state.labelled), "novelty": novelty,
                "configurations": training.matrix.n_configurations, "ridge": posterior.ridge,
                "measured_on": "test" if test else "training", "table": evaluated.table(),
                "seconds": time.perf_counter() - started,
            }
        )  # fmt: skip

    def _catch_up(self, training: TrainingSet) -> None:
        """Labels of the journal that this process has not seen yet."""
        for query, job in self._state.labelled[self._known :]:
            configuration = self._directory.read_query(query.key)
            result = self._backend.poll(job, configuration)
            if result is None or result.label is None:
                raise RunError(f"the label {job} that the journal names is not in {self._directory.labels}; restore it")
            training.add_label(configuration, result.label, "start" if query.walker < 0 else f"walker {query.walker}")
        self._known = len(self._state.labelled)

    def _explore(self, groups: WalkerGroups) -> None:
        potential = self._current_potential()
        before = self._state
        event = explore(self._comm, groups, self._config, self._directory, before, potential, self._structures)
        for each in event["walkers"]:
            if before.walkers[each["walker"]].fit != each["fit"]:
                self._record(
                    {"event": "swapped", "walker": each["walker"], "step": each["from_step"], "fit": each["fit"]}
                )
        self._record(event)

    def _current_potential(self) -> FittedPotential:
        """The last fit's, read back after a restart: the same bits."""
        if self._potential is None:
            self._potential = on_root(self._comm, lambda: FittedPotential.read(self._directory.fit(self._state.fits)))
        return self._potential

    def _finish(self, training: TrainingSet, test: TestSet, reason: str) -> None:
        """Predictions of the last fit on disk, for figures; then the reason for the stop."""
        potential = self._current_potential()
        if test:
            evaluated = test.evaluate(potential.posterior)
        else:
            self._catch_up(training)
            evaluated = evaluate_rows(training.matrix.local(), potential.posterior, self._comm)
        on_root(self._comm, lambda: write_atomically(self._directory.predictions, _npz(evaluated)))
        if self._state.stopped != reason:
            self._record({"event": "stopped", "reason": reason})


def on_root_only(comm: Communicator, work: Callable[[], Journal]) -> Journal | None:
    """Like `on_root`, for a result that cannot travel."""
    result: Journal | None = None
    with collectively(comm):
        if comm.rank == 0:
            result = work()
    return result


def _label_event(query: Query, result: LabelResult) -> Event:
    if result.label is None:
        return {"event": "rejected", "query": query.key, "reason": result.reason, "seconds": result.seconds}
    forces = result.label.forces
    return {
        "event": "labelled", "query": query.key, "job": result.job, "walker": query.walker, "step": query.step,
        "energy": result.label.energy, "seconds": result.seconds,
        "max_force": None if forces is None else float(np.linalg.norm(forces, axis=1).max()),
    }  # fmt: skip


def _everywhere(error: RunError) -> RunError:
    error.everywhere = True
    return error


def _walker_structures(config: RunConfig) -> list[Configuration]:
    """One per walker: every frame of every structure file. Raises InputError for an open boundary, which MD has not yet."""
    assert config.explore is not None
    structures = [c for source in config.explore.walkers for c in source.read(config.descriptor.elements)]
    for c in structures:
        if not all(c.pbc):
            raise InputError(
                f"{c.name}: a walker's structure must be periodic in all directions; add vacuum and set pbc"
            )
    return structures


def _npz(evaluated: Evaluated) -> bytes:
    buffer = BytesIO()
    np.savez(buffer, kinds=evaluated.kinds, targets=evaluated.targets, **asdict(evaluated.prediction))
    return buffer.getvalue()
