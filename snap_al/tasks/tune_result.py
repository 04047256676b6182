"""The result of a search for descriptors and weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snap_al.descriptors import SnapSettings
from snap_al.loop.scoring import Measure, Scored
from snap_al.tasks.result import TaskResult


@dataclass(frozen=True)
class TuneResult(TaskResult):
    """Descriptors and weights that were tried, and the best of them."""

    by: Measure
    """How they were compared: folds, groups or evidence."""
    configurations: int
    """Number of labelled configurations."""
    now: Scored | None
    """The settings of the config, if they were tried."""
    best: Scored
    """The best settings."""
    tried: tuple[Scored, ...]
    """All settings: RMSE on labels that were left out (eV/atom, eV/Å, eV/Å³), coefficients, and µs
    per atom."""
    folder: Path
    """Folder of tune.json and tuned.yaml."""

    def as_json(self) -> dict[str, Any]:
        """What tune.json holds and `snap-al tune --json` prints."""
        return {
            "by": self.by,
            "configurations": self.configurations,
            "now": None if self.now is None else _plain(self.now),
            "best": _plain(self.best),
            "tried": [_plain(s) for s in self.tried],
            **self.common_json(),
        }


def _plain(scored: Scored) -> dict[str, Any]:
    s = scored.settings
    return {
        "changed": scored.changed,
        "score": scored.score,
        "rmse": scored.rmse,
        "evidence_per_row": scored.evidence,
        "coefficients": scored.columns,
        "microseconds_per_atom": scored.cost,
        "cutoff": s.max_cutoff,
        "descriptor": _changes(s),
        "groups": scored.groups,
    }


def _changes(s: SnapSettings) -> dict[str, Any]:
    """The descriptor's settings as a config has them."""
    one_value = len(set(s.twojmax)) == 1
    return {
        "twojmax": s.twojmax[0] if one_value else list(s.twojmax),
        "rcutfac": round(s.rcutfac, 6),
        "radelem": list(s.radelem),
        "wj": list(s.wj),
    }
