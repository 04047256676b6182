"""The display of a run on a terminal: one line per event and, below them, what the run is doing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.text import Text

from snap_al.loop import RunState
from snap_al.names import in_message, in_terminal
from snap_al.reporting.run_log import RunLog, doing


class Progress(RunLog):
    """A run's observer on rank 0 that writes the log and shows it. Use as a context manager."""

    def __init__(
        self, log: Path, console: Console, warn: Callable[[str], None] = lambda text: None
    ) -> None:
        """warn: shows a warning; not on the console, which may be quiet."""
        super().__init__(log)
        self._console, self._warn = console, warn
        self._doing = "starting"
        self._status = console.status("starting") if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._status is not None:
            self._status.stop()
        super().__exit__(kind, error, trace)

    def show(self, line: str) -> None:
        self._console.print(Text(in_message(line)), soft_wrap=True)

    def show_warning(self, text: str) -> None:
        self._warn(text)

    def show_doing(self, state: RunState) -> None:
        if self._status is not None:
            self._doing = doing(state)
            self._status.update(self._doing)

    def report(self, what: str, done: int, of: int) -> None:
        """Shows how far the work is; on a terminal alone."""
        if self._status is not None:
            now = f"{self._doing}: {in_terminal(what)}"
            self._status.update(Text(f"{now} {done} of {of}" if of else now))
