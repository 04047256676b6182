"""Shows `snap-al status` one time, or again and again until the run ends."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from snap_al.config import read_run
from snap_al.errors import RunError
from snap_al.loop import Approval, Event, RunDirectory, RunState, is_running
from snap_al.reporting.status import status_screen
from snap_al.reporting.summary import summarise, summary_json
from snap_al.reporting.terminal import terminal_plots


def status_of(folder: Path) -> dict[str, Any]:
    """What `snap-al status --json` prints. Raises InputError when the folder holds no run."""
    _, events, state = read_run(folder)
    return summary_json(_status(RunDirectory(folder), events, state))


def _status(directory: RunDirectory, events: list[Event], state: RunState) -> dict[str, Any]:
    asked = Approval(directory.approvals).waiting()
    now = {"running": is_running(directory.journal), "to_approve": sum(map(len, asked.values()))}
    return {**summarise(events, state), **now}


def screen(folder: Path, width: int, *, everything: bool = False) -> tuple[RenderableType, bool]:
    """The screen, and whether the run goes on.

    everything: whether all columns of the table of errors are shown.
    """
    directory = RunDirectory(folder)
    _, events, state = read_run(folder)
    status = _status(directory, events, state)
    shown: list[RenderableType] = [status_screen(status, status["running"], everything=everything)]
    try:
        shown += terminal_plots(directory, events, state.tolerance, width)
    except RunError as error:  # only the plots need that file
        shown.append(Text(f"no plots: {error}"))
    return Group(*shown), status["running"]


def follow(folder: Path, console: Console, every: float, *, everything: bool = False) -> None:
    """Shows the screen again every few seconds until the run has ended. The last screen stays."""
    shown, running = screen(folder, console.width, everything=everything)
    with Live(shown, console=console, auto_refresh=False, vertical_overflow="visible") as live:
        while running:
            time.sleep(every)
            shown, running = screen(folder, console.width, everything=everything)
            live.update(shown, refresh=True)
