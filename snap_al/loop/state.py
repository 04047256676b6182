"""Where a run stands: a pure function of its journal. `apply` folds one event in; nothing else
changes a state.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from snap_al.errors import InputError
from snap_al.loop.journal import Event
from snap_al.loop.settings import RunConfig
from snap_al.md import Outcome


class EventOrderError(Exception):
    """An event that cannot be, after those before it. In a journal that was read lines are gone or
    there twice (`replayed`); of an event that has just been made it is a fault of snap_al's, and no
    error of the user's."""


class WalkerStatus(StrEnum):
    EXPLORING = "exploring"
    FINISHED = "finished"
    GIVEN_UP = "given up"


@dataclass(frozen=True)
class Frame:
    """A frame that a walker can go on from: a LAMMPS restart file, or its own structure (None)."""

    restart: str | None
    step: int


@dataclass(frozen=True)
class WalkerState:
    """trail: good frames, oldest first; the last is where it goes on. fit: it last ran with.

    furthest: the step it has reached in this cycle. retries: failures since it last got further, or
    found something novel.
    """

    trail: tuple[Frame, ...] = (Frame(None, 0),)
    status: WalkerStatus = WalkerStatus.EXPLORING
    retries: int = 0
    furthest: int = 0
    new_velocities: bool = True
    segments: int = 0
    cycle: int = 0
    fit: int = 0
    reason: str = ""
    name: str = ""

    def explored(self, event: Event, max_retries: int, cycles: int, last_step: int) -> WalkerState:
        """After one segment."""
        outcome, frame = Outcome(event["outcome"]), Frame(event["restart"], event["step"])
        after = replace(self, segments=self.segments + 1, fit=event["fit"], reason=event["reason"])
        if outcome in (Outcome.BEYOND_USE, Outcome.FAILED):
            if self.retries >= max_retries:
                return replace(after, status=WalkerStatus.GIVEN_UP)
            # The first retry takes the same frame with new velocities; each further one goes one
            # frame back.
            trail = self.trail[:-1] if self.retries and len(self.trail) > 1 else self.trail
            return replace(after, trail=trail, retries=self.retries + 1, new_velocities=True)
        if event["step"] < last_step:
            onward = event["step"] > self.furthest or outcome is Outcome.NOVEL
            return replace(
                after,
                trail=(*self.trail, frame),
                new_velocities=False,
                retries=0 if onward else self.retries,
                furthest=max(self.furthest, event["step"]),
            )
        if self.cycle + 1 < cycles:
            begin = WalkerState(
                segments=after.segments, fit=after.fit, reason=after.reason, name=self.name
            )
            return replace(begin, cycle=self.cycle + 1)
        return replace(after, retries=0, status=WalkerStatus.FINISHED)

    def rejected(self, step: int) -> WalkerState:
        """The label of a frame failed: if it stands there, it goes on with new velocities from the
        frame before.
        """
        if self.trail[-1].step != step:
            return self
        trail = self.trail[:-1] if len(self.trail) > 1 else self.trail
        return replace(self, trail=trail, new_velocities=True)


@dataclass(frozen=True)
class Query:
    """A configuration sent to the labeler. walker: -1 for the starting set. job: its name there,
    once submitted. chosen: of several that walkers stopped at together, or the only one."""

    key: str
    walker: int
    step: int
    job: str = ""
    chosen: bool = True

    @property
    def group(self) -> str:
        """In the training set."""
        return "start" if self.walker < 0 else f"walker {self.walker}"


@dataclass(frozen=True)
class RunState:
    """max_retries, cycles, last_step: from the config; the rest from the journal.

    failing: rejected without a label between them. digests: of the user's files, when the run
    began.
    """

    max_retries: int
    cycles: int
    last_step: int
    walkers: tuple[WalkerState, ...] = ()
    started: bool = False
    pending: tuple[Query, ...] = ()
    labelled: tuple[tuple[Query, str], ...] = ()
    failing: tuple[Query, ...] = ()
    rejections: int = 0
    fits: int = 0
    fitted_labels: int = -1
    novelty: float = 0.0
    tolerance: float = 0.0
    test_errors: tuple[float, ...] = ()
    """Force RMSE on the test set after each fit, eV/Å."""
    ps_since_query: float = 0.0
    checks_since_query: int = 0
    limited_since_query: int = 0
    checks: int = 0
    model_limited: int = 0
    stopped: str = ""
    stress_checked: bool = False
    digests: dict[str, str] = field(default_factory=dict)

    def apply(self, event: Event) -> RunState:
        """Raises EventOrderError for an event that what was before does not allow."""
        kind = event["event"]
        if kind == "opened":
            return self
        if kind == "started":
            queries = tuple(Query(key, -1, 0) for key in event["queries"])
            walkers = tuple(WalkerState(name=name) for name in event["walkers"])
            return replace(
                self, started=True, pending=queries, walkers=walkers, digests=event["digests"]
            )
        if kind == "chosen":
            dropped = [q for q in self.unchosen if q.key in event["dropped"]]
            kept = (replace(q, chosen=True) for q in self.pending if q not in dropped)
            return replace(self, pending=tuple(kept))
        if kind == "submitted":
            jobs = event["jobs"]
            return replace(
                self,
                pending=tuple(
                    replace(q, job=jobs.get(q.key, q.job), chosen=True) for q in self.pending
                ),
            )
        if kind == "checked":
            return replace(self, stress_checked=True)
        if kind == "labelled":
            done, pending = self._take(event["query"])
            return replace(
                self, pending=pending, labelled=(*self.labelled, (done, event["job"])), failing=()
            )
        if kind == "rejected":
            return self._rejected(event)
        if kind == "fitted":
            return self._fitted(event)
        if kind == "explored":
            return self._explored(event)
        if kind == "stopped":
            return replace(self, stopped=event["reason"])
        if kind == "halted":
            return self._halted(event["reason"])
        raise EventOrderError(f"{kind!r} is no event that this version of snap_al knows")

    def _fitted(self, event: Event) -> RunState:
        if (event["fit"], event["labels"]) != (self.fits + 1, len(self.labelled)):
            raise EventOrderError(
                f"fit {event['fit']} to {event['labels']} labels after {self.fits} fits and "
                f"{len(self.labelled)} labels"
            )
        tested = event["measured_on"] == "test" and "forces" in event["table"]
        errors = (
            (*self.test_errors, event["table"]["forces"]["rmse"]) if tested else self.test_errors
        )
        return replace(
            self,
            fits=event["fit"],
            fitted_labels=event["labels"],
            novelty=event["novelty"],
            tolerance=event.get("tolerance", self.tolerance),
            test_errors=errors,
            stopped="",
        )

    @property
    def unchosen(self) -> tuple[Query, ...]:
        """What walkers stopped at, and nobody has asked for yet."""
        return tuple(q for q in self.pending if not q.chosen and not q.job)

    @property
    def exploring(self) -> tuple[int, ...]:
        """Numbers of the walkers that are not at their end."""
        return tuple(n for n, w in enumerate(self.walkers) if w.status is WalkerStatus.EXPLORING)

    @property
    def free(self) -> tuple[int, ...]:
        """Of those, the ones that do not stand at a frame whose label is being computed."""
        standing = {q.walker for q in self.pending}
        return tuple(n for n in self.exploring if n not in standing)

    def _take(self, key: str) -> tuple[Query, tuple[Query, ...]]:
        at = next((n for n, q in enumerate(self.pending) if q.key == key), None)
        if at is None:
            raise EventOrderError(f"nobody has asked for {key}")
        return self.pending[at], self.pending[:at] + self.pending[at + 1 :]

    def _rejected(self, event: Event) -> RunState:
        query, pending = self._take(event["query"])
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
        """The labeler failed, not the configurations: the next start asks for them again."""
        asked = tuple(replace(q, job="", chosen=True) for q in self.failing)
        rejections = self.rejections - len(asked)
        return replace(
            self, pending=asked + self.pending, failing=(), rejections=rejections, stopped=reason
        )

    def _explored(self, event: Event) -> RunState:
        walkers, pending = list(self.walkers), list(self.pending)
        ps, checks, limited = self.ps_since_query, self.checks_since_query, self.limited_since_query
        for each in event["walkers"]:
            n = each["walker"]
            if n >= len(walkers):
                raise EventOrderError(f"walker {n} of {len(walkers)}")
            if each["segment"] != walkers[n].segments:
                raise EventOrderError(
                    f"segment {each['segment']} of walker {n} after {walkers[n].segments} segments"
                )
            walkers[n] = walkers[n].explored(each, self.max_retries, self.cycles, self.last_step)
            ps += each["ps"]
            checks, limited = checks + each["checks"], limited + each["model_limited"]
            for query in each["queries"]:
                pending.append(Query(query["key"], n, query["step"], chosen=False))
                ps, checks, limited = 0.0, 0, 0
        return replace(
            self,
            walkers=tuple(walkers),
            pending=tuple(pending),
            ps_since_query=ps,
            checks_since_query=checks,
            limited_since_query=limited,
            checks=self.checks + sum(e["checks"] for e in event["walkers"]),
            model_limited=self.model_limited + sum(e["model_limited"] for e in event["walkers"]),
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
                f"the journal's event {event.get('event')!r} of {event.get('time')} cannot follow "
                f"those before it ({error}): "
                "lines of journal.jsonl are gone or there twice; restore it, or begin in a new "
                "--out"
            ) from error
    return state


def initial_state(config: RunConfig) -> RunState:
    """Before any event. Raises InputError for a config that does not explore."""
    if config.explore is None:
        raise InputError(
            "explore: a run needs walkers to explore with; `snap-al init` shows how, `snap-al "
            "fit` needs none"
        ).on_all_ranks()
    begin = RunState(
        config.explore.guards.max_retries, config.explore.cycles, config.explore.protocol().steps
    )
    return replace(begin, tolerance=config.query.force_tolerance)
