"""The record of a run or a fit in a folder, for figures, numbers and the page."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from snap_al.config import read_run
from snap_al.data.json_text import read_json
from snap_al.data.remarks import Remarks
from snap_al.data.storage import require_regular_file
from snap_al.errors import InputError
from snap_al.loop import RunDirectory
from snap_al.potential import FittedPotential, stem_in
from snap_al.reporting.record import Predictions, Record
from snap_al.reporting.summary import summarise
from snap_al.reporting.validation import read_validation
from snap_al.uncertainty import ErrorTable


def record_of(folder: Path) -> Record:
    """The record of a run or a fit. Raises InputError when the folder has neither."""
    directory = RunDirectory(folder)
    fitted = (folder / "descriptor.json").exists()
    if not directory.journal.exists() and not fitted:
        raise InputError(
            f"{folder}: neither a run (journal.jsonl) nor a fit (descriptor.json); `snap-al run` "
            "and `snap-al fit` make them"
        )
    potential, stem = (
        _potential(folder, needed=not directory.journal.exists()) if fitted else (None, "")
    )
    metrics = _json(directory.metrics) or {}
    shared: dict[str, Any] = {
        "folder": folder,
        "stem": stem,
        "potential": potential,
        "tables": _tables(metrics),
        "predictions": Predictions.read(directory.predictions),
        "validation": read_validation(folder / "validation"),
    }
    if not directory.journal.exists():
        return Record(**shared, remarks=Remarks.read(metrics))
    config, events, state = read_run(folder)
    remarks = Remarks.read(summarise(events, state))
    return Record(**shared, config=config, events=tuple(events), state=state, remarks=remarks)


def _potential(folder: Path, *, needed: bool) -> tuple[FittedPotential | None, str]:
    """The potential and the name of its files. A run has a record without one, since it may have
    been killed while its last potential was written."""
    try:
        return FittedPotential.read(folder), stem_in(folder)
    except InputError:
        if needed:
            raise
        return None, ""


def _tables(metrics: dict[str, Any]) -> dict[str, ErrorTable]:
    """The tables of errors that metrics.json has, by name of the set. One that cannot be read is
    left out."""
    found: dict[str, ErrorTable] = {}
    for name in ("test", "training"):
        with suppress(ValueError):
            if name in metrics:
                found[name] = ErrorTable.from_json(metrics[name])
    return found


def _json(path: Path) -> dict[str, Any] | None:
    """The content of a JSON file; None for one that does not exist or is not complete."""
    try:
        content = read_json(require_regular_file(path).read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
