"""When LAMMPS' run pauses for a check: where one is due, and where energy stds alone call for it.

Both end a longer run from within. Runs of the right length would do, but for LAMMPS computing the
energy at the end of each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from snap_al.md.settings import StageSettings
from snap_al.potential import Monitor
from snap_al.sessions import LammpsSession


@dataclass
class Schedule:
    """Of the checks of one segment."""

    stage: StageSettings
    """Settings of the stage."""
    begin: int
    """MD step at which the segment begins."""
    every: int
    """MD steps between checks."""
    due: int = -1
    """Step of the next check."""
    limit: float = math.inf
    """eV; a screened energy std above it brings the check forward."""
    paused: bool = False
    """Whether the last run was ended here."""

    @property
    def by_runs(self) -> bool:
        """Whether runs end where checks are due: where a guard needs the energies that LAMMPS then
        computes.
        """
        return self.stage.guards.of_energies

    def attach(self, session: LammpsSession, monitor: Monitor) -> None:
        """Before the session's first run."""
        screen = self.stage.screen_every or 0

        def pause(step: int) -> bool:
            due = step == self.due
            self.paused = due or (
                screen > 0 and step % screen == 0 and self._over(session, monitor)
            )
            return self.paused

        if not self.by_runs:
            session.each(math.gcd(self.every, self.begin, screen), pause)

    def steps_to_run(self, step: int, last: int) -> int:
        """From `step` on, if nothing pauses it."""
        self.paused = False
        self.due = min(step + self.every - (step - self.begin) % self.every, last)
        return (self.due if self.by_runs else last) - step

    def checked(self, energy_std: float) -> None:
        """Sets the limit for screening after a check. energy_std: the largest, eV."""
        self.limit = self.stage.screen_ratio * energy_std

    def _over(self, session: LammpsSession, monitor: Monitor) -> bool:
        """A rank that fails ends the run on all, as a std that is no number does. Collective."""
        own, error = math.nan, None
        try:
            own = float(monitor.energy_std(session).max(initial=0.0))
        except Exception as raised:  # noqa: BLE001  raised again once the others know
            error = raised
        largest = session.comm.allgather(own)
        if error is not None:
            raise error
        return not all(std <= self.limit for std in largest)
