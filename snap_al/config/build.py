"""From a config to a run in a directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from snap_al.config.load import read_yaml, validate_config
from snap_al.data.storage import write_atomically
from snap_al.errors import InputError
from snap_al.label import AseLabeler, ImmediateBackend
from snap_al.loop import Driver, Observer, RunConfig, RunDirectory
from snap_al.parallel import Communicator, on_root

MAY_CHANGE = ("stop", "lammps")
"""Sections that may differ when a run goes on: they do not change what was computed so far."""


def open_run(path: Path, folder: Path, comm: Communicator, observe: Observer) -> Driver:
    """Reads the config, makes or checks the run directory, imports the labeler. Collective.

    Raises InputError on all ranks: for the config, for a directory of another config, for a labeler that is not there.
    """
    directory = RunDirectory(folder)
    config = on_root(comm, lambda: _claim(path, directory))
    # Each rank makes its own: a calculator need not be something that can travel.
    labeler = AseLabeler(config.label.calculator, config.label.arguments)
    return Driver(config, directory, ImmediateBackend(labeler, directory.labels), comm, observe)


def _claim(path: Path, directory: RunDirectory) -> RunConfig:
    content = read_yaml(path)
    config = validate_config(content, path)
    if directory.config.exists():
        differing = differences(_fixed(read_yaml(directory.config)), _fixed(content))
        if differing:
            raise InputError(
                f"{directory.root} is a run of another config; these keys differ: {', '.join(differing)}. "
                f"Give another --out, or the config as it was ({directory.config})"
            )
    elif directory.journal.exists():
        raise InputError(f"{directory.root} has a journal but no config.yaml; restore it, or give another --out")
    try:
        write_atomically(directory.config, path.read_text())
    except OSError as error:
        raise InputError(f"{directory.root}: cannot be written to: {error.strerror}; give another --out") from error
    return config


def _fixed(content: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in content.items() if k not in MAY_CHANGE}


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Dotted paths of keys whose values differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        inner = [differences(old.get(k), new.get(k), f"{path}.{k}" if path else str(k)) for k in {**old, **new}]
        return [p for part in inner for p in part]
    return [] if old == new else [path]
