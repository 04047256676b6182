"""Summary of a run from its journal: what it has done, what it is doing, and why it stopped."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from snap_al.loop import Event, RunState, WalkerStatus, model_limited
from snap_al.loop.events import Explored, Fitted, Labelled, Opened, Rejected, Segment

Summary = dict[str, Any]


def summarise(events: list[Event], state: RunState) -> Summary:
    """labels, their cost and failures, fits, stopped, walkers, learning curve, wall seconds by
    part, the last fit's table, and the last session's warnings and notes."""
    fits = [e for e in events if isinstance(e, Fitted)]
    asked = [e for e in events if isinstance(e, Labelled | Rejected)]
    opened = [e for e in events if isinstance(e, Opened)][-1:]
    return {
        "labels": len(state.labelled),
        "rejected": state.rejections,
        "pending": len(state.pending),
        "fits": state.fits,
        "stopped": state.stopped,
        "model_limited": model_limited(state),
        "novelty_ev_per_a": state.novelty,
        "tolerance_ev_per_a": state.tolerance,
        "wall_seconds": wall_seconds(events),
        "label_core_seconds": sum(map(core_seconds, asked)),
        "warnings": [text for e in opened for text in e.warnings],
        "notes": [text for e in opened for text in e.notes],
        "failures": [
            {"job": e.job or "", "reason": e.reason} for e in asked if isinstance(e, Rejected)
        ],
        "walkers": [
            {
                "walker": n,
                "name": w.name,
                "status": w.status.value,
                "step": w.trail[-1].step
                if w.status is not WalkerStatus.FINISHED
                else state.last_step,
                "of": state.last_step,
                "segments": w.segments,
                "retries": w.retries,
                "reason": w.reason,
            }
            for n, w in enumerate(state.walkers)
        ],
        "learning_curve": [
            {"labels": e.labels, "on": e.measured_on, "table": e.table} for e in fits
        ],
    }


def summary_json(summary: Summary) -> Summary:
    """The summary as JSON has it."""
    curve = [{**fit, "table": fit["table"].as_json()} for fit in summary["learning_curve"]]
    return {**summary, "learning_curve": curve}


def segments(events: Iterable[Event]) -> list[Segment]:
    """The segments of all walkers, in the order in which they ran."""
    return [w for e in events if isinstance(e, Explored) for w in e.walkers]


def core_seconds(event: Labelled | Rejected) -> float:
    """Core seconds that a label cost; its wall time in journals that do not have them."""
    return event.seconds if event.core_seconds is None else event.core_seconds


def wall_seconds(events: list[Event]) -> dict[str, float]:
    """md, std, label, fit and total, over all sessions of the run, without the time between
    them.
    """
    explored = segments(events)
    parts = {
        "md": sum(w.seconds - w.std_seconds for w in explored),
        "std": sum(w.std_seconds for w in explored),
        "label": sum(e.seconds for e in events if isinstance(e, Labelled | Rejected)),
        "fit": sum(e.seconds for e in events if isinstance(e, Fitted)),
    }
    total = 0.0
    for before, after in itertools.pairwise(events):
        total += 0.0 if isinstance(after, Opened) else after.time - before.time
    return {**parts, "total": total}
