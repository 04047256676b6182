"""Plots on a terminal: largest force std of the latest checks, and errors against the number of
labels."""

from __future__ import annotations

from collections.abc import Sequence

import plotext
from rich.text import Text

from snap_al.loop import Event, RunDirectory
from snap_al.loop.events import Fitted
from snap_al.reporting.summary import segments
from snap_al.uncertainty import Metrics

LATEST, HEIGHT = 200, 12
"""Number of checks shown, of all walkers one after another, and number of lines of a plot."""


def terminal_plots(
    directory: RunDirectory, events: Sequence[Event], tolerance: float, width: int
) -> list[Text]:
    """The plots that there is data for."""
    plots = []
    checks = _checks(directory, events)
    if len(checks) > 1:
        plots.append(_std(checks, tolerance, width))
    fits = [e for e in events if isinstance(e, Fitted)]
    errors = [(e.labels, e.table.forces) for e in fits if e.table.forces is not None]
    if len(errors) > 1:
        plots.append(_errors(errors, fits[-1].measured_on, width))
    return plots


def _checks(directory: RunDirectory, events: Sequence[Event]) -> list[tuple[float, bool]]:
    """Largest force std of each of the latest checks, and whether the frame was queried."""
    checks: list[tuple[float, bool]] = []
    for w in reversed(segments(events)):
        asked = {q.step for q in w.queries}
        checks[:0] = [
            (c.force_std, c.step in asked) for c in directory.read_checks(w.walker, w.segment)
        ]
        if len(checks) >= LATEST:
            break
    return checks[-LATEST:]


def _std(checks: list[tuple[float, bool]], tolerance: float, width: int) -> Text:
    plotext.clear_figure()
    x = list(range(1, len(checks) + 1))
    plotext.plot(x, [std for std, _ in checks], marker="braille")
    asked = [(k, std) for k, (std, queried) in zip(x, checks, strict=True) if queried]
    if asked:
        plotext.scatter(*map(list, zip(*asked, strict=True)), marker="o")
    plotext.hline(tolerance, "red")
    title = f"largest force std, eV/Å: the last {len(checks)} checks; o: labelled; line: tolerance"
    return _drawn(title, width)


def _errors(errors: Sequence[tuple[int, Metrics]], measured_on: str, width: int) -> Text:
    """errors: number of labels and errors of forces, of each fit. measured_on: name of the set."""
    plotext.clear_figure()
    labels = [n for n, _ in errors]
    plotext.plot(labels, [forces.rmse for _, forces in errors], marker="braille")
    plotext.scatter(labels, [forces.sharpness for _, forces in errors], marker="+")
    title = f"forces against labels, {measured_on} set, eV/Å: RMSE; +: RMS std"
    return _drawn(title, width)


def _drawn(title: str, width: int) -> Text:
    plotext.theme("clear")
    plotext.plotsize(min(width, 100), HEIGHT)
    return Text.assemble(f"\n{title}\n", Text.from_ansi(plotext.build()))
