"""The log of a run, with one line per event. Other displays of the events are derived from it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self, assert_never

from snap_al.loop import RunState
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
    Segment,
    Started,
    Stopped,
    Submitted,
)
from snap_al.names import in_log
from snap_al.reporting.shown import rounded


def place_of(walker: int, step: int) -> str:
    """Where the frame of a query comes from."""
    return "starting set" if walker < 0 else f"walker {walker} at step {step}"


def describe(event: Event) -> str:
    """An event as a sentence; "" for one that is not shown."""
    match event:
        case Opened():
            opened = f"opened on {event.ranks} rank{'s' if event.ranks > 1 else ''}"
            return "\n".join([opened, *(f"note: {text}" for text in event.notes)])
        case Started():
            return f"{len(event.queries)} starting configurations to label"
        case Chosen():
            return _chosen(event)
        case Submitted():
            return ""
        case Checked():
            label, slope = rounded(event.label, 4), rounded(event.derivative, 4)
            compared = f"the labeler's stress, {label} eV/Å³, and its energies' derivative, {slope}"
            return f"{compared}: {event.verdict}"
        case Labelled():
            return _labelled(event)
        case Rejected():
            return f"label rejected: {event.reason}"
        case Fitted():
            return _fitted(event)
        case Explored():
            return "; ".join(map(_segment, event.walkers))
        case Stopped() | Halted():
            return f"{event.event}: {event.reason}"
        case _:
            assert_never(event)


def _chosen(event: Chosen) -> str:
    kept, dropped = len(event.kept), len(event.dropped)
    if not dropped:
        return ""
    return f"{kept} of {kept + dropped} frames are worth a label each; they do for the others"


def _labelled(event: Labelled) -> str:
    largest = event.max_force
    force = "" if largest is None else f", largest force {rounded(largest, 4)} eV/Å"
    return f"labelled: {place_of(event.walker, event.step)}, {event.seconds:.2f} s{force}"


def _segment(segment: Segment) -> str:
    steps = f"step {segment.from_step} to {segment.step}"
    return f"walker {segment.walker}: {steps}, {segment.outcome}: {segment.reason}"


def _fitted(event: Fitted) -> str:
    forces, energy = event.table.forces, event.table.energy
    errors = f", forces {rounded(forces.rmse, 4)} eV/Å" if forces else ""
    errors += f", energy {rounded(energy.rmse, 4, 1e3)} meV/atom" if energy else ""
    counts = f"fit {event.fit}: {event.labels} labels"
    novelty = f"novel above {rounded(event.novelty, 4)} eV/Å"
    return f"{counts}, {novelty}; RMSE on the {event.measured_on} set{errors}"


def doing(state: RunState) -> str:
    if state.stopped:
        return "finishing"
    if state.pending:
        return f"labelling {len(state.pending)}"
    if state.fitted_labels != len(state.labelled):
        return f"fitting {len(state.labelled)} labels"
    return f"exploring, {len(state.labelled)} labels so far"


class RunLog:
    """A run's observer on rank 0, which writes the run's log. Use as a context manager.

    A class derived from it shows the same elsewhere: it defines `show`, `show_warning`,
    `show_doing` and `report`, which do nothing here.
    """

    def __init__(self, log: Path) -> None:
        """log: the file; lines are added to what it has."""
        self._warned: set[str] = set()
        self._log = log
        self._logger = logging.Logger("snap_al.run")

    def show(self, line: str) -> None:
        """Shows a line, which is written to the log too."""

    def show_warning(self, text: str) -> None:
        """Shows a warning that has not been shown before."""

    def show_doing(self, state: RunState) -> None:
        """Shows what the run is doing now."""

    def report(self, what: str, done: int, of: int) -> None:
        """Shows how far the work under way is."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and self._logger.handlers:
            self._write(logging.ERROR, f"{type(error).__name__}: {error}")
        for handler in self._logger.handlers:
            handler.close()

    def __call__(self, event: Event, state: RunState) -> None:
        line = describe(event)
        if line:
            self.say(line)
        for text in event.warnings if isinstance(event, Opened) else ():
            self.warn(text)
            self._write(logging.WARNING, f"warning: {text}")
        self.show_doing(state)

    def warn(self, text: str) -> None:
        """Shows a warning, once."""
        if text not in self._warned:
            self._warned.add(text)
            self.show_warning(text)

    def say(self, line: str) -> None:
        """Shows a line and writes it to the log."""
        self.show(line)
        self._write(logging.INFO, line)

    def say_all(self, lines: Iterable[str]) -> None:
        """Says each of the lines."""
        for line in lines:
            self.say(line)

    def _write(self, level: int, line: str) -> None:
        """Writes to the log. It is created at the first event of a run, so that a start that is
        refused leaves no log, and adds nothing to that of another run."""
        if not self._logger.handlers:
            handler = logging.FileHandler(self._log, encoding="utf-8")
            handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
            self._logger.addHandler(handler)
        self._logger.log(level, "%s", in_log(line))
