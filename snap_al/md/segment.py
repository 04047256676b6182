"""One segment of one walker's MD: from a frame on disk to the first frame that must be labelled, or
to its end.

A segment depends on nothing but its arguments and the files they name. Every segment opens a fresh
LAMMPS session, also in a run that was never interrupted: so an interrupted and resumed run takes
the very same steps.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration
from snap_al.data.storage import require_regular_file, sync_file
from snap_al.errors import LammpsError, RunError
from snap_al.md.bias import Bias
from snap_al.md.boxes import create, gather_frame, make_room_for_md, take_back_tilts
from snap_al.md.guards import Check, Watch, guard_computes
from snap_al.md.looks import Looks
from snap_al.md.protocol import Place, Protocol
from snap_al.md.rules import Frame, Rule
from snap_al.md.trajectory import append_frame
from snap_al.parallel import Communicator
from snap_al.potential import FittedPotential, Monitor
from snap_al.sessions import LammpsSession, LammpsSettings

Array = NDArray[np.float64]
ENDS = b"LammpS RestartT\0"
"""Of a restart file (LAMMPS' lmprestart.h)."""


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
class SegmentStart:
    """restart: a LAMMPS restart file, or None to start from `configuration`. velocity_seed: new
    velocities, or None. seed: for the script's own random numbers. name: of the walker, for
    messages."""

    configuration: Configuration
    restart: Path | None
    step: int
    velocity_seed: int | None
    check_every: int
    seed: int = 1
    name: str = ""


@dataclass(frozen=True)
class Wanted:
    """A frame that the rule wants labelled. atom: where its force std is largest."""

    step: int
    frame: Configuration
    atom: int


@dataclass(frozen=True)
class SegmentResult:
    """frame: the last one, unless LAMMPS failed. wanted: those that the rule wants labelled.
    std_seconds: spent on stds, of the whole."""

    outcome: Outcome
    step: int
    checks: tuple[Check, ...]
    frame: Configuration | None
    reason: str
    std_seconds: float
    wanted: tuple[Wanted, ...] = ()


@dataclass
class Pool:
    """Frames that the rule wants labelled. most: kept at once; when there are more every second one
    goes, so that what is left is spread over the segment. 0: there is only one, at which MD
    stops."""

    most: int
    gather: Callable[[], tuple[Configuration, int]]
    frames: list[Wanted] = field(default_factory=list)

    def add(self, step: int) -> None:
        """Collective."""
        self.frames.append(Wanted(step, *self.gather()))
        if self.most and len(self.frames) > self.most:
            self.frames = self.frames[::2]


def run_segment(
    comm: Communicator,
    potential: FittedPotential,
    files: Path,
    protocol: Protocol,
    start: SegmentStart,
    rule: Rule,
    *,
    collect: int = 0,
    restart_out: Path,
    log: Path | None,
    lammps: LammpsSettings | None = None,
    trajectory: Path | None = None,
    on_abort: Callable[[str], None] | None = None,
) -> SegmentResult:
    """Runs MD until a frame that the rule wants labelled, a checkpoint, the stage's end, or a
    guard. Collective over `comm`.

    collect: 0 to stop at the first frame that is wanted; else at most so many are kept, and MD goes
    on. files: folder with the potential's files. restart_out: where the last good frame is left,
    synced, unless the frame is beyond use. trajectory: for frames with stds, begun anew. LAMMPS'
    errors become the outcome.
    """
    monitor, place = potential.model.monitor(potential.posterior), protocol.at(start.step)
    every = place.stage.trajectory_every
    if trajectory is not None and comm.rank == 0:
        trajectory.unlink(missing_ok=True)
    checks: list[Check] = []
    frame, pool = None, Pool(collect, lambda: (start.configuration, 0))
    try:
        with LammpsSession(comm, log=log, lammps=lammps, on_abort=on_abort) as session:
            bias = None if place.stage.bias is None else Bias(place.stage.bias)
            looks = Looks(place.stage, start.step, start.check_every)
            session.where = _where(start, place, checks)
            _prepare(session, potential, files, place, start, monitor, bias)
            looks.attach(session, comm, monitor)
            pool = Pool(
                collect,
                lambda: (
                    gather_frame(session, comm, potential, start.configuration),
                    peak(session, comm, monitor),
                ),
            )
            if bias is not None:
                bias.begin(session, comm, monitor)

            def each_look(step: int, since: int) -> None:
                if bias is not None:
                    bias.steer(session, comm, monitor)
                done = step - start.step
                if trajectory is not None and every and done // every > (done - since) // every:
                    now = gather_frame(session, comm, potential, start.configuration)
                    append_frame(trajectory, now, step, session, comm, monitor)

            outcome, reason = _advance(
                session,
                comm,
                place,
                protocol.steps,
                start,
                rule,
                monitor,
                looks,
                checks,
                pool,
                each_look,
            )
            frame = gather_frame(session, comm, potential, start.configuration)
            if outcome is not Outcome.BEYOND_USE:
                _leave_restart(session, restart_out)
    except LammpsError as error:
        outcome, reason = Outcome.FAILED, f"{_where(start, place, checks)}{error}"
    if outcome not in (Outcome.BEYOND_USE, Outcome.FAILED) and comm.rank == 0:
        _require_whole(restart_out)
        sync_file(restart_out)
    step = checks[-1].step if checks else start.step
    return SegmentResult(
        outcome, step, tuple(checks), frame, reason, monitor.seconds, tuple(pool.frames)
    )


def _leave_restart(session: LammpsSession, path: Path) -> None:
    """Raises RunError: a disk that is full is not the walker's failure."""
    try:
        session.command(f"write_restart {session.name_of(path)}")
    except LammpsError as error:
        raise RunError(
            f"{error}. What was finished is on disk; the same command goes on"
        ) from error


def _require_whole(restart: Path) -> None:
    """Raises RunError: LAMMPS does not notice when a disk does not take what it writes, but puts
    the same bytes at both ends.
    """
    with open(require_regular_file(restart), "rb") as file:
        begin = file.read(len(ENDS))
        file.seek(-min(len(ENDS), restart.stat().st_size), os.SEEK_END)
        if (begin, file.read()) != (ENDS, ENDS):
            raise RunError(
                f"{restart}: is not whole: a full or broken disk? What was finished is on disk: "
                "make room, and start the same command again"
            )


def _prepare(
    session: LammpsSession,
    potential: FittedPotential,
    files: Path,
    place: Place,
    start: SegmentStart,
    monitor: Monitor,
    bias: Bias | None,
) -> None:
    if start.restart is None:
        create(session, potential, start.configuration)
    else:
        session.command(f"read_restart {session.name_of(start.restart)}")
        if start.step == place.begin:  # within a stage its own script may count on the tilt
            take_back_tilts(session, start.configuration.pbc)
        make_room_for_md(
            session, potential, gather_frame(session, session.comm, potential, start.configuration)
        )
    session.command("neighbor 1.0 bin")
    session.commands(
        potential.pair_commands(files, session.name_of)
        if bias is None
        else bias.pair_commands(potential, files, session.name_of)
    )
    monitor.attach(session)
    if start.velocity_seed is not None:
        temperature = place.temperature_at(start.step)
        session.command(
            f"velocity all create {temperature!r} {start.velocity_seed} mom yes rot no dist "
            "gaussian"
        )
    session.include(
        place.stage.script_path(), {**place.stage.script_variables(), "seed": str(start.seed)}
    )
    energies = " press econserve" if place.stage.guards.of_energies else ""
    session.commands(["thermo 0", f"thermo_style custom step temp vol{energies}"])
    session.commands(guard_computes(place.stage.guards))


def _advance(
    session: LammpsSession,
    comm: Communicator,
    place: Place,
    steps: int,
    start: SegmentStart,
    rule: Rule,
    monitor: Monitor,
    looks: Looks,
    checks: list[Check],
    pool: Pool,
    each_look: Callable[[int, int], None],
) -> tuple[Outcome, str]:
    last = min(start.step + place.stage.checkpoint_every, place.end)
    step, setup, guard = start.step, "yes", Watch(place)
    while step < last:
        session.where, wanted = _where(start, place, checks), looks.steps_to_run(step, last)
        done = session.run(wanted, f"pre {setup} post no start {place.begin} stop {place.end}")
        step, setup = step + done, "no"
        _still_ours(session, comm, place, start, halted=done < wanted and not looks.paused)
        check = _look(session, comm, monitor, step, looks)
        each_look(step, done)
        if useless := guard.beyond_use(session, check):
            checks.append(check)
            return Outcome.BEYOND_USE, useless
        verdict = rule(Frame(session, comm, monitor, step, done, check.force_std))
        checks.append(replace(check, model_limited=verdict.limited))
        if verdict.wanted:
            pool.add(step)
            if not pool.most:
                return Outcome.NOVEL, f"{verdict.reason} at step {step}"
    if step >= steps:
        return Outcome.FINISHED, "end of the protocol"
    return Outcome.CHECKPOINT, f"end of stage {place.number}" if step >= place.end else "checkpoint"


def _where(start: SegmentStart, place: Place, checks: list[Check]) -> str:
    """The beginning of a message."""
    walker = f"{start.name}, " if start.name else ""
    return f"{walker}stage {place.number}, after step {checks[-1].step if checks else start.step}: "


def _still_ours(
    session: LammpsSession, comm: Communicator, place: Place, start: SegmentStart, *, halted: bool
) -> None:
    """Raises LammpsError when atoms came or went, or a script ended MD itself. Collective."""
    n = sum(comm.allgather(session.n_local))
    if n != len(start.configuration):
        raise LammpsError(
            f"{place.stage.script_path()}: the number of atoms went from "
            f"{len(start.configuration)} to {n}. Lost atoms, which "
            "flew out of the box (a shorter timestep, a guard), or the script adds or deletes "
            "some: a walker keeps its atoms"
        )
    if halted:
        raise LammpsError(
            f"{place.stage.script_path()}: it ended MD at step {session.step}, with a halt or a "
            "time limit; take that out: a "
            "walker ends with its stage"
        )


def _look(
    session: LammpsSession, comm: Communicator, monitor: Monitor, step: int, looks: Looks
) -> Check:
    screened = looks.stage.screen_every is not None
    own = (
        _largest(monitor.force_std(session)),
        _largest(monitor.energy_std(session)) if screened else 0.0,
    )
    force, energy = (float(x) for x in np.max(comm.allgather(own), axis=0))
    looks.looked(energy)
    thermo = session.thermo
    pressure = thermo("press") if looks.by_runs else None
    return Check(step, thermo("temp"), pressure, thermo("vol"), force, energy if screened else None)


def peak(session: LammpsSession, comm: Communicator, monitor: Monitor) -> int:
    """Number of the atom with the largest force std, from 0. Collective."""
    stds, ids = monitor.force_std(session), session.atoms()["id"]
    own = (float(stds.max()), int(ids[int(np.argmax(stds))])) if len(stds) else (-1.0, 1)
    return max(comm.allgather(own))[1] - 1


def _largest(stds: Array) -> float:
    """NaN stays NaN: a std that is not a number must not pass as small."""
    return float(stds.max()) if len(stds) else 0.0
