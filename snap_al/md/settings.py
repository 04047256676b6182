"""What a walker does, and when it must stop."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, PositiveFloat, PositiveInt

from snap_al.data.readers import ConfigPath
from snap_al.data.storage import LARGEST_TEXT, require_regular_file
from snap_al.errors import InputError
from snap_al.options import GIVEN, Table

Ensemble = Literal["nve", "nvt", "npt", "langevin", "deform", "shear", "swap", "relax"]
"""lammps_inputs/ENSEMBLE.in"""

APPLIES_WITH: Table = {
    "ensemble": ({"script": (None,)},),
    "screen_ratio": ({"screen_every": (GIVEN,)},),
}
"""Cases in which an option of a stage applies; the others always do, or go by SCRIPT_VARIABLES."""
SCRIPT_VARIABLES = {
    "pressure": ("pressure_start", "pressure_stop"),
    "coupling": ("coupling",),
    "temperature_damping": ("temperature_damping",),
    "pressure_damping": ("pressure_damping",),
}
"""Options that only a script which has one of these variables follows. Temperatures also set
velocities.
"""


def _ramp(value: object) -> object:
    return (
        (value, value)
        if isinstance(value, int | float)
        else tuple(value)
        if isinstance(value, list)
        else value
    )


Ramp = Annotated[tuple[float, float], BeforeValidator(_ramp)]
"""One value, or [start, stop]."""


class Guards(BaseModel, extra="forbid", frozen=True):
    """Signs that a trajectory is of no more use: the frame is not labelled and the walker goes
    back.
    """

    max_force_std: float = Field(default=3.0, gt=0)
    """eV/Å: a force std this large is far beyond use."""
    max_temperature_ratio: float = Field(default=3.0, gt=1)
    """Instantaneous over target temperature."""
    min_distance: PositiveFloat | None = None
    """Å; two atoms nearer than this."""
    max_pressure: PositiveFloat | None = None
    """bar, of either sign."""
    max_drift: PositiveFloat | None = None
    """eV per atom, of the conserved energy (econserve) since the segment began."""
    max_retries: int = Field(default=5, ge=0)
    """How often in a row a walker goes back to an earlier frame, with new velocities, before it is
    given up.
    """

    @property
    def of_energies(self) -> bool:
        """Whether energy or pressure is needed at each check."""
        return self.max_pressure is not None or self.max_drift is not None


class BiasSettings(BaseModel, extra="forbid", frozen=True):
    """A force toward higher uncertainty."""

    tau: float = Field(default=0.2, gt=0, le=1)
    """Mean bias force over mean force, to which the bias is steered at every check."""
    of: Literal["std", "variance"] = "std"
    """std: of the atoms' summed variance, whose force stays bounded; variance: that itself."""


class CarveSettings(BaseModel, extra="forbid", frozen=True):
    """A small cell instead of a large frame for the labeler: around the most uncertain atom. Only
    the core's forces are fitted.
    """

    above: int = Field(default=300, ge=1)
    """Atoms; frames with no more are labelled whole."""
    core: float = Field(default=4.0, gt=0)
    """Å, radius of what stays as it was."""
    shell: float = Field(default=4.0, gt=0)
    """Å, from the core to the nearest face; relaxed with the fitted potential."""
    vacuum: float = Field(default=12.0, gt=0)
    """Å, along open directions."""
    energy: bool = False
    """Fit the cell's energy and stress as well."""


class StageSettings(BaseModel, extra="forbid", frozen=True):
    """One stretch of MD. Times in ps, temperatures in K, pressures in bar."""

    ensemble: Ensemble = "npt"
    """Name of the script: lammps_inputs/ENSEMBLE.in."""
    script: ConfigPath | None = None
    """A LAMMPS script of your own instead of lammps_inputs/ENSEMBLE.in."""
    temperature: Annotated[tuple[PositiveFloat, PositiveFloat], BeforeValidator(_ramp)] = (
        300.0,
        300.0,
    )
    """Temperature, K; one value, or [start, stop]."""
    pressure: Ramp = (0.0, 0.0)
    """Pressure, bar; one value, or [start, stop]."""
    coupling: Literal["iso", "aniso", "tri"] = "iso"
    """npt: which box lengths and angles follow the pressure."""
    variables: dict[str, float | int | str] = {}
    """LAMMPS variables of the script, in place of the defaults that it says it has."""
    timestep: float = Field(default=0.001, gt=0)
    """Timestep, ps."""
    steps: int = Field(default=10000, gt=0)
    """Number of MD steps."""
    temperature_damping: PositiveFloat | None = None
    """ps; 100 timesteps when not given."""
    pressure_damping: PositiveFloat | None = None
    """ps; 1000 timesteps when not given."""
    check_every: int = Field(default=10, gt=0)
    """MD steps between checks of the force stds."""
    screen_every: PositiveInt | None = None
    """MD steps between checks of the energy stds alone, which cost less; none when not given."""
    screen_ratio: float = Field(default=1.3, gt=1)
    """A screened energy std over so many times the largest of the last check brings the next check
    forward.
    """
    checkpoint_every: int = Field(default=2000, gt=0)
    """MD steps that a kill can cost at most."""
    trajectory_every: PositiveInt | None = None
    """MD steps between frames kept with each atom's stds (walkers/N/segment-….extxyz), at checks;
    none when not given.
    """
    guards: Guards = Guards()
    """Signs that a trajectory is of no more use."""
    bias: BiasSettings | None = None
    """Biased exploration; none when not given."""

    def script_variables(self) -> dict[str, str]:
        """LAMMPS variables of the script."""
        return {
            "timestep": repr(self.timestep),
            "temperature_start": repr(self.temperature[0]),
            "temperature_stop": repr(self.temperature[1]),
            "temperature_damping": repr(self.temperature_damping or 100 * self.timestep),
            "pressure_start": repr(self.pressure[0]),
            "pressure_stop": repr(self.pressure[1]),
            "pressure_damping": repr(self.pressure_damping or 1000 * self.timestep),
            "coupling": self.coupling,
            **{
                name: value if isinstance(value, str) else repr(value)
                for name, value in self.variables.items()
            },
        }

    def script_takes(self, variables: Sequence[str]) -> bool:
        """Whether the script has one of the LAMMPS variables. True for one that is not there, which
        is an error elsewhere.
        """
        path = self.script or scripts_folder() / f"{self.ensemble}.in"
        if not path.is_file():
            return True
        lines = [
            line.split("#")[0]
            for line in require_regular_file(path, LARGEST_TEXT)
            .read_text(encoding="utf-8", errors="replace")
            .splitlines()
        ]
        return any(
            re.search(rf"\$\{{{name}\}}|\bv_{name}\b", line) for name in variables for line in lines
        )

    def temperature_at(self, step: int) -> float:
        """K; the ramp's target."""
        start, stop = self.temperature
        return start + (stop - start) * min(step / self.steps, 1.0)

    def script_path(self) -> Path:
        """Raises InputError when the script is not there, or does not know a variable that it is
        given.
        """
        path = self.script or scripts_folder() / f"{self.ensemble}.in"
        if not path.is_file():
            raise InputError(f"explore.script: no LAMMPS script at {path}")
        text = require_regular_file(path, LARGEST_TEXT).read_text(
            encoding="utf-8", errors="replace"
        )
        for name in self.variables:
            if not re.search(rf"\bv_{name}\b|\$\{{{name}\}}", text):
                raise InputError(f"explore.variables: {path} has no variable {name!r}")
        return path


def scripts_folder() -> Path:
    """Where lammps_inputs/ is: inside the installed package, or beside it in a source tree."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "lammps_inputs"
    return inside if inside.is_dir() else package.parent / "lammps_inputs"
