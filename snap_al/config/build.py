"""From a config to a run in a directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snap_al.config.load import read_yaml, validate_config
from snap_al.config.written import content_of, origin_of, text_of
from snap_al.data.storage import write_atomically
from snap_al.errors import InputError
from snap_al.inference.methods import method_of
from snap_al.inference.settings_union import without_others
from snap_al.label import AseLabeler, LabelBackend
from snap_al.label.backends import Context, backend_of, computed_in_ranks
from snap_al.label.settings import JOB_KEYS, OWN_KEYS, LabelSettings
from snap_al.loop import (
    Driver,
    Journal,
    Observer,
    RunConfig,
    RunDirectory,
    initial_state,
    read_inputs,
)
from snap_al.loop.events import Fitted, Labelled
from snap_al.named import made
from snap_al.parallel import Communicator, collectively, on_root
from snap_al.progress import Report, silent

MAY_CHANGE = ("stop", "lammps", "cache", "memory_gb")
"""Sections that may differ when a run goes on: they do not change what was computed so far."""
MAY_CHANGE_OF_LABEL = (
    "backend",
    "backend_options",
    "max_failures",
    "checks",
    "approve",
    *JOB_KEYS,
    *(key for keys in OWN_KEYS.values() for key in keys),
)
"""The same of the section label."""


@contextmanager
def open_run(
    source: Path | RunConfig,
    folder: Path,
    comm: Communicator,
    observe: Observer,
    report: Report = silent,
    warn: Callable[[str], None] = lambda text: None,
) -> Iterator[Driver]:
    """Reads config and files, imports the labeler, and only then claims the run directory.
    Collective.

    source: the config or its file. warn: is told, on rank 0, what looks wrong in the labels that
    were read.

    Raises InputError on all ranks: for the config, a file it names, a labeler that is not there, a
    directory of another config, or one in which another process runs.
    """
    directory = RunDirectory(folder)
    given = on_root(comm, lambda: _Given.of(source))
    config = given.config
    initial_state(config)
    inputs = on_root(comm, lambda: read_inputs(config))
    if comm.rank == 0:
        for text in inputs.remarks.warnings:
            warn(text)
    with collectively(comm):
        _make_classes_of_yours(config)
        # Each rank makes its own: a calculator need not be something that can travel.
        labeler = make_labeler(config.label, comm.size)
    journal: Journal | None = None
    with collectively(comm):
        if comm.rank == 0:
            journal = Journal(directory.journal)
            with _closed_on_error(journal):
                _claim(given, directory, journal)
    with journal or nullcontext():
        backend: LabelBackend | None = None
        with collectively(comm):
            if comm.rank == 0 or computed_in_ranks(config.label):
                backend = backend_of(Context(config.label, labeler, directory.labels))
        with closing(backend) if backend else nullcontext():
            yield Driver(config, inputs, directory, backend, journal, comm, observe, report)


def _make_classes_of_yours(config: RunConfig) -> None:
    """Raises InputError for one that is not there, or refuses its options, before anything is paid
    for.
    """
    config.made_model()
    method_of(config.fit)
    query = config.query
    for key, name, options in (
        ("query.rule", query.rule, query.rule_options),
        ("query.strategy", query.strategy, query.strategy_options),
    ):
        if "." in name:
            made(key, name, options)


def make_labeler(settings: LabelSettings, ranks: int) -> AseLabeler:
    """Raises InputError for a calculator that is not there, or that as many ranks cannot share."""
    labeler = AseLabeler(settings.calculator, settings.arguments, settings.magmoms)
    if labeler.writes_files and settings.backend == "here" and ranks > 1:
        raise InputError(
            f"label.backend: here: {settings.calculator} works with files, and {ranks} ranks "
            "would share their folder; "
            "take backend: local, in which each label has its own"
        )
    return labeler


@contextmanager
def _closed_on_error(journal: Journal) -> Iterator[None]:
    try:
        yield
    except BaseException:
        journal.close()
        raise


@dataclass(frozen=True)
class _Given:
    """A config, with what is kept of it in the directory."""

    config: RunConfig
    """The config."""
    content: dict[str, Any]
    """Keys and values that were given."""
    text: bytes
    """Text of the config file."""
    origin: Path
    """The file that its paths are relative to."""

    @classmethod
    def of(cls, source: Path | RunConfig) -> _Given:
        """Raises InputError."""
        if isinstance(source, RunConfig):
            content, text = content_of(source), text_of(source).encode()
            return cls(source, content, text, origin_of(source))
        content = read_yaml(source)
        return cls(validate_config(content, source), content, source.read_bytes(), source)


def _claim(given: _Given, directory: RunDirectory, journal: Journal) -> None:
    """Keeps the config's text in the directory; refuses one that what is there was not computed
    with.
    """
    if directory.config.exists():
        differing = differences(fixed(read_yaml(directory.config)), fixed(given.content))
        if differing and any(isinstance(event, Labelled | Fitted) for event in journal.events):
            raise InputError(
                f"{directory.root} is a run of another config; these keys differ: "
                f"{', '.join(differing)}. "
                "Give another --out, or change them back (the config as it was: "
                f"{directory.config})"
            )
        if differing:
            journal.clear()
    elif journal.events:
        raise InputError(
            f"{directory.root} has a journal but no config.yaml; restore it, or give another --out"
        )
    directory.write_origin(given.origin)
    write_atomically(directory.config, given.text)


def fixed(content: dict[str, Any]) -> dict[str, Any]:
    """What may not differ when a run goes on: options of other posteriors, which are at their
    defaults, are left out.
    """
    label = content.get("label")
    kept = {k: v for k, v in content.items() if k not in (*MAY_CHANGE, "label")}
    if isinstance(label, dict) and (
        of_label := {k: v for k, v in label.items() if k not in MAY_CHANGE_OF_LABEL}
    ):
        kept["label"] = of_label
    if isinstance(kept.get("fit"), dict):
        kept["fit"] = without_others(kept["fit"])
    return kept


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Dotted paths of keys whose values differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        inner = [
            differences(old.get(k), new.get(k), f"{path}.{k}" if path else str(k))
            for k in {**old, **new}
        ]
        return [p for part in inner for p in part]
    return [] if old == new else [path]
