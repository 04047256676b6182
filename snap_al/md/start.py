"""How a segment begins, and where its files go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from snap_al.data.configuration import Configuration


@dataclass(frozen=True)
class SegmentStart:
    """Where a segment begins, and what it collects."""

    configuration: Configuration
    """That the walker began from."""
    restart: Path | None
    """A LAMMPS restart file; None to start from `configuration`."""
    step: int
    """MD steps since the protocol began."""
    velocity_seed: int | None
    """Of new velocities; None to keep those of the restart file."""
    check_every: int
    """MD steps."""
    seed: int = 1
    """Of the script's own random numbers."""
    name: str = ""
    """Of the walker, for messages."""
    collect: int = 0
    """Of the frames that the rule wants labelled, how many are kept at most, while MD goes on; 0 to
    stop at the first."""


@dataclass(frozen=True)
class SegmentFiles:
    """What a segment writes."""

    restart: Path
    """The last good frame, synced, unless that is beyond use."""
    log: Path | None = None
    """LAMMPS' own."""
    trajectory: Path | None = None
    """Frames with stds, begun anew."""
    aborted: Path | None = None
    """LAMMPS' message, when one rank of several fails alone and the job ends."""
