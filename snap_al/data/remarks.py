"""Warnings and notes that a command has beside its result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from snap_al.data.label_checks import LabelFinding


@dataclass(frozen=True)
class Remarks:
    """Warnings and notes, each a sentence."""

    warnings: tuple[str, ...] = ()
    """What looks wrong, or was left out."""
    notes: tuple[str, ...] = ()
    """What a user may not expect and is no fault, and what could not be checked."""

    @classmethod
    def of(cls, findings: Iterable[LabelFinding]) -> Remarks:
        every = list(findings)
        wrong = tuple(str(f) for f in every if f.problem != "unknown")
        return cls(wrong, tuple(str(f) for f in every if f.problem == "unknown"))

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Remarks:
        """The remarks of a JSON object. Entries that are no texts are left out."""
        parts = (content.get(name) for name in ("warnings", "notes"))
        lists = [part if isinstance(part, list) else [] for part in parts]
        return cls(*(tuple(text for text in part if isinstance(text, str)) for part in lists))

    def __add__(self, other: Remarks) -> Remarks:
        return Remarks(self.warnings + other.warnings, self.notes + other.notes)

    def as_json(self) -> dict[str, list[str]]:
        return {"warnings": list(self.warnings), "notes": list(self.notes)}
