"""MD checks of a potential: no drift of the energy in NVE, and a long NPT run at the highest
temperature."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration, Label
from snap_al.data.json_text import flag, numbers, numbers_or_nan, part, text, with_null
from snap_al.data.storage import require_regular_file, write_atomically
from snap_al.errors import LammpsError
from snap_al.md import Outcome, Protocol, SegmentFiles, SegmentStart, run_segment
from snap_al.md.boxes import create
from snap_al.md.rules import Frame, Verdict
from snap_al.md.settings import Guards, StageSettings
from snap_al.parallel import Communicator, on_root
from snap_al.potential import FittedPotential
from snap_al.progress import Report, silent
from snap_al.sessions import LammpsSession, LammpsSettings
from snap_al.validation.crystal import Crystal

Array = NDArray[np.float64]
DRIFT = 1e-4
"""eV per atom and ps: an NVE run with a larger drift does not pass."""
NVE_PS, SAMPLES, EQUILIBRATED = 5.0, 100, 0.2
"""ps, number of points on the curve, and the share of them that is left out at the beginning."""
NEAREST = 0.6
"""Share of the crystal's nearest distance. Atoms that come nearer have reached a hole of the
potential."""
SUPERCELL = 10.0
"""Å, least edge of the supercell."""
SMALLEST, LARGEST = 0.7, 1.5
"""Shares of the crystal's volume per atom between which a crystal, or its melt, stays."""
LOOK_PS = 0.05
BEYOND = 1e6
"""eV/Å. It is so large that no force std ends the run, because this check is about the trajectory
alone."""


@dataclass(frozen=True)
class Trajectory:
    """A short MD run, with whether the check passes."""

    name: str
    """Name of the check."""
    time: Array
    """(m,) ps."""
    temperature: Array
    """(m,) K."""
    volume: Array
    """(m,) Å³ per atom."""
    energy: Array | None
    """(m,) eV per atom; None in NPT."""
    force_std: Array | None
    """(m,) eV/Å, the largest force std; None in NVE."""
    passed: bool
    """Whether the check passes."""
    finding: str
    """The result in words."""

    def as_json(self) -> dict[str, Any]:
        """The JSON object, with null for NaN."""
        return {
            "name": self.name,
            "time": with_null(self.time),
            "temperature": with_null(self.temperature),
            "volume": with_null(self.volume),
            "energy": None if self.energy is None else with_null(self.energy),
            "force_std": None if self.force_std is None else with_null(self.force_std),
            "passed": bool(self.passed),
            "finding": self.finding,
        }

    @classmethod
    def from_json(cls, content: Any) -> Trajectory:
        """The trajectory of a JSON object. Raises ValueError."""
        time = numbers_or_nan(content, "time")
        temperature, volume = (numbers(content, k, time.shape) for k in ("temperature", "volume"))
        energy, force_std = (
            None if part(content, key) is None else numbers(content, key, time.shape)
            for key in ("energy", "force_std")
        )
        name, finding = text(content, "name"), text(content, "finding")
        passed = flag(content, "passed")
        return cls(name, time, temperature, volume, energy, force_std, passed, finding)


@dataclass(frozen=True)
class Conditions:
    """Conditions of an MD run."""

    temperature: float
    """K. In NVE, that of the crystal in equilibrium."""
    timestep: float
    """ps."""
    seed: int
    """Seed of the velocities."""
    lammps: LammpsSettings | None = None
    """Settings of LAMMPS."""


def nve(
    potential: FittedPotential,
    files: Path,
    crystal: Crystal,
    conditions: Conditions,
    comm: Communicator,
) -> Trajectory:
    """MD of a supercell at constant energy. Collective.

    files: folder with the files of the potential.
    """
    temperature, timestep = conditions.temperature, conditions.timestep
    atoms = crystal.supercell(SUPERCELL)
    n, every = len(atoms), max(1, round(NVE_PS / timestep / SAMPLES))
    rows: list[list[float]] = []
    aborted = files / "nve.aborted.txt"
    if reason := _aborted_before(comm, aborted):
        return failed_check("NVE", f"ended: {reason}")
    try:
        with LammpsSession(
            comm, lammps=conditions.lammps, on_abort=lambda text: write_atomically(aborted, text)
        ) as session:
            session.where = "validation, NVE: "
            create(session, potential, Configuration.from_atoms(atoms, "crystal", Label()))
            session.commands(["neighbor 1.0 bin", *potential.pair_commands(files, session.name_of)])
            session.command(
                f"velocity all create {2.0 * temperature!r} {conditions.seed} mom yes rot no "
                "dist gaussian"
            )
            session.commands(
                [
                    f"timestep {timestep!r}",
                    "fix move all nve",
                    "thermo 0",
                    "thermo_style custom step temp vol etotal",
                ]
            )
            for k in range(SAMPLES):
                session.run(every, f"pre {'no' if k else 'yes'} post no")
                rows.append(
                    [
                        (k + 1) * every * timestep,
                        *(session.thermo(name) for name in ("temp", "vol", "etotal")),
                    ]
                )
    except LammpsError as error:
        return failed_check("NVE", f"ended: after {len(rows) * every} steps: {error}")
    time, temperatures, volumes, energies = np.array(rows).T
    kept = slice(int(EQUILIBRATED * SAMPLES), None)
    drift = float(np.polyfit(time[kept], energies[kept] / n, 1)[0])
    finding = (
        f"drift {1e3 * drift:.3g} meV per atom and ps at {temperatures[kept].mean():.0f} K, "
        f"timestep {1e3 * timestep:g} fs"
    )
    return Trajectory(
        "NVE", time, temperatures, volumes / n, energies / n, None, abs(drift) <= DRIFT, finding
    )


def _aborted_before(comm: Communicator, record: Path) -> str:
    """Why LAMMPS ended the whole job in this trajectory; "" when it did not. At the next start,
    this is a failed check and the trajectory is not run again."""

    def taken() -> str:
        reason = (
            require_regular_file(record).read_text(encoding="utf-8", errors="replace")
            if record.exists()
            else ""
        )
        record.unlink(missing_ok=True)
        return reason

    return on_root(comm, taken)


def failed_check(name: str, finding: str) -> Trajectory:
    """The result of MD that could not be run."""
    empty = np.zeros(0)
    return Trajectory(name, empty, empty, empty, None, None, False, finding)


def npt(
    potential: FittedPotential,
    files: Path,
    crystal: Crystal,
    conditions: Conditions,
    ps: float,
    comm: Communicator,
    report: Report = silent,
) -> Trajectory:
    """MD of a supercell at zero pressure, with the checks and guards of a walker. Collective.

    files: folder with the files of the potential. ps: length of the trajectory.
    """
    temperature, timestep = conditions.temperature, conditions.timestep
    atoms, steps = crystal.supercell(SUPERCELL), max(1, round(ps / timestep))
    stage = StageSettings(
        temperature=(temperature, temperature),
        timestep=timestep,
        steps=steps,
        checkpoint_every=steps,
        check_every=max(1, round(LOOK_PS / timestep)),
        coupling="iso" if crystal.system == "cubic" else "aniso",
        guards=Guards(min_distance=NEAREST * crystal.nearest, max_force_std=BEYOND),
    )
    scratch, aborted = files / "npt.restart", files / "npt.aborted.txt"
    if reason := _aborted_before(comm, aborted):
        return failed_check("NPT", f"ended: {reason}")

    def volume(frame: Frame) -> Verdict:
        if comm.rank == 0:
            report("NPT", frame.step, steps)
        share = frame.session.thermo("vol") / atoms.get_volume()
        return Verdict(not SMALLEST <= share <= LARGEST, f"{share:.2f} times the crystal's volume")

    result = run_segment(
        comm,
        potential,
        files,
        Protocol.of([stage]),
        SegmentStart(
            Configuration.from_atoms(atoms, "crystal", Label()),
            None,
            0,
            conditions.seed,
            stage.check_every,
            name="validation, NPT",
        ),
        volume,
        SegmentFiles(restart=scratch, log=files / "npt.log", aborted=aborted),
        conditions.lammps,
    )
    on_root(comm, lambda: scratch.unlink(missing_ok=True))
    time = timestep * np.array([c.step for c in result.checks])
    volumes = np.array([c.volume for c in result.checks]) / len(atoms)
    passed = result.outcome is Outcome.FINISHED
    finding = (
        f"came through {ps:g} ps at {temperature:.0f} K, "
        f"{volumes[len(volumes) // 2 :].mean():.2f} Å³ per atom"
        if passed
        else (
            f"ended after {time[-1] if len(time) else 0.0:.2f} ps at {temperature:.0f} K: "
            f"{result.reason}"
        )
    )
    return Trajectory(
        "NPT",
        time,
        np.array([c.temperature for c in result.checks]),
        volumes,
        None,
        np.array([c.force_std for c in result.checks]),
        passed,
        finding,
    )
