"""MD in LAMMPS with a fitted potential, and all that watches it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration
from snap_al.errors import LammpsError
from snap_al.md.bias import Bias
from snap_al.md.boxes import create, gather_frame, make_room_for_md, take_back_tilts
from snap_al.md.guards import Check, guard_computes
from snap_al.md.protocol import Place
from snap_al.md.schedule import Schedule
from snap_al.md.start import SegmentStart
from snap_al.md.trajectory import append_frame
from snap_al.potential import FittedPotential, Monitor
from snap_al.sessions import LammpsSession

Array = NDArray[np.float64]


@dataclass(frozen=True)
class WatchedSession:
    """The session of one segment. All methods are collective over its ranks."""

    session: LammpsSession
    """The LAMMPS session."""
    potential: FittedPotential
    """The potential that MD runs with."""
    place: Place
    """The stage, and the segment's place in it."""
    start: SegmentStart
    """Where the segment begins."""
    monitor: Monitor
    """Computes stds of the atoms."""
    schedule: Schedule
    """When checks are due."""
    bias: Bias | None
    """The bias toward uncertainty; None without one."""

    @classmethod
    def of(
        cls, session: LammpsSession, potential: FittedPotential, place: Place, start: SegmentStart
    ) -> WatchedSession:
        """What watches a new session, which has no atoms yet."""
        bias = None if place.stage.bias is None else Bias(place.stage.bias)
        schedule = Schedule(place.stage, start.step, start.check_every)
        monitor = potential.model.monitor(potential.posterior)
        return cls(session, potential, place, start, monitor, schedule, bias)

    def prepare(self, files: Path) -> None:
        """Puts atoms, potential, velocities and the stage's script into the session.

        files: folder of the potential's files.
        """
        session, place, start = self.session, self.place, self.start
        self._fill()
        session.command("neighbor 1.0 bin")
        session.commands(
            self.potential.pair_commands(files, session.name_of)
            if self.bias is None
            else self.bias.pair_commands(self.potential, files, session.name_of)
        )
        self.monitor.attach(session)
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
        self.schedule.attach(session, self.monitor)
        if self.bias is not None:
            self.bias.begin(session, self.monitor)

    def _fill(self) -> None:
        """Puts the atoms into the session, from the restart file or the configuration."""
        session, start = self.session, self.start
        if start.restart is None:
            create(session, self.potential, start.configuration)
            return
        session.command(f"read_restart {session.name_of(start.restart)}")
        if start.step == self.place.begin:  # within a stage its own script may count on the tilt
            take_back_tilts(session, start.configuration.pbc)
        make_room_for_md(session, self.potential, self.frame())

    def run(self, step: int, last: int, setup: str) -> int:
        """MD from `step` to the next check, or to `last`. setup: yes for the session's first run.
        Returns the steps that were done. Raises LammpsError when atoms came or went, or a script
        ended MD itself.
        """
        wanted = self.schedule.steps_to_run(step, last)
        done = self.session.run(
            wanted, f"pre {setup} post no start {self.place.begin} stop {self.place.end}"
        )
        self._require_all_atoms()
        if done < wanted and not self.schedule.paused:
            raise LammpsError(
                f"{self.place.stage.script_path()}: it ended MD at step {self.session.step}, with "
                "a halt or a time limit; take that out: a walker ends with its stage"
            )
        return done

    def _require_all_atoms(self) -> None:
        n, expected = (
            sum(self.session.comm.allgather(self.session.n_local)),
            len(self.start.configuration),
        )
        if n != expected:
            raise LammpsError(
                f"{self.place.stage.script_path()}: the number of atoms went from {expected} to "
                f"{n}. Lost atoms, which flew out of the box (a shorter timestep, a guard), or the "
                "script adds or deletes some: a walker keeps its atoms"
            )

    def check(self, step: int) -> Check:
        """The largest stds of this frame, and what guards need."""
        screened = self.schedule.stage.screen_every is not None
        own = (
            _largest(self.monitor.force_std(self.session)),
            _largest(self.monitor.energy_std(self.session)) if screened else 0.0,
        )
        force, energy = (float(x) for x in np.max(self.session.comm.allgather(own), axis=0))
        self.schedule.checked(energy)
        thermo = self.session.thermo
        pressure = thermo("press") if self.schedule.by_runs else None
        return Check(
            step, thermo("temp"), pressure, thermo("vol"), force, energy if screened else None
        )

    def steer(self) -> None:
        """Adapts the strength of the bias, if there is one, to this frame's forces."""
        if self.bias is not None:
            self.bias.steer(self.session, self.monitor)

    def frame(self) -> Configuration:
        """All atoms, on every rank."""
        return gather_frame(self.session, self.potential, self.start.configuration)

    def most_uncertain(self) -> int:
        """Number of the atom with the largest force std, from 0."""
        stds, ids = self.monitor.force_std(self.session), self.session.atoms()["id"]
        own = (float(stds.max()), int(ids[int(np.argmax(stds))])) if len(stds) else (-1.0, 1)
        return max(self.session.comm.allgather(own))[1] - 1

    def append_to(self, trajectory: Path, step: int) -> None:
        """Appends this frame with each atom's stds."""
        append_frame(trajectory, self.frame(), step, self.session, self.monitor)


def _largest(stds: Array) -> float:
    """NaN stays NaN: a std that is not a number must not pass as small."""
    return float(stds.max()) if len(stds) else 0.0
