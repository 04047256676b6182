"""The screen of `snap-al status`."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from snap_al.names import in_terminal
from snap_al.reporting.layout import Column, Content, TextTable
from snap_al.reporting.shown import rounded
from snap_al.reporting.summary import Summary
from snap_al.reporting.tables import errors_table

SHOWN_FAILURES = 3
WALKERS = (
    Column("walker", Content.NAME),
    Column("from", Content.NAME),
    Column("status", Content.NAME),
    Column("step"),
    Column("segments"),
    Column("last", Content.TEXT),
)


def status_screen(summary: Summary, running: bool, *, everything: bool = False) -> RenderableType:
    """One screen: what the run has done, is doing, and why it stopped. everything: all columns of
    the table of errors."""
    lines = map(in_terminal, _lines(summary, running))
    shown: list[RenderableType] = [Text("\n".join(lines)), Text()]
    rows = tuple(map(_walker, summary["walkers"]))
    shown.append(TextTable("walkers", WALKERS, rows))
    if summary["learning_curve"]:
        last = summary["learning_curve"][-1]
        title = f"last fit, on the {last['on']} set"
        shown += [Text(), errors_table(last["table"], title, everything=everything)]
    return Group(*shown)


def _walker(walker: dict[str, Any]) -> tuple[str, ...]:
    step = f"{walker['step']}/{walker['of']}"
    first = (walker["walker"], walker["name"], walker["status"])
    return tuple(map(str, (*first, step, walker["segments"], walker["reason"])))


def _lines(summary: Summary, running: bool) -> list[str]:
    stopped = summary["stopped"]
    doing = f"stopped: {stopped}" if stopped else "interrupted; run it again to go on"
    seconds = summary["wall_seconds"]
    parts = ", ".join(f"{k} {seconds[k]:.1f} s" for k in ("md", "std", "label", "fit"))
    if sum(seconds[k] for k in ("md", "std", "label", "fit")) > seconds["total"]:
        parts += " (sums over what ran side by side)"
    cost = rounded(summary["label_core_seconds"], 4)
    counts = f"labels {summary['labels']}, rejected {summary['rejected']}"
    tolerance = rounded(summary["tolerance_ev_per_a"], 4)
    novelty = rounded(summary["novelty_ev_per_a"], 4)
    lines = [
        "running" if running else doing,
        f"{counts}, waiting {summary['pending']}, fits {summary['fits']}",
        f"force std: tolerance {tolerance} eV/Å, novel above {novelty} eV/Å",
        f"time: total {seconds['total']:.1f} s; {parts}; labels cost {cost} core-seconds",
    ]
    if summary.get("to_approve"):
        lines.append(f"{summary['to_approve']} labels wait for your yes: snap-al approve DIR")
    for failure in summary["failures"][-SHOWN_FAILURES:]:
        lines.append(f"label failed: {failure['reason']} (labels/failed/{failure['job']}.json)")
    if summary["model_limited"]:
        lines.append(summary["model_limited"])
    return lines
