"""Where labels are computed: the interface of backends, and the backend that computes at once.

A label is one file, named by a hash of the structure and the labeler's settings, which is complete
before it is read. A label whose file exists is never computed again; one that failed is computed
again when it is submitted again.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from snap_al.data.configuration import Configuration, Label
from snap_al.data.json_text import number, numbers, part, read_json
from snap_al.data.storage import require_regular_file, write_atomically
from snap_al.errors import LabelError
from snap_al.label.labeler import Labeler, check_result


@dataclass(frozen=True)
class LabelResult:
    """The result of one job."""

    job: str
    """Name of the job."""
    label: Label | None
    """The label; None when the labeler failed."""
    reason: str
    """Why the labeler failed; "" when it did not."""
    seconds: float
    """s, wall time of the label."""
    core_seconds: float
    """Core seconds that the label cost."""


class LabelBackend(Protocol):
    """Computes labels, or has them computed. An implementation must pass
    `snap_al.label.validate_backend`."""

    everywhere: bool
    """Whether all ranks of a run submit, because labels are computed in these ranks. Otherwise rank
    0 alone submits."""

    def submit(self, configuration: Configuration) -> str:
        """Submits a configuration and returns the name of the job, which is the same for the same
        configuration. Jobs that were submitted before are found again, also those of another
        process."""
        ...

    def poll(self, job: str, configuration: Configuration) -> LabelResult | None:
        """The result; None while there is none. Raises LabelError for a result that is not of this
        configuration."""
        ...

    def cancel(self, job: str) -> None:
        """Cancels a job that is not done. It may be submitted again."""
        ...

    def close(self) -> None:
        """Called when this process submits no more. Jobs may continue."""
        ...


class ImmediateBackend:
    """Computes in submit(), in this process; results as JSON files in `folder`."""

    everywhere = True

    def __init__(self, labeler: Labeler, folder: Path) -> None:
        self._labeler = labeler
        self._folder = folder

    def submit(self, configuration: Configuration) -> str:
        job = job_name(configuration, self._labeler.key)
        path, failed = result_paths(self._folder, job)
        if not path.exists():
            started = time.perf_counter()
            try:
                label, reason = self._labeler.label(configuration), ""
            except LabelError as error:
                label, reason, path = None, str(error), failed
            write_atomically(
                path, encode_result(configuration, label, reason, time.perf_counter() - started)
            )
        return job

    def poll(self, job: str, configuration: Configuration) -> LabelResult | None:
        """The result. Raises LabelError for a file that is not a label of this configuration."""
        return read_result(self._folder, job, configuration)

    def cancel(self, job: str) -> None:
        """Does nothing, since a job is done as soon as it is submitted."""

    def close(self) -> None:
        """Does nothing."""


def job_name(configuration: Configuration, key: str) -> str:
    """The name of a job, which is the same for the same structure and labeler settings."""
    return hashlib.sha256(f"{configuration.key} {key}".encode()).hexdigest()[:20]


def result_paths(folder: Path, job: str) -> tuple[Path, Path]:
    """Paths of the label and of the failure of a job."""
    return folder / f"{job}.json", folder / "failed" / f"{job}.json"


def encode_result(
    configuration: Configuration, label: Label | None, reason: str, seconds: float, cores: int = 1
) -> str:
    """The text of a result file."""
    answer = {
        "label": None if label is None else encode_label(label),
        "reason": reason,
        "seconds": seconds,
        "core_seconds": seconds * cores,
        "structure": encode_structure(configuration),
    }
    return json.dumps(answer)


def read_result(folder: Path, job: str, configuration: Configuration) -> LabelResult | None:
    """The result of a job on disk; None when there is none. Raises LabelError for a file that is
    not a label of this configuration."""
    path = next((p for p in result_paths(folder, job) if p.exists()), None)
    if path is None:
        return None
    try:
        stored = read_json(require_regular_file(path).read_bytes())
        structure, label = (
            decode_structure(part(stored, "structure")),
            decode_label(part(stored, "label")),
        )
        seconds = number(stored, "seconds")
        core_seconds = number(stored, "core_seconds") if "core_seconds" in stored else seconds
        reason = str(part(stored, "reason"))
    except ValueError as error:
        raise LabelError(
            f"{path} is no label file: {error}; delete it to have it computed again"
        ) from error
    if structure.key != configuration.key:
        raise LabelError(
            f"{path} is no label file: it is of another structure; delete it to have it computed "
            "again"
        )
    try:
        checked = None if label is None else check_result(configuration, label)
    except LabelError as error:
        raise LabelError(
            f"{path} is no label file: {error}; delete it to have it computed again"
        ) from error
    return LabelResult(job, checked, reason, seconds, core_seconds)


def refuse_result(folder: Path, job: str, reason: str) -> None:
    """Turns a label into a failure with this reason. The values stay in the file."""
    path, failed = result_paths(folder, job)
    stored = read_json(require_regular_file(path).read_bytes())
    stored |= {"reason": reason, "label": None, "refused": stored["label"]}
    write_atomically(failed, json.dumps(stored))
    path.unlink()


def encode_label(label: Label) -> dict[str, Any]:
    """The label as JSON, which keeps every bit of a double."""
    return {k: np.asarray(v).tolist() for k, v in vars(label).items() if v is not None}


def decode_label(stored: Any) -> Label | None:
    """The label; None for null. Raises ValueError for what `encode_label` does not write."""
    if stored is None:
        return None
    if not isinstance(stored, dict):
        raise ValueError("label: expected energy, forces and stress")
    energy = None if stored.get("energy") is None else number(stored, "energy")
    arrays = {
        k: numbers(stored, k, s) for k, s in (("forces", (-1, 3)), ("stress", (6,))) if k in stored
    }
    return Label(energy=energy, **arrays)


def encode_structure(configuration: Configuration) -> dict[str, Any]:
    return {
        "cell": configuration.cell.tolist(),
        "positions": configuration.positions.tolist(),
        "species": list(configuration.species),
        "pbc": list(configuration.pbc),
        "name": configuration.name,
        **{k: v.tolist() for k, v in _extras(configuration).items()},
    }


def _extras(configuration: Configuration) -> dict[str, np.ndarray]:
    names = ("charges", "spins", "core")
    return {name: value for name in names if (value := getattr(configuration, name)) is not None}


def decode_structure(stored: Any) -> Configuration:
    """The structure of JSON. Raises ValueError for what `encode_structure` does not write."""
    species, pbc = part(stored, "species"), part(stored, "pbc")
    if not isinstance(species, list) or not all(isinstance(s, str) for s in species):
        raise ValueError("species: expected a list of symbols")
    if not isinstance(pbc, list) or [type(x) for x in pbc] != [bool] * 3:
        raise ValueError("pbc: expected three of true and false")
    n = len(species)
    spins = (n, 3) if np.ndim(stored.get("spins")) == 2 else (n,)
    return Configuration(
        cell=numbers(stored, "cell", (3, 3)),
        positions=numbers(stored, "positions", (n, 3)),
        species=tuple(species),
        pbc=(pbc[0], pbc[1], pbc[2]),
        name=str(part(stored, "name")),
        charges=numbers(stored, "charges", (n,)) if "charges" in stored else None,
        spins=numbers(stored, "spins", spins) if "spins" in stored else None,
        core=None if "core" not in stored else numbers(stored, "core", (n,)).astype(bool),
    )
