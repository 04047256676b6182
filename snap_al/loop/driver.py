"""The loop: explore → query → label → refit, until nothing more is worth labelling.

    while (action := next_action(state)):
        the action leaves its results on disk, then one event in the journal
        state = state.apply(event)

The state comes from the journal alone, so a run that was killed anywhere goes on as if it had not
been.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
from threadpoolctl import threadpool_limits

from snap_al import __version__
from snap_al.data.remarks import Remarks
from snap_al.errors import InputError, RunError
from snap_al.label import LabelBackend, LabelResult
from snap_al.loop.checking import Checking, require_right_stress
from snap_al.loop.choosing import spread, worth_labelling
from snap_al.loop.events import (
    Chosen,
    Event,
    Halted,
    Labelled,
    Opened,
    Rejected,
    Started,
    Stopped,
    Submitted,
)
from snap_al.loop.explore import Exploration, WalkerGroups, explore
from snap_al.loop.inputs import RunInputs
from snap_al.loop.journal import Journal
from snap_al.loop.labelling import Labelling
from snap_al.loop.run_directory import RunDirectory
from snap_al.loop.run_model import RunModel, run_model
from snap_al.loop.settings import RunConfig
from snap_al.loop.state import Query, RunState, initial_state, replayed
from snap_al.loop.stopping import failed_run, labels_left, stop_reason
from snap_al.loop.walker_state import WalkerStatus
from snap_al.parallel import Communicator, on_root
from snap_al.progress import Report, silent

Observer = Callable[[Event, RunState], None]
"""Called on rank 0 after each event."""


class Driver:
    """One run in one directory. `run` is collective over `comm`.

    journal: the open journal on rank 0, None elsewhere: only rank 0 writes it, and only rank 0
    observes. backend: None on ranks that compute no labels. Raises InputError for a config that
    does not explore.
    """

    def __init__(
        self,
        config: RunConfig,
        inputs: RunInputs,
        directory: RunDirectory,
        backend: LabelBackend | None,
        journal: Journal | None,
        comm: Communicator,
        observe: Observer,
        report: Report = silent,
    ) -> None:
        self._state = initial_state(config)
        self._config, self._inputs, self._directory = config, inputs, directory
        self.read = inputs.read
        self.read_lines = [*(line for c in inputs.read for line in c.described()), *inputs.left_out]
        self._journal, self._comm, self._observe, self._report = journal, comm, observe, report
        self._model = config.made_model()
        self._labelling = Labelling(backend, directory, comm)
        self._checking = Checking(
            config.label.checks, inputs.training, self._labelling, directory, comm
        )

    def run(self) -> RunState:
        """Continues where the directory stopped. Raises InputError or RunError; what was finished
        by then is on disk."""
        events = self._comm.bcast(self._journal.events if self._journal is not None else [])
        self._state = replayed(self._state, events)
        self._same_inputs()
        opened = run_model(
            self._config,
            self._model,
            self._inputs,
            self._directory,
            self._labelling,
            self._comm,
            self._report,
        )
        with threadpool_limits(1), opened as model:
            again = self._state.fits > 0 and not model.last_fit_is_readable(self._state)
            self._record(self._opened(model.remarks(self._state, again)))
            if not self._state.started:
                self._start()
            if again:
                self._record(model.fit(self._state))
            reason = self._loop(model)
            self._finish(model, reason)
        failed_run(self._state)
        return self._state

    def _opened(self, of_model: Remarks) -> Opened:
        """The first event of a session, with remarks on the labels that it begins with and on the
        model."""
        remarks = self._inputs.remarks + of_model
        return Opened(
            snap_al=__version__,
            ranks=self._comm.size,
            warnings=tuple(remarks.warnings),
            notes=tuple(remarks.notes),
        )

    def _loop(self, model: RunModel) -> str:
        """Acts until there is a reason to stop, and returns it."""
        exploration = Exploration(
            self._comm,
            WalkerGroups.of(self._comm, len(self._inputs.walkers)),
            self._config,
            self._directory,
            self._inputs.walkers,
            self._report,
        )
        while True:
            if self._state.unchosen and self._pooling():
                self._explore(exploration, model, self._state.exploring)
            elif len(self._state.unchosen) > 1 and labels_left(self._state, self._config):
                self._choose(model)
            elif (
                self._state.pending
                and labels_left(self._state, self._config)
                and not self._fit_first()
            ):
                self._label(exploration, model)
            elif self._state.fitted_labels != len(self._state.labelled):
                self._record(model.fit(self._state))
            elif reason := stop_reason(self._state, self._config):
                return reason
            else:
                self._explore(exploration, model, self._state.exploring)

    def _fit_first(self) -> bool:
        """Whether new labels are fitted while other labels are still being computed."""
        assert self._config.explore is not None
        new = self._state.fitted_labels != len(self._state.labelled)
        return not self._config.explore.wait_for_labels and self._state.fits > 0 and new

    def _pooling(self) -> bool:
        """Whether candidates are still being collected: in batch mode, until every walker is at the
        end of its stage.
        """
        explore = self._config.explore
        assert explore is not None
        protocol = explore.protocol()
        steps = [
            w.trail[-1].step for w in self._state.walkers if w.status is WalkerStatus.EXPLORING
        ]
        return explore.mode == "batch" and any(step != protocol.at(step).begin for step in steps)

    def _record(self, event: Event) -> None:
        """Appends an event to the journal on rank 0, and updates the state on all ranks."""

        def write() -> Event:
            assert self._journal is not None
            return self._journal.append(event)

        self._state = self._state.apply(on_root(self._comm, write))
        if self._comm.rank == 0 and self._journal is not None:
            self._observe(self._journal.events[-1], self._state)

    def _start(self) -> None:
        """Submits the starting set as the first queries."""
        write = self._directory.write_query
        keys = on_root(
            self._comm, lambda: list(dict.fromkeys(write(c) for c in self._inputs.start))
        )
        names = [walker.configuration.name for walker in self._inputs.walkers]
        self._record(
            Started(queries=tuple(keys), walkers=tuple(names), digests=self._inputs.digests)
        )

    def _same_inputs(self) -> None:
        """Raises InputError when a file has changed since the run began, or when the journal has
        another number of walkers."""
        walkers, planned = len(self._state.walkers), len(self._inputs.walkers)
        root = self._directory.root
        if self._state.started and walkers != planned:
            raise InputError(
                f"the journal in {root} is of {walkers} walkers, and the config has {planned}; "
                "give another --out"
            ).on_all_ranks()
        now, then = self._inputs.digests, self._state.digests
        changed = [where for where, digest in then.items() if now.get(where) != digest]
        if changed:
            raise InputError(
                f"the files of {', '.join(changed)} are not those that the run in {root} began "
                "with; restore them, or give another --out"
            ).on_all_ranks()

    def _choose(self, model: RunModel) -> None:
        """Chooses, among the frames at which several walkers stopped, those that are worth a label
        once the others have theirs."""
        queries = self._state.unchosen
        frames = on_root(self._comm, lambda: [self._directory.read_query(q.key) for q in queries])
        posterior = model.potential(self._state).posterior
        if self._config.query.rule == "novel":
            kept = worth_labelling(
                frames, self._config, self._state, posterior, model.source, self._comm
            )
        else:
            kept = spread(len(frames), self._config.query.batch)
        dropped = [q.key for n, q in enumerate(queries) if n not in kept]
        kept_keys = tuple(queries[n].key for n in kept)
        self._record(Chosen(kept=kept_keys, dropped=tuple(dropped)))

    def _label(self, exploration: Exploration, model: RunModel) -> None:
        """Has pending queries labelled, as many as the budget allows, and records each result in
        their order. When walkers do not wait for labels, the results that are there are recorded;
        when there are none, the other walkers explore."""
        queries = self._state.pending[: labels_left(self._state, self._config)]
        if self._config.label.checks.stress_by_strain and not self._state.stress_checked:
            self._record(event := self._checking.stress(queries[0]))
            require_right_stress(event)
        if self._config.label.approve:
            self._labelling.approved(queries)
        # Queries of an earlier session are submitted again, since their jobs may not have been
        # finished.
        jobs = self._labelling.submit(queries)
        new = {q.key: job for q, job in zip(queries, jobs, strict=True) if not q.job}
        if new:
            self._record(Submitted(jobs=new))
        assert self._config.explore is not None
        if self._config.explore.wait_for_labels or not self._state.fits:
            for n, query in enumerate(queries):
                (result,) = self._labelling.collect((query,), [jobs[n]])
                self._take(query, result, jobs)
            return
        free = self._state.free
        done = self._labelling.ready(queries, jobs, wait=not free)
        for n, result in sorted(done.items()):
            self._take(queries[n], result, jobs)
        if not done:
            self._explore(exploration, model, free)

    def _take(self, query: Query, result: LabelResult, jobs: list[str]) -> None:
        """Records a result. Raises RunError, and cancels the jobs of other queries, when too many
        labels in a row have failed."""
        result = self._checking.plausible(self._state, query, result)
        self._record(_label_event(query, result))
        if len(self._state.failing) >= self._config.label.max_failures:
            under_way = {q.job for q in self._state.pending}
            self._labelling.cancel([job for job in jobs if job in under_way])
            reason = (
                f"{len(self._state.failing)} labels in a row failed, the last with: {result.reason}"
            )
            self._record(Halted(reason=reason))
            raise RunError(
                f"{reason}. Mend the labeler and start again: {self._directory.root} goes on from "
                "here"
            ).on_all_ranks()

    def _explore(self, exploration: Exploration, model: RunModel, chosen: Collection[int]) -> None:
        self._record(explore(exploration, self._state, model.potential(self._state), chosen))

    def _finish(self, model: RunModel, reason: str) -> None:
        """Writes the predictions of the last fit, then the reason for the stop."""
        model.write_predictions(self._state)
        if self._state.stopped != reason:
            self._record(Stopped(reason=reason))


def _label_event(query: Query, result: LabelResult) -> Labelled | Rejected:
    if result.label is None:
        return Rejected(
            query=query.key,
            job=result.job,
            reason=result.reason,
            seconds=result.seconds,
            core_seconds=result.core_seconds,
        )
    forces = result.label.forces
    return Labelled(
        query=query.key,
        job=result.job,
        walker=query.walker,
        step=query.step,
        energy=result.label.energy,
        seconds=result.seconds,
        core_seconds=result.core_seconds,
        max_force=None if forces is None else float(np.linalg.norm(forces, axis=1).max()),
    )
