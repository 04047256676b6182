"""Progress of a command on stderr, when it takes longer than a moment: a bar on a terminal,
otherwise a line from time to time."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from snap_al.names import in_terminal
from snap_al.reporting.layout import make_console, shortened

SHOWN_AFTER = 2.0
"""s; shorter work shows nothing."""
LINE_EVERY = 30.0
"""s between lines, where there is no terminal."""
TICK = 0.2
NUMBERS = 40
"""Number of cells of a line for counts and times, which are not cut; words and bar share the rest.
"""


class Working:
    """A `Report`; use as a context manager. A thread of its own shows it, so that work which does
    not return for minutes, as one large factorisation, still has its clock running."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or make_console(stderr=True)
        self._now: tuple[str, int, int] | None = None
        self._since = self._said = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._show, daemon=True)
        room = max(self._console.width - NUMBERS, 8)
        bar = min(40, room // 3) if self._console.width >= 80 else 0
        self._words = room - bar
        columns: list[ProgressColumn] = [
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            *[BarColumn(bar)] * (bar > 0),
            TextColumn("{task.fields[count]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        ]
        self._bar = Progress(*columns, console=self._console, transient=True, auto_refresh=False)
        self._task: TaskID | None = None

    def __enter__(self) -> Working:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def __call__(self, what: str, done: int, of: int) -> None:
        if self._now is None or self._now[0] != in_terminal(what):
            self._since = self._said = time.monotonic()
        self._now = (in_terminal(what), done, of)

    def _show(self) -> None:
        shown = ""
        while not self._ended.wait(TICK):
            if self._now is None or time.monotonic() - self._since < SHOWN_AFTER:
                continue
            what, done, of = self._now
            if not self._console.is_terminal:
                self._line(what, done, of)
                continue
            if shown != what:
                self._begin(what)
                shown = what
            assert self._task is not None
            self._bar.update(
                self._task, completed=done, total=of or None, count=f"{done} of {of}" if of else ""
            )
            self._bar.refresh()
        if self._task is not None:
            self._bar.stop()

    def _begin(self, what: str) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._bar.start()
        self._task = self._bar.add_task(shortened(what, self._words), count="")

    def _line(self, what: str, done: int, of: int) -> None:
        now = time.monotonic()
        if now - self._said >= LINE_EVERY:
            self._said = now
            count = f": {done} of {of}" if of else ""
            line = f"{what}{count}, {now - self._since:.0f} s so far"
            self._console.print(Text(line), soft_wrap=True)
