"""What a run has done, is doing and why it stopped, from its journal."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import Any

from snap_al.data.storage import write_atomically
from snap_al.loop import Event, RunDirectory, RunState, WalkerStatus, model_limited

Summary = dict[str, Any]
OF_METRICS = (
    "labels",
    "rejected",
    "stopped",
    "model_limited",
    "wall_seconds",
    "label_core_seconds",
    "warnings",
    "notes",
)


def summarise(events: list[Event], state: RunState) -> Summary:
    """labels, their cost and failures, fits, stopped, walkers, learning curve, wall seconds by
    part, the last fit's table, and the last session's warnings and notes."""
    fits = [e for e in events if e["event"] == "fitted"]
    asked = [e for e in events if e["event"] in ("labelled", "rejected")]
    opened: Event = next((e for e in reversed(events) if e["event"] == "opened"), {})
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
        "label_core_seconds": sum(e.get("core_seconds", e["seconds"]) for e in asked),
        "warnings": opened.get("warnings", []),
        "notes": opened.get("notes", []),
        "failures": [
            {"job": e.get("job", ""), "reason": e["reason"]}
            for e in asked
            if e["event"] == "rejected"
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
            {"labels": e["labels"], "on": e["measured_on"], "table": e["table"]} for e in fits
        ],
    }


def segments(events: Iterable[Event]) -> list[Event]:
    """Of all walkers, in the order in which they ran."""
    return [w for e in events if e["event"] == "explored" for w in e["walkers"]]


def wall_seconds(events: list[Event]) -> dict[str, float]:
    """md, std, label, fit and total, over all sessions of the run, without the time between
    them.
    """
    explored = segments(events)
    parts = {
        "md": sum(w["seconds"] - w["std_seconds"] for w in explored),
        "std": sum(w["std_seconds"] for w in explored),
        "label": sum(e["seconds"] for e in events if e["event"] in ("labelled", "rejected")),
        "fit": sum(e["seconds"] for e in events if e["event"] == "fitted"),
    }
    total = 0.0
    for before, after in itertools.pairwise(events):
        total += 0.0 if after["event"] == "opened" else after["time"] - before["time"]
    return {**parts, "total": total}


def metrics(summary: Summary) -> dict[str, Any]:
    """The content of a run's metrics.json."""
    last = summary["learning_curve"][-1] if summary["learning_curve"] else None
    found = {k: summary[k] for k in OF_METRICS}
    return found if last is None else {**found, last["on"]: last["table"]}


def write_metrics(
    directory: RunDirectory, events: list[Event], state: RunState, read: list[dict[str, Any]]
) -> dict[str, Any]:
    """read: what was found in each labelled file."""
    content = metrics(summarise(events, state)) | {"read": read}
    write_atomically(directory.metrics, json.dumps(content, indent=1) + "\n")
    return content
