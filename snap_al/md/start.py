"""How a segment begins, and where its files go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from snap_al.data.configuration import Configuration


@dataclass(frozen=True)
class SegmentStart:
    """Where a segment begins, and what it collects."""

    configuration: Configuration
    """The configuration that the walker began from."""
    restart: Path | None
    """A LAMMPS restart file; None to start from `configuration`."""
    step: int
    """MD steps since the protocol began."""
    velocity_seed: int | None
    """Seed of new velocities; None to keep those of the restart file."""
    check_every: int
    """MD steps between checks."""
    seed: int = 1
    """Seed of the script's own random numbers."""
    name: str = ""
    """Name of the walker, for messages."""
    collect: int = 0
    """Largest number of frames to label that are kept while MD goes on; 0 to stop at the first."""


@dataclass(frozen=True)
class SegmentFiles:
    """What a segment writes."""

    restart: Path
    """Restart file of the last frame, synced; not written for a frame that is beyond use."""
    log: Path | None = None
    """LAMMPS' log."""
    trajectory: Path | None = None
    """Frames with stds; an earlier file is removed."""
    aborted: Path | None = None
    """File for LAMMPS' message when one rank of several fails alone and the job ends."""
