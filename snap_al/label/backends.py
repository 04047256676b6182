"""The label backend that a config names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from snap_al.errors import InputError
from snap_al.label.ase_labeler import AseLabeler
from snap_al.label.backend import ImmediateBackend, LabelBackend
from snap_al.label.cluster import Scheduler
from snap_al.label.folder import FolderBackend
from snap_al.label.jobs import JobBackend, Launcher
from snap_al.label.local import LocalProcesses
from snap_al.label.pool import Pool
from snap_al.label.settings import LabelSettings
from snap_al.named import imported, made


@dataclass(frozen=True)
class Context:
    """What backends are made from."""

    settings: LabelSettings
    """Settings of the labels."""
    labeler: AseLabeler
    """Computes one label."""
    folder: Path
    """Folder of the results."""


def _jobs(launcher: Callable[[Context], Launcher]) -> Callable[[Context], LabelBackend]:
    return lambda c: JobBackend(c.settings, c.labeler.key, c.folder, launcher(c))


def _scheduler(context: Context) -> Launcher:
    settings = context.settings
    assert settings.cluster is not None
    return Scheduler(settings.cluster, settings.threads, context.folder.resolve() / "jobs")


def _pool(context: Context) -> Launcher:
    settings = context.settings
    assert settings.executor is not None
    return Pool.named(settings.executor, settings.executor_arguments)


BACKENDS: dict[str, Callable[[Context], LabelBackend]] = {
    "here": lambda c: ImmediateBackend(c.labeler, c.folder),
    "local": _jobs(lambda c: LocalProcesses(c.settings)),
    "cluster": _jobs(_scheduler),
    "executor": _jobs(_pool),
    "folder": lambda c: FolderBackend(c.labeler.key, c.folder),
}
"""Backends, by the names of `snap_al.label.settings.BackendName`."""


def backend_of(context: Context) -> LabelBackend:
    """The backend of the settings. Raises InputError for a class that cannot be imported or made,
    or that has not the methods of a backend.
    """
    name = context.settings.backend
    if name in BACKENDS:
        return BACKENDS[name](context)
    backend = made(
        "label.backend", name, context.settings.backend_options, context.labeler, context.folder
    )
    if missing := [m for m in ("submit", "poll", "cancel", "close") if not hasattr(backend, m)]:
        raise InputError(f"label.backend: {name} has no method {', '.join(missing)}")
    return cast(LabelBackend, backend)


def computed_in_ranks(settings: LabelSettings) -> bool:
    """Whether labels are computed in the ranks of a run, each of which then needs a backend."""
    if settings.backend in BACKENDS:
        return settings.backend == "here"
    return bool(getattr(imported("label.backend", settings.backend), "everywhere", False))
