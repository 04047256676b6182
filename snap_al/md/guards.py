"""Signs that a trajectory is of no more use, at each check."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from snap_al.md.protocol import Place
from snap_al.md.settings import Guards
from snap_al.sessions import LammpsSession


@dataclass(frozen=True)
class Check:
    """What a check found."""

    step: int
    """MD steps since the protocol began."""
    temperature: float
    """Temperature, K."""
    pressure: float | None
    """Pressure, bar; None unless a guard needs it."""
    volume: float
    """Volume, Å³."""
    force_std: float
    """Largest force std over the atoms, eV/Å."""
    energy_std: float | None
    """Largest energy std over the atoms, eV; None unless it is screened."""
    model_limited: bool = False
    """Whether the force std is above the tolerance in a frame that is not novel or that a label
    would not help."""


def guard_computes(guards: Guards) -> list[str]:
    """LAMMPS lines for what is only computed when it is asked for."""
    if guards.min_distance is None:
        return []
    return [
        "compute snap_al_distances all pair/local dist",
        "compute snap_al_nearest all reduce min c_snap_al_distances inputs local",
    ]


@dataclass
class Watch:
    """The guards of one segment."""

    place: Place
    """The stage, and the segment's place in it."""
    conserved: float | None = field(default=None)
    """eV per atom, at the first check."""

    def beyond_use(self, session: LammpsSession, check: Check) -> str:
        """Why the frame is of no use, or an empty text. Collective."""
        guards, target = self.place.stage.guards, self.place.temperature_at(check.step)
        seen = (check.force_std, check.energy_std, check.temperature, check.pressure)
        if not np.isfinite([x for x in seen if x is not None]).all():
            return f"NaN at step {check.step}"
        if check.force_std > guards.max_force_std:
            return (
                f"force std {check.force_std:.3g} eV/Å over guards.max_force_std = "
                f"{guards.max_force_std:g}"
            )
        if check.temperature > guards.max_temperature_ratio * target:
            return f"temperature {check.temperature:.0f} K, target {target:.0f} K"
        if (
            guards.max_pressure is not None
            and check.pressure is not None
            and abs(check.pressure) > guards.max_pressure
        ):
            return (
                f"pressure {check.pressure:.3g} bar over guards.max_pressure = "
                f"{guards.max_pressure:g}"
            )
        if guards.min_distance is not None:
            nearest = session.scalar("snap_al_nearest")
            if nearest < guards.min_distance:
                return (
                    f"two atoms at {nearest:.3f} Å, nearer than guards.min_distance = "
                    f"{guards.min_distance:g}"
                )
        return self._drift(session, guards)

    def _drift(self, session: LammpsSession, guards: Guards) -> str:
        if guards.max_drift is None:
            return ""
        now = session.thermo("econserve") / session.n_atoms
        if self.conserved is None:
            self.conserved = now
        drift = abs(now - self.conserved)
        return (
            ""
            if drift <= guards.max_drift
            else f"drift {drift:.3g} eV/atom over guards.max_drift = {guards.max_drift:g}"
        )
