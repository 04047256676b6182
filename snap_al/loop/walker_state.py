"""Where a walker stands: its good frames, and how it continues after a segment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from snap_al.loop.events import Segment
from snap_al.md import Outcome


class WalkerStatus(StrEnum):
    """Whether a walker explores."""

    EXPLORING = "exploring"
    FINISHED = "finished"
    GIVEN_UP = "given up"


@dataclass(frozen=True)
class Restart:
    """A frame from which a walker can continue."""

    restart: str | None
    """Its LAMMPS restart file; None for the structure that the walker starts from."""
    step: int
    """Its MD step."""


@dataclass(frozen=True)
class WalkerState:
    """Where a walker stands."""

    trail: tuple[Restart, ...] = (Restart(None, 0),)
    """Good frames, oldest first. The walker continues from the last."""
    status: WalkerStatus = WalkerStatus.EXPLORING
    """Whether the walker explores."""
    retries: int = 0
    """Failures since the walker last got further, or met a novel frame."""
    furthest: int = 0
    """Largest step that it has reached in this cycle."""
    new_velocities: bool = True
    """Whether the next segment draws new velocities."""
    segments: int = 0
    """Number of segments so far."""
    cycle: int = 0
    """Number of the cycle, from 0."""
    fit: int = 0
    """Number of the fit that the last segment ran with."""
    reason: str = ""
    """Why the last segment ended."""
    name: str = ""
    """Name of the walker."""

    def explored(
        self, segment: Segment, max_retries: int, cycles: int, last_step: int
    ) -> WalkerState:
        """The state after one segment."""
        outcome, frame = segment.outcome, Restart(segment.restart, segment.step)
        after = replace(self, segments=self.segments + 1, fit=segment.fit, reason=segment.reason)
        if outcome in (Outcome.BEYOND_USE, Outcome.FAILED):
            if self.retries >= max_retries:
                return replace(after, status=WalkerStatus.GIVEN_UP)
            # The first retry takes the same frame with new velocities, and each further retry the
            # frame before.
            trail = self.trail[:-1] if self.retries and len(self.trail) > 1 else self.trail
            return replace(after, trail=trail, retries=self.retries + 1, new_velocities=True)
        if segment.step < last_step:
            onward = segment.step > self.furthest or outcome is Outcome.NOVEL
            return replace(
                after,
                trail=(*self.trail, frame),
                new_velocities=False,
                retries=0 if onward else self.retries,
                furthest=max(self.furthest, segment.step),
            )
        if self.cycle + 1 < cycles:
            begin = WalkerState(
                segments=after.segments, fit=after.fit, reason=after.reason, name=self.name
            )
            return replace(begin, cycle=self.cycle + 1)
        return replace(after, retries=0, status=WalkerStatus.FINISHED)

    def rejected(self, step: int) -> WalkerState:
        """The state after the label of a frame failed. A walker that stands at this frame continues
        from the frame before, with new velocities."""
        if self.trail[-1].step != step:
            return self
        trail = self.trail[:-1] if len(self.trail) > 1 else self.trail
        return replace(self, trail=trail, new_velocities=True)
