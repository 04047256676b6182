"""Where a run stands: a pure function of its journal. `apply` folds one event in; nothing else
changes a state.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import assert_never

from snap_al.errors import InputError
from snap_al.loop.events import (
    Checked,
    Chosen,
    Event,
    Explored,
    Fitted,
    Halted,
    Labelled,
    Opened,
    Rejected,
    Started,
    Stopped,
    Submitted,
)
from snap_al.loop.settings import RunConfig
from snap_al.loop.walker_state import WalkerState, WalkerStatus


class EventOrderError(Exception):
    """An event that is not possible after those before it. In a journal that was read, lines are
    missing or repeated (`replayed`). For an event that was just made, it is a fault of snap_al, and
    not an error of the user."""


@dataclass(frozen=True)
class Query:
    """A configuration for the labeler."""

    key: str
    """Key of the configuration."""
    walker: int
    """Number of the walker; -1 for the starting set."""
    step: int
    """MD step of the frame."""
    job: str = ""
    """Name of its job; "" until it is submitted."""
    chosen: bool = True
    """Whether it is to be labelled. False until one is chosen among the frames at which several
    walkers stopped."""

    @property
    def group(self) -> str:
        """Name of the group in the training set."""
        return "start" if self.walker < 0 else f"walker {self.walker}"


@dataclass(frozen=True)
class RunState:
    """Where a run stands. max_retries, cycles and last_step come from the config, and all else from
    the journal."""

    max_retries: int
    """Failures in a row after which a walker is given up."""
    cycles: int
    """How often each walker runs through its protocol."""
    last_step: int
    """Last step of the protocol."""
    walkers: tuple[WalkerState, ...] = ()
    """State of each walker."""
    started: bool = False
    """Whether the starting set was submitted."""
    pending: tuple[Query, ...] = ()
    """Queries without a label."""
    labelled: tuple[tuple[Query, str], ...] = ()
    """Labelled queries, each with its job."""
    failing: tuple[Query, ...] = ()
    """Queries that were rejected since the last label."""
    rejections: int = 0
    """Number of rejected queries."""
    fits: int = 0
    """Number of fits."""
    fitted_labels: int = -1
    """Number of labels in the last fit; -1 before the first."""
    novelty: float = 0.0
    """eV/Å, force std above which a frame is novel."""
    tolerance: float = 0.0
    """eV/Å, force std that is accepted."""
    test_errors: tuple[float, ...] = ()
    """Force RMSE on the test set after each fit, eV/Å."""
    ps_since_query: float = 0.0
    """ps that all walkers together explored since the last query."""
    checks_since_query: int = 0
    """Checks of all walkers since the last query."""
    limited_since_query: int = 0
    """Those of these checks at which the model error is the larger part of the std."""
    checks: int = 0
    """Checks of all walkers."""
    model_limited: int = 0
    """Those of all checks at which the model error is the larger part of the std."""
    stopped: str = ""
    """Why the run stopped; "" while it goes on."""
    stress_checked: bool = False
    """Whether the labeler's stress was compared with its energies."""
    digests: dict[str, str] = field(default_factory=dict)
    """Digests of the user's files when the run began, by what each is used for."""

    def apply(self, event: Event) -> RunState:
        """The state after an event. Raises EventOrderError for an event that the state does not
        allow."""
        match event:
            case Opened():
                return self
            case Started():
                return self._started(event)
            case Chosen():
                return self._chosen(event)
            case Submitted():
                return self._submitted(event)
            case Checked():
                return replace(self, stress_checked=True)
            case Labelled():
                return self._labelled(event)
            case Rejected():
                return self._rejected(event)
            case Fitted():
                return self._fitted(event)
            case Explored():
                return self._explored(event)
            case Stopped():
                return replace(self, stopped=event.reason)
            case Halted():
                return self._halted(event.reason)
            case _:
                assert_never(event)

    def _started(self, event: Started) -> RunState:
        return replace(
            self,
            started=True,
            pending=tuple(Query(key, -1, 0) for key in event.queries),
            walkers=tuple(WalkerState(name=name) for name in event.walkers),
            digests=dict(event.digests),
        )

    def _chosen(self, event: Chosen) -> RunState:
        dropped = [q for q in self.unchosen if q.key in event.dropped]
        kept = (replace(q, chosen=True) for q in self.pending if q not in dropped)
        return replace(self, pending=tuple(kept))

    def _submitted(self, event: Submitted) -> RunState:
        pending = (replace(q, job=event.jobs.get(q.key, q.job), chosen=True) for q in self.pending)
        return replace(self, pending=tuple(pending))

    def _labelled(self, event: Labelled) -> RunState:
        done, pending = self._take(event.query)
        labelled = (*self.labelled, (done, event.job))
        return replace(self, pending=pending, labelled=labelled, failing=())

    def _fitted(self, event: Fitted) -> RunState:
        if (event.fit, event.labels) != (self.fits + 1, len(self.labelled)):
            raise EventOrderError(
                f"fit {event.fit} to {event.labels} labels after {self.fits} fits and "
                f"{len(self.labelled)} labels"
            )
        errors = self.test_errors
        if event.measured_on == "test" and event.table.forces is not None:
            errors = (*errors, event.table.forces.rmse)
        return replace(
            self,
            fits=event.fit,
            fitted_labels=event.labels,
            novelty=event.novelty,
            tolerance=self.tolerance if event.tolerance is None else event.tolerance,
            test_errors=errors,
            stopped="",
        )

    @property
    def unchosen(self) -> tuple[Query, ...]:
        """Frames at which walkers stopped, and that are not submitted yet."""
        return tuple(q for q in self.pending if not q.chosen and not q.job)

    @property
    def exploring(self) -> tuple[int, ...]:
        """Numbers of the walkers that explore."""
        return tuple(n for n, w in enumerate(self.walkers) if w.status is WalkerStatus.EXPLORING)

    @property
    def free(self) -> tuple[int, ...]:
        """Numbers of the walkers that explore and do not wait for a label."""
        standing = {q.walker for q in self.pending}
        return tuple(n for n in self.exploring if n not in standing)

    def _take(self, key: str) -> tuple[Query, tuple[Query, ...]]:
        at = next((n for n, q in enumerate(self.pending) if q.key == key), None)
        if at is None:
            raise EventOrderError(f"nobody has asked for {key}")
        return self.pending[at], self.pending[:at] + self.pending[at + 1 :]

    def _rejected(self, event: Rejected) -> RunState:
        query, pending = self._take(event.query)
        walkers = tuple(
            w.rejected(query.step) if n == query.walker else w for n, w in enumerate(self.walkers)
        )
        return replace(
            self,
            pending=pending,
            walkers=walkers,
            rejections=self.rejections + 1,
            failing=(*self.failing, query),
        )

    def _halted(self, reason: str) -> RunState:
        """The labeler failed, not the configurations. The next start submits them again."""
        asked = tuple(replace(q, job="", chosen=True) for q in self.failing)
        rejections = self.rejections - len(asked)
        return replace(
            self, pending=asked + self.pending, failing=(), rejections=rejections, stopped=reason
        )

    def _explored(self, event: Explored) -> RunState:
        walkers, pending = list(self.walkers), list(self.pending)
        ps, checks, limited = self.ps_since_query, self.checks_since_query, self.limited_since_query
        for each in event.walkers:
            n = each.walker
            if n >= len(walkers):
                raise EventOrderError(f"walker {n} of {len(walkers)}")
            if each.segment != walkers[n].segments:
                raise EventOrderError(
                    f"segment {each.segment} of walker {n} after {walkers[n].segments} segments"
                )
            walkers[n] = walkers[n].explored(each, self.max_retries, self.cycles, self.last_step)
            ps += each.ps
            checks, limited = checks + each.checks, limited + each.model_limited
            for query in each.queries:
                pending.append(Query(query.key, n, query.step, chosen=False))
                ps, checks, limited = 0.0, 0, 0
        return replace(
            self,
            walkers=tuple(walkers),
            pending=tuple(pending),
            ps_since_query=ps,
            checks_since_query=checks,
            limited_since_query=limited,
            checks=self.checks + sum(e.checks for e in event.walkers),
            model_limited=self.model_limited + sum(e.model_limited for e in event.walkers),
            stopped="",
        )


def replayed(state: RunState, events: Iterable[Event]) -> RunState:
    """The state after the events of a journal. Raises InputError when they cannot be all that there
    were.
    """
    for event in events:
        try:
            state = state.apply(event)
        except EventOrderError as error:
            raise InputError(
                f"the journal's event {event.event!r} of {event.time} cannot follow "
                f"those before it ({error}): "
                "lines of journal.jsonl are gone or there twice; restore it, or begin in a new "
                "--out"
            ) from error
    return state


def initial_state(config: RunConfig) -> RunState:
    """The state before any event. Raises InputError for a config that does not explore."""
    if config.explore is None:
        raise InputError(
            "explore: a run needs walkers to explore with; `snap-al init` shows how, `snap-al "
            "fit` needs none"
        ).on_all_ranks()
    begin = RunState(
        config.explore.guards.max_retries, config.explore.cycles, config.explore.protocol().steps
    )
    return replace(begin, tolerance=config.query.force_tolerance)
