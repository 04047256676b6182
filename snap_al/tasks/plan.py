"""What a run would do, before it does anything: walkers, ranks, jobs, and what labels may cost."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from snap_al.config import load_config, make_labeler, read_run
from snap_al.data.counts import ReadCount
from snap_al.loop import (
    Event,
    RunConfig,
    RunDirectory,
    RunInputs,
    RunState,
    initial_state,
    labels_left,
    read_inputs,
)
from snap_al.loop.events import Labelled
from snap_al.md import StageSettings


@dataclass(frozen=True)
class PlannedWalker:
    """A walker of the run."""

    name: str
    """Name of its structure."""
    atoms: int
    """Number of its atoms."""


@dataclass(frozen=True)
class PlannedStage:
    """A stage of the MD that each walker would run."""

    ensemble: str
    """The ensemble, or the LAMMPS script in its place."""
    steps: int
    """Number of MD steps."""
    timestep_ps: float
    """ps."""
    temperature_k: list[float]
    """K, at the beginning and the end of the stage."""


@dataclass(frozen=True)
class RunPlan:
    """What a run would do."""

    walkers: tuple[PlannedWalker, ...]
    """The walkers."""
    stages: tuple[PlannedStage, ...]
    """The stages, in the order in which they run."""
    cycles: int
    """How often each walker runs all stages."""
    ranks: int
    """Number of MPI ranks."""
    groups: int
    """Number of walkers that run at the same time."""
    ranks_of_a_group: tuple[int, int]
    """Smallest and largest number of ranks of a walker."""
    training: int
    """Number of configurations that are fitted first."""
    test: int
    """Number of configurations on which errors are measured."""
    read: tuple[ReadCount, ...]
    """What was read from each file."""
    starting_labels: int
    """Number of labels to begin with."""
    labels: int
    """Number of labels so far."""
    labels_left: int
    """Largest number of labels that may follow."""
    core_seconds_of_a_label: float | None
    """Median of the core seconds of a label so far; None before the first."""
    core_seconds_at_most: float | None
    """Core seconds of all labels that may follow."""
    calculator: str
    """Calculator of the labels."""
    files: bool
    """Whether the calculator works with files."""
    backend: str
    """The value of `label.backend`."""
    at_once: int
    """Largest number of labels at the same time."""
    cores_of_a_label: int
    """Number of cores of one label."""
    approve: bool
    """Whether each batch of labels waits for approval."""
    cluster: dict[str, Any] | None
    """What one job asks the scheduler for."""

    def as_json(self) -> dict[str, Any]:
        """What `snap-al run --dry-run --json` prints."""
        return asdict(self)


def plan(path: Path, out: Path, ranks: int) -> RunPlan:
    """The plan of a run. Everything is read and checked, and nothing is written. Raises InputError
    as the run would. It is called on one rank.

    ranks: number of ranks of the run.
    """
    config = load_config(path)
    state, inputs = initial_state(config), read_inputs(config, checked=False)
    labeler = make_labeler(config.label, ranks)
    events: list[Event] = []
    if RunDirectory(out).journal.exists():
        _, events, state = read_run(out)
    each = _core_seconds(events)
    return _plan(config, inputs, state, ranks, each, labeler.writes_files)


def _core_seconds(events: list[Event]) -> float | None:
    """Median of the core seconds of a label."""
    costs = [
        e.core_seconds for e in events if isinstance(e, Labelled) and e.core_seconds is not None
    ]
    return statistics.median(costs) if costs else None


def _plan(
    config: RunConfig,
    inputs: RunInputs,
    state: RunState,
    ranks: int,
    each: float | None,
    files: bool,
) -> RunPlan:
    assert config.explore is not None
    label, walkers = config.label, inputs.walkers
    left, groups = labels_left(state, config), min(ranks, len(walkers))
    cluster = label.cluster
    return RunPlan(
        walkers=tuple(PlannedWalker(w.configuration.name, len(w.configuration)) for w in walkers),
        stages=tuple(_stage(stage) for stage in config.explore.protocol().stages),
        cycles=config.explore.cycles,
        ranks=ranks,
        groups=groups,
        ranks_of_a_group=(ranks // groups, -(-ranks // groups)),
        training=len(inputs.training),
        test=len(inputs.test),
        read=inputs.read,
        starting_labels=0 if state.started else len(inputs.start),
        labels=len(state.labelled),
        labels_left=left,
        core_seconds_of_a_label=each,
        core_seconds_at_most=None if each is None else each * left,
        calculator=label.calculator,
        files=files,
        backend=label.backend,
        at_once=label.most_at_once,
        cores_of_a_label=label.cores_of_one,
        approve=label.approve,
        cluster=None if cluster is None else cluster.model_dump(exclude_defaults=True),
    )


def _stage(stage: StageSettings) -> PlannedStage:
    ensemble, temperature = str(stage.script or stage.ensemble), list(stage.temperature)
    return PlannedStage(ensemble, stage.steps, stage.timestep, temperature)
