"""What the results of tasks have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from snap_al.data.counts import ReadCount
from snap_al.uncertainty import ErrorTable


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """What the results of all tasks have."""

    read: tuple[ReadCount, ...] = ()
    """What was read from each file, and how much of it is used."""
    warnings: tuple[str, ...] = ()
    """What looks wrong, or was left out."""
    notes: tuple[str, ...] = ()
    """What a user may not expect and is no fault, and what could not be checked."""

    def common_json(self) -> dict[str, Any]:
        """The fields that all results share, as JSON has them."""
        return {
            "read": [c.as_json() for c in self.read],
            "warnings": list(self.warnings),
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class ErrorTables:
    """Errors and calibration of a potential on the sets that there are."""

    training: ErrorTable | None = None
    """Table of the training set; None where it was not measured."""
    test: ErrorTable | None = None
    """Table of the test set; None where there is none."""

    def by_set(self) -> dict[str, ErrorTable]:
        """The tables that exist, by name of the set."""
        tables = {"training": self.training, "test": self.test}
        return {name: table for name, table in tables.items() if table is not None}

    def as_json(self) -> dict[str, Any]:
        """The JSON object: a table for each set that has one."""
        return {name: table.as_json() for name, table in self.by_set().items()}
