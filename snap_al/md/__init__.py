"""MD in LAMMPS with a fitted potential, and the monitor that watches its stds."""

from snap_al.md.segment import Check, Outcome, SegmentResult, SegmentStart, Thresholds, run_segment
from snap_al.md.settings import Guards, ProtocolSettings, scripts_folder

__all__ = [
    "Check", "Guards", "Outcome", "ProtocolSettings", "SegmentResult", "SegmentStart", "Thresholds", "run_segment",
    "scripts_folder",
]  # fmt: skip
