"""MD in LAMMPS with a fitted potential, and the monitor that watches its stds."""

from snap_al.md.guards import Check
from snap_al.md.protocol import Protocol
from snap_al.md.rules import (
    EveryNth,
    Rule,
    WhenAboveNoise,
    WhenExtrapolating,
    WhenNovel,
    WhenRelative,
    WhenUncertain,
)
from snap_al.md.segment import Outcome, SegmentResult, Wanted, run_segment
from snap_al.md.settings import BiasSettings, CarveSettings, Guards, StageSettings, scripts_folder
from snap_al.md.start import SegmentFiles, SegmentStart

__all__ = [
    "BiasSettings",
    "CarveSettings",
    "Check",
    "EveryNth",
    "Guards",
    "Outcome",
    "Protocol",
    "Rule",
    "SegmentFiles",
    "SegmentResult",
    "SegmentStart",
    "StageSettings",
    "Wanted",
    "WhenAboveNoise",
    "WhenExtrapolating",
    "WhenNovel",
    "WhenRelative",
    "WhenUncertain",
    "run_segment",
    "scripts_folder",
]
