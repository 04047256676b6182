"""What a run would do, before it does anything: walkers, ranks, jobs, and what labels may cost."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from snap_al.config import load_config, make_labeler, read_run
from snap_al.data.counts import ReadCount
from snap_al.loop import Event, RunDirectory, initial_state, labels_left, read_inputs
from snap_al.loop.events import Labelled
from snap_al.md import StageSettings

Plan = dict[str, Any]


def plan(config_path: Path, out: Path, ranks: int) -> Plan:
    """Reads and checks everything that `snap-al run` does, and writes nothing. Raises InputError as
    it would.
    """
    config = load_config(config_path)
    state, inputs = initial_state(config), read_inputs(config, checked=False)
    labeler = make_labeler(config.label, ranks)
    assert config.explore is not None
    label, walkers = config.label, inputs.walkers
    events: list[Event] = []
    if RunDirectory(out).journal.exists():
        _, events, state = read_run(out)
    costs = [
        e.core_seconds for e in events if isinstance(e, Labelled) and e.core_seconds is not None
    ]
    each = statistics.median(costs) if costs else None
    left = labels_left(state, config)
    groups = min(ranks, len(walkers))
    return {
        "walkers": [{"name": w.configuration.name, "atoms": len(w.configuration)} for w in walkers],
        "stages": [_stage(stage) for stage in config.explore.protocol().stages],
        "cycles": config.explore.cycles,
        "ranks": ranks,
        "groups": groups,
        "ranks_of_a_group": [ranks // groups, -(-ranks // groups)],
        "training": len(inputs.training),
        "test": len(inputs.test),
        "read": [c.as_json() for c in inputs.read],
        "starting_labels": 0 if state.started else len(inputs.start),
        "labels": len(state.labelled),
        "labels_left": left,
        "core_seconds_of_a_label": each,
        "core_seconds_at_most": None if each is None else each * left,
        "calculator": label.calculator,
        "files": labeler.writes_files,
        "backend": label.backend,
        "at_once": label.most_at_once,
        "cores_of_a_label": label.cores_of_one,
        "approve": label.approve,
        "cluster": None
        if label.cluster is None
        else label.cluster.model_dump(exclude_defaults=True),
    }


def _stage(stage: StageSettings) -> dict[str, Any]:
    return {
        "ensemble": str(stage.script or stage.ensemble),
        "steps": stage.steps,
        "timestep_ps": stage.timestep,
        "temperature_k": list(stage.temperature),
    }


def described(found: Plan) -> list[str]:
    """The same as sentences."""
    walkers, (few, many) = found["walkers"], found["ranks_of_a_group"]
    lines = [
        f"{len(walkers)} walkers; on {found['ranks']} ranks, {found['groups']} at the same time, "
        f"{_range(few, many)} each:"
    ]
    lines += [f"  {n}: {w['name']}, {w['atoms']} atoms" for n, w in enumerate(walkers)]
    lines += [
        f"  {s['ensemble']}: {s['steps']} steps, {s['steps'] * s['timestep_ps']:g} ps, "
        f"{s['temperature_k'][0]:g} to {s['temperature_k'][1]:g} K"
        for s in found["stages"]
    ]
    if found["cycles"] > 1:
        lines.append(f"  all of it {found['cycles']} times")
    lines += [line for read in found["read"] for line in ReadCount(**read).described()]
    lines.append(
        f"fitted first: {found['training']} configurations; tested on "
        f"{found['test'] or 'the training set'}"
    )
    where = {"here": "in the run's own processes", "folder": "by whoever answers in labels/answers"}
    jobs = where.get(
        found["backend"],
        f"backend {found['backend']}, {found['at_once']} at once, {found['cores_of_a_label']} "
        "cores each",
    )
    lines.append(
        f"labels: {found['calculator']}, {jobs}"
        + (f"; {found['cluster']}" if found["cluster"] else "")
    )
    lines.append(
        f"{found['starting_labels']} to begin with, {found['labels_left']} at most"
        + (", each batch when you say yes" if found["approve"] else "")
    )
    if (each := found["core_seconds_of_a_label"]) is None:
        lines.append("what a label costs is known when there is one: then ask again")
    else:
        lines.append(
            f"at {each:.3g} core-seconds each (median so far), "
            f"{found['core_seconds_at_most'] / 3600:.3g} core-hours at most"
        )
    return lines


def _range(few: int, many: int) -> str:
    return f"{few} rank{'s' if few > 1 else ''}" if few == many else f"{few} or {many} ranks"
