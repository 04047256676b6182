"""One segment of one walker's MD: from a frame on disk to the first frame that must be labelled, or
to its end.

A segment depends on nothing but its arguments and the files they name. Every segment opens a fresh
LAMMPS session, also in a run that was never interrupted: so an interrupted and resumed run takes
the very same steps.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from snap_al.data.configuration import Configuration
from snap_al.data.storage import write_atomically
from snap_al.errors import LammpsError
from snap_al.md.guards import Check, Watch
from snap_al.md.protocol import Place, Protocol
from snap_al.md.restart import leave_restart, require_on_disk
from snap_al.md.rules import Frame, Rule
from snap_al.md.start import SegmentFiles, SegmentStart
from snap_al.md.watched import WatchedSession
from snap_al.parallel import Communicator
from snap_al.potential import FittedPotential
from snap_al.sessions import LammpsSession, LammpsSettings


class Outcome(StrEnum):
    """Why a segment ended."""

    NOVEL = "novel"
    """A frame that the rule wants a label for."""
    CHECKPOINT = "checkpoint"
    """Nothing to label so far."""
    FINISHED = "finished"
    """The protocol's last step."""
    BEYOND_USE = "beyond use"
    """A std, a temperature or a coordinate far outside; nothing there is worth a label."""
    FAILED = "failed"
    """LAMMPS stopped with an error."""


@dataclass(frozen=True)
class Wanted:
    """A frame that the rule wants labelled."""

    step: int
    """MD steps since the protocol began."""
    frame: Configuration
    """The configuration."""
    atom: int
    """Number of the atom with the largest force std."""


@dataclass(frozen=True)
class SegmentResult:
    """How a segment ended, and what was seen on the way."""

    outcome: Outcome
    """Why the segment ended."""
    step: int
    """MD step at which it ended, counted from the protocol's begin."""
    checks: tuple[Check, ...]
    """All checks of the segment."""
    frame: Configuration | None
    """The last frame; None if LAMMPS failed."""
    reason: str
    """The reason in words."""
    std_seconds: float
    """Wall time spent on stds."""
    wanted: tuple[Wanted, ...] = ()
    """Frames that the rule wants labelled."""


@dataclass
class _Seen:
    """What a segment has seen so far."""

    most: int
    """Largest number of frames that are kept; when there are more, every second one goes, so that
    what is left is spread over the segment. 0: MD stops at the first."""
    checks: list[Check] = field(default_factory=list)
    """Checks so far."""
    wanted: list[Wanted] = field(default_factory=list)
    """Frames to label so far."""

    def want(self, frame: Wanted) -> None:
        self.wanted.append(frame)
        if self.most and len(self.wanted) > self.most:
            self.wanted = self.wanted[::2]


def run_segment(
    comm: Communicator,
    potential: FittedPotential,
    files: Path,
    protocol: Protocol,
    start: SegmentStart,
    rule: Rule,
    out: SegmentFiles,
    lammps: LammpsSettings | None = None,
) -> SegmentResult:
    """Runs MD until a frame that the rule wants labelled, a checkpoint, the stage's end, or a
    guard. Collective over `comm`.

    files: folder with the potential's files. LAMMPS' errors become the outcome. Raises RunError for
    a disk that does not take the restart file.
    """
    place, seen, frame, seconds = protocol.at(start.step), _Seen(start.collect), None, 0.0
    if out.trajectory is not None and comm.rank == 0:
        out.trajectory.unlink(missing_ok=True)

    def aborted(message: str) -> None:
        if out.aborted is not None:
            write_atomically(out.aborted, message)

    try:
        with LammpsSession(comm, log=out.log, lammps=lammps, on_abort=aborted) as session:
            md = WatchedSession.of(session, potential, place, start)
            try:
                session.where = _where(start, place, seen.checks)
                md.prepare(files)
                outcome, reason = _advance(md, protocol, rule, seen, out.trajectory)
                frame = md.frame()
                if outcome is not Outcome.BEYOND_USE:
                    leave_restart(session, out.restart)
            finally:
                seconds = md.monitor.seconds
                md.monitor.close()
    except LammpsError as error:
        outcome, reason = Outcome.FAILED, f"{_where(start, place, seen.checks)}{error}"
    if outcome not in (Outcome.BEYOND_USE, Outcome.FAILED) and comm.rank == 0:
        require_on_disk(out.restart)
    step = seen.checks[-1].step if seen.checks else start.step
    return SegmentResult(
        outcome, step, tuple(seen.checks), frame, reason, seconds, tuple(seen.wanted)
    )


def _advance(
    md: WatchedSession, protocol: Protocol, rule: Rule, seen: _Seen, trajectory: Path | None
) -> tuple[Outcome, str]:
    """Stretches of MD, with a check after each."""
    start, place, step, setup = md.start, md.place, md.start.step, "yes"
    last, guard = min(start.step + place.stage.checkpoint_every, place.end), Watch(place)
    while step < last:
        md.session.where = _where(start, place, seen.checks)
        done = md.run(step, last, setup)
        step, setup = step + done, "no"
        check = md.check(step)
        md.steer()
        every = place.stage.trajectory_every
        if trajectory is not None and _passed(every, step - start.step, done):
            md.append_to(trajectory, step)
        if useless := guard.beyond_use(md.session, check):
            seen.checks.append(check)
            return Outcome.BEYOND_USE, useless
        verdict = rule(Frame(md.session, md.monitor, step, done, check.force_std))
        seen.checks.append(replace(check, model_limited=verdict.limited))
        if verdict.wanted:
            seen.want(Wanted(step, md.frame(), md.most_uncertain()))
            if not seen.most:
                return Outcome.NOVEL, f"{verdict.reason} at step {step}"
    if step >= protocol.steps:
        return Outcome.FINISHED, "end of the protocol"
    return Outcome.CHECKPOINT, f"end of stage {place.number}" if step >= place.end else "checkpoint"


def _passed(every: int | None, done: int, since: int) -> bool:
    """Whether a multiple of `every` is among the last `since` of `done` steps."""
    return every is not None and done // every > (done - since) // every


def _where(start: SegmentStart, place: Place, checks: list[Check]) -> str:
    """The beginning of a message."""
    walker = f"{start.name}, " if start.name else ""
    return f"{walker}stage {place.number}, after step {checks[-1].step if checks else start.step}: "
