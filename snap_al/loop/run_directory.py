"""Where a run keeps its files. Paths only; nothing here knows what is in them.

config.yaml  journal.jsonl  run.log  metrics.json  potential.*  posterior.npz
labels/       one file per label
queries/      one file per configuration that was asked for
fits/0003/    potential files of a fit
walkers/0/    restarts, checks and LAMMPS logs of a walker
figures/      PNG
descriptors/  rows of configurations, a cache that may be deleted
"""

from __future__ import annotations

import json
import os
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

from snap_al.data.configuration import Configuration
from snap_al.data.json_text import read_json
from snap_al.data.storage import require_regular_file, write_atomically
from snap_al.errors import RunError
from snap_al.label.backend import decode_structure, encode_structure
from snap_al.md import Check


@dataclass(frozen=True)
class RunDirectory:
    """The paths of a run, below its root."""

    root: Path
    """The directory of the run."""

    @property
    def journal(self) -> Path:
        return self.root / "journal.jsonl"

    @property
    def config(self) -> Path:
        return self.root / "config.yaml"

    @property
    def origin(self) -> Path:
        """Names the file that `config` is a copy of: its paths are relative to that one."""
        return self.root / "config.origin"

    def write_origin(self, config: Path) -> None:
        """Written as bytes, since a path need not be text in any encoding."""
        write_atomically(self.origin, os.fsencode(config.resolve()) + b"\n")

    def read_origin(self) -> Path:
        """Path of the original config; the copy itself when it is not recorded."""
        stored = require_regular_file(self.origin).read_bytes() if self.origin.exists() else b""
        return (
            Path(os.fsdecode(stored.removesuffix(b"\n")))
            if stored.strip() and b"\0" not in stored
            else self.config
        )

    @property
    def labels(self) -> Path:
        return self.root / "labels"

    @property
    def approvals(self) -> Path:
        return self.root / "approve"

    @property
    def descriptors(self) -> Path:
        return self.root / "descriptors"

    @property
    def metrics(self) -> Path:
        return self.root / "metrics.json"

    @property
    def predictions(self) -> Path:
        return self.root / "predictions.npz"

    def fit(self, number: int) -> Path:
        return self.root / "fits" / f"{number:04d}"

    def active_set(self, fit: int) -> Path:
        """The active set of a fit, with rule grade."""
        return self.fit(fit) / "active_set.npy"

    def walker(self, number: int) -> Path:
        return self.root / "walkers" / str(number)

    def make_walkers(self, count: int) -> None:
        for number in range(count):
            self.walker(number).mkdir(parents=True, exist_ok=True)

    def restart(self, walker: int, segment: int) -> Path:
        return self.walker(walker) / f"segment-{segment:04d}.restart"

    def checks(self, walker: int, segment: int) -> Path:
        return self.walker(walker) / f"segment-{segment:04d}.json"

    def aborted(self, walker: int, segment: int) -> Path:
        """Written by a rank that failed alone in the LAMMPS session of this segment, just before it
        ended the job."""
        return self.walker(walker) / f"segment-{segment:04d}.aborted.txt"

    def write_checks(self, walker: int, segment: int, checks: tuple[Check, ...]) -> None:
        write_atomically(self.checks(walker, segment), json.dumps([asdict(c) for c in checks]))

    def read_checks(self, walker: int, segment: int) -> list[Check]:
        """Raises RunError for a file that holds something else."""
        path = self.checks(walker, segment)
        try:
            stored = read_json(require_regular_file(path).read_bytes()) if path.exists() else []
            if not isinstance(stored, list):
                raise ValueError("expected a list")
            for check in stored:
                _require_check(check)
        except ValueError as error:
            raise RunError(
                f"{path}: is not what a walker left: {error}; remove it: only a figure needs it"
            ) from error
        return [Check(**check) for check in stored]

    def write_query(self, configuration: Configuration) -> str:
        """Returns the key by which the journal names it."""
        path = self._query(configuration.key)
        if not path.exists():
            write_atomically(path, json.dumps(encode_structure(configuration)))
        return configuration.key

    def read_query(self, key: str) -> Configuration:
        """Raises RunError when the file is gone or is another structure."""
        path = self._query(key)
        try:
            configuration = decode_structure(read_json(require_regular_file(path).read_bytes()))
        except (OSError, ValueError) as error:
            raise RunError(f"{path}: the structure of a query cannot be read: {error}") from error
        if configuration.key != key:
            raise RunError(
                f"{path}: the file holds another structure than its name says; restore it"
            )
        return configuration

    def _query(self, key: str) -> Path:
        return self.root / "queries" / f"{key}.json"


def _require_check(stored: Any) -> None:
    """Raises ValueError for what is not a Check of numbers."""
    if not isinstance(stored, dict):
        raise ValueError("expected the numbers of a check")
    known = {f.name for f in fields(Check)}
    needed = {f.name for f in fields(Check) if f.default is MISSING}
    if wrong := (needed - stored.keys()) | (stored.keys() - known):
        raise ValueError(f"has too much or too little: {', '.join(sorted(wrong))}")
    may_lack = ("pressure", "energy_std")
    for name, value in stored.items():
        if not isinstance(value, int | float) and not (value is None and name in may_lack):
            raise ValueError(f"what should be a number is none: {name}: {value!r}")
