"""Where a run stands: a pure function of its journal. `apply` folds one event in; nothing else changes a state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from snap_al.errors import InputError
from snap_al.loop.journal import Event
from snap_al.loop.settings import RunConfig
from snap_al.md import Outcome


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
    """trail: good frames, oldest first; the last is where it goes on. retries: failures in a row. fit: it last ran with."""

    trail: tuple[Frame, ...] = (Frame(None, 0),)
    status: WalkerStatus = WalkerStatus.EXPLORING
    retries: int = 0
    new_velocities: bool = True
    segments: int = 0
    cycle: int = 0
    fit: int = 0
    reason: str = ""

    def explored(self, event: Event, max_retries: int, cycles: int, last_step: int) -> WalkerState:
        """After one segment."""
        outcome, frame = Outcome(event["outcome"]), Frame(event["restart"], event["step"])
        after = replace(self, segments=self.segments + 1, fit=event["fit"], reason=event["reason"])
        if outcome in (Outcome.BEYOND_USE, Outcome.FAILED):
            if self.retries >= max_retries:
                return replace(after, status=WalkerStatus.GIVEN_UP)
            # The first retry takes the same frame with new velocities; each further one goes one frame back.
            trail = self.trail[:-1] if self.retries and len(self.trail) > 1 else self.trail
            return replace(after, trail=trail, retries=self.retries + 1, new_velocities=True)
        if event["step"] < last_step:
            return replace(after, trail=(*self.trail, frame), retries=0, new_velocities=False)
        if self.cycle + 1 < cycles:
            return replace(after, trail=(Frame(None, 0),), retries=0, new_velocities=True, cycle=self.cycle + 1)
        return replace(after, retries=0, status=WalkerStatus.FINISHED)

    def rejected(self) -> WalkerState:
        """The label of its last frame failed: it goes on with new velocities from the frame before."""
        trail = self.trail[:-1] if len(self.trail) > 1 else self.trail
        return replace(self, trail=trail, new_velocities=True)


@dataclass(frozen=True)
class Query:
    """A configuration sent to the labeler. walker: -1 for the starting set. job: its name there, once submitted."""

    key: str
    walker: int
    step: int
    job: str = ""


@dataclass(frozen=True)
class RunState:
    """max_retries, cycles, last_step: from the config; the rest from the journal."""

    max_retries: int
    cycles: int
    last_step: int
    walkers: tuple[WalkerState, ...] = ()
    started: bool = False
    pending: tuple[Query, ...] = ()
    labelled: tuple[tuple[Query, str], ...] = ()
    failures_in_a_row: int = 0
    rejections: int = 0
    fits: int = 0
    fitted_labels: int = -1
    novelty: float = 0.0
    steps_since_query: int = 0
    checks: int = 0
    model_limited: int = 0
    stopped: str = ""

    def apply(self, event: Event) -> RunState:
        """Raises InputError for an event that this version does not know."""
        kind = event["event"]
        if kind in ("opened", "swapped"):
            return replace(self, failures_in_a_row=0) if kind == "opened" else self
        if kind == "started":
            queries = tuple(Query(key, -1, 0) for key in event["queries"])
            walkers = tuple(WalkerState() for _ in range(event["walkers"]))
            return replace(self, started=True, pending=queries, walkers=walkers)
        if kind == "submitted":
            jobs = event["jobs"]
            return replace(self, pending=tuple(replace(q, job=jobs.get(q.key, q.job)) for q in self.pending))
        if kind == "labelled":
            done, pending = self._take(event["query"])
            return replace(self, pending=pending, labelled=(*self.labelled, (done, event["job"])), failures_in_a_row=0)
        if kind == "rejected":
            return self._rejected(event)
        if kind == "fitted":
            return replace(self, fits=event["fit"], fitted_labels=event["labels"], novelty=event["novelty"], stopped="")
        if kind == "explored":
            return self._explored(event)
        if kind == "stopped":
            return replace(self, stopped=event["reason"])
        raise InputError(f"the journal has an event {kind!r} that this version of snap_al does not know")

    def _take(self, key: str) -> tuple[Query, tuple[Query, ...]]:
        at = next(n for n, q in enumerate(self.pending) if q.key == key)
        return self.pending[at], self.pending[:at] + self.pending[at + 1 :]

    def _rejected(self, event: Event) -> RunState:
        query, pending = self._take(event["query"])
        walkers = tuple(w.rejected() if n == query.walker else w for n, w in enumerate(self.walkers))
        return replace(
            self, pending=pending, walkers=walkers, rejections=self.rejections + 1,
            failures_in_a_row=self.failures_in_a_row + 1,
        )  # fmt: skip

    def _explored(self, event: Event) -> RunState:
        walkers, pending = list(self.walkers), list(self.pending)
        steps, checks, limited = self.steps_since_query, self.checks, self.model_limited
        for each in event["walkers"]:
            n = each["walker"]
            walkers[n] = walkers[n].explored(each, self.max_retries, self.cycles, self.last_step)
            steps += max(each["step"] - each["from_step"], 0)
            checks, limited = checks + each["checks"], limited + each["model_limited"]
            if each["query"]:
                pending.append(Query(each["query"], n, each["step"]))
                steps = 0
        return replace(
            self, walkers=tuple(walkers), pending=tuple(pending), steps_since_query=steps, checks=checks,
            model_limited=limited, stopped="",
        )  # fmt: skip


def initial_state(config: RunConfig) -> RunState:
    """Before any event. Raises InputError for a config that does not explore."""
    if config.explore is None:
        raise InputError(
            "explore: a run needs walkers to explore with; `snap-al init` shows how, `snap-al fit` needs none"
        )
    return RunState(config.explore.guards.max_retries, config.explore.cycles, config.explore.steps)
