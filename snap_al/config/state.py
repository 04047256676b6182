"""A run directory's state, read without touching it."""

from __future__ import annotations

from pathlib import Path

from snap_al.config.load import load_config
from snap_al.errors import InputError
from snap_al.loop import (
    Event,
    RunConfig,
    RunDirectory,
    RunState,
    initial_state,
    read_events,
    replayed,
)


def read_run(folder: Path) -> tuple[RunConfig, list[Event], RunState]:
    """Config, events and state of a run. Raises InputError when the folder holds none."""
    directory = RunDirectory(folder)
    if not directory.config.exists() or not directory.journal.exists():
        raise InputError(
            f"{folder}: no run here (config.yaml and journal.jsonl); `snap-al run CONFIG --out "
            f"{folder}` makes one"
        )
    config, events = (
        load_config(directory.config, directory.read_origin()),
        read_events(directory.journal),
    )
    return config, events, replayed(initial_state(config), events)
