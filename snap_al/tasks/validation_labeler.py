"""The labeler that a validation compares with."""

from __future__ import annotations

from pathlib import Path

from snap_al.config import load_config, make_labeler
from snap_al.errors import InputError
from snap_al.label import ImmediateBackend, JobBackend, LabelBackend, LocalProcesses
from snap_al.label.settings import LabelSettings
from snap_al.loop import RunConfig

Labeler = Path | str | RunConfig
"""A calculator's name as in `label.calculator`, a config or its file, whose `label` is meant, or
`own`, the run's."""
OWN = "own"


def label_settings(labeler: Labeler | None, config: RunConfig | None) -> LabelSettings | None:
    """The settings of the labeler. It is made here, so that one that does not exist is refused at
    the beginning. Raises InputError.

    config: the config of the run.
    """
    if labeler is None:
        return None
    settings = _settings(labeler, config)
    if settings.backend == "folder":
        name = "of the config" if isinstance(labeler, RunConfig) else labeler
        raise InputError(
            f"--labeler {name}: its labels come from outside (backend: folder), and hundreds "
            "would be asked for; give a --table"
        )
    make_labeler(settings, 1)
    return settings


def _settings(labeler: Labeler, config: RunConfig | None) -> LabelSettings:
    if isinstance(labeler, RunConfig):
        return labeler.label
    if labeler == OWN:
        if config is None:
            raise InputError(
                "--labeler own: the folder is no run; name a calculator, or a config with a "
                "section label"
            )
        return config.label
    if Path(labeler).suffix in (".yaml", ".yml"):
        return load_config(Path(labeler)).label
    return LabelSettings(calculator=str(labeler))


def label_backend(settings: LabelSettings, folder: Path) -> LabelBackend:
    """In this process as in a run with `backend: here`, unless it writes files; else in a process
    of its own, which knows nothing of the ranks.
    """
    labeler = make_labeler(settings, 1)
    if settings.backend == "here" and not labeler.writes_files:
        return ImmediateBackend(labeler, folder)
    here = settings.model_copy(update={"backend": "local", "cluster": None, "executor": None})
    return JobBackend(here, labeler.key, folder, LocalProcesses(here))
