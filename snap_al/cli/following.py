"""`snap-al status`, once or for as long as the run goes on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live

from snap_al.config import read_run
from snap_al.loop import Approval, RunDirectory, is_running
from snap_al.report.summary import summarise
from snap_al.report.tables import status_screen
from snap_al.report.terminal import terminal_plots


def status_of(folder: Path) -> dict[str, Any]:
    """What `snap-al status --json` prints. Raises InputError when the folder holds no run."""
    _, events, state = read_run(folder)
    directory = RunDirectory(folder)
    asked = Approval(directory.approvals).waiting()
    now = {"running": is_running(directory.journal), "to_approve": sum(map(len, asked.values()))}
    return {**summarise(events, state), **now}


def screen(folder: Path, width: int) -> tuple[RenderableType, bool]:
    """The screen, and whether the run goes on."""
    found = status_of(folder)
    _, events, state = read_run(folder)
    plots = terminal_plots(RunDirectory(folder), events, state.tolerance, width)
    return Group(status_screen(found, found["running"]), *plots), found["running"]


def follow(folder: Path, console: Console, every: float) -> None:
    """Shows the screen anew every so many seconds, until the run has ended; the last one stays."""
    shown, running = screen(folder, console.width)
    with Live(shown, console=console, auto_refresh=False, vertical_overflow="visible") as live:
        while running:
            time.sleep(every)
            shown, running = screen(folder, console.width)
            live.update(shown, refresh=True)
