"""One line per event, on a terminal and in the run's log; under it, on a terminal, what the run is doing now."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.markup import escape

from snap_al.loop import Event, RunState


def place_of(query: Event) -> str:
    """Where a query comes from, by its `walker` and `step`."""
    return "starting set" if query["walker"] < 0 else f"walker {query['walker']} at step {query['step']}"


def describe(event: Event) -> str:
    """A sentence, or an empty text for what needs none."""
    kind = event["event"]
    if kind == "opened":
        return f"opened on {event['ranks']} rank{'s' if event['ranks'] > 1 else ''}"
    if kind == "started":
        return f"{len(event['queries'])} starting configurations to label"
    if kind == "checked":
        return f"the labeler's stress, {event['label']:.4g} eV/Å³, and its energies' derivative, {event['derivative']:.4g}: {event['verdict']}"
    if kind == "labelled":
        force = "" if event["max_force"] is None else f", largest force {event['max_force']:.2f} eV/Å"
        where = place_of(event)
        return f"labelled: {where}, {event['seconds']:.2f} s{force}"
    if kind == "rejected":
        return f"label rejected: {event['reason']}"
    if kind == "fitted":
        force, energy = event["table"].get("forces"), event["table"].get("energy")
        errors = f", forces {force['rmse']:.4f} eV/Å" if force else ""
        errors += f", energy {1e3 * energy['rmse']:.2f} meV/atom" if energy else ""
        return f"fit {event['fit']}: {event['labels']} labels, novel above {event['novelty']:.3f} eV/Å; RMSE on the {event['measured_on']} set{errors}"
    if kind == "explored":
        return "; ".join(
            f"walker {w['walker']}: step {w['from_step']} to {w['step']}, {w['outcome']}: {w['reason']}"
            for w in event["walkers"]
        )
    if kind == "chosen" and event["dropped"]:
        return f"{len(event['kept'])} of {len(event['kept']) + len(event['dropped'])} frames are worth a label each; they do for the others"
    if kind == "halted":
        return f"halted: {event['reason']}"
    if kind == "stopped":
        return f"stopped: {event['reason']}"
    return ""


def doing(state: RunState) -> str:
    if state.stopped:
        return "finishing"
    if state.pending:
        return f"labelling {len(state.pending)}"
    if state.fitted_labels != len(state.labelled):
        return f"fitting {len(state.labelled)} labels"
    return f"exploring, {len(state.labelled)} labels so far"


class Progress:
    """A run's observer on rank 0. Use as a context manager."""

    def __init__(self, log: Path, console: Console) -> None:
        self._console = console
        self._log = log
        self._doing = "starting"
        self._status = console.status("starting") if console.is_terminal else None
        self._logger = logging.Logger("snap_al.run")

    def __enter__(self) -> Progress:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()
        if error is not None and self._logger.handlers:
            self._write(logging.ERROR, f"{type(error).__name__}: {error}")
        for handler in self._logger.handlers:
            handler.close()

    def __call__(self, event: Event, state: RunState) -> None:
        line = describe(event)
        if line:
            self.say(line)
        if self._status is not None:
            self._doing = doing(state)
            self._status.update(self._doing)

    def say(self, line: str) -> None:
        """A line on the console and in the log."""
        self._console.print(escape(line), highlight=False, soft_wrap=True)
        self._write(logging.INFO, line)

    def say_all(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.say(line)

    def report(self, what: str, done: int, of: int) -> None:
        """How far the work under way is; on a terminal alone."""
        if self._status is not None:
            self._status.update(f"{self._doing}: {what} {done} of {of}" if of else f"{self._doing}: {what}")

    def _write(self, level: int, line: str) -> None:
        """The log begins with a run's first event: a start that is refused leaves none, and adds nothing to another's."""
        if not self._logger.handlers:
            handler = logging.FileHandler(self._log)
            handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
            self._logger.addHandler(handler)
        self._logger.log(level, line)
