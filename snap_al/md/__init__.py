"""MD in LAMMPS with a fitted potential, and the monitor that watches its stds."""

from snap_al.md.rules import EveryNth, Rule, WhenAboveNoise, WhenExtrapolating, WhenNovel, WhenRelative, WhenUncertain
from snap_al.md.segment import Check, Outcome, SegmentResult, SegmentStart, run_segment
from snap_al.md.settings import Guards, ProtocolSettings, scripts_folder

__all__ = [
    "Check", "EveryNth", "Guards", "Outcome", "ProtocolSettings", "Rule", "SegmentResult", "SegmentStart", "WhenAboveNoise",
    "WhenExtrapolating", "WhenNovel", "WhenRelative", "WhenUncertain", "run_segment", "scripts_folder",
]  # fmt: skip
