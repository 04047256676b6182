"""The demo: on-the-fly learning of copper, tested on EMT trajectories that are not used for
training."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.md.nptberendsen import NPTBerendsen
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution

from snap_al.config import template
from snap_al.data.storage import write_atomically
from snap_al.parallel import Communicator, collectively, on_root
from snap_al.progress import Report, silent

TEST_TEMPERATURES = (300.0, 900.0, 1500.0)
EQUILIBRATION_STEPS, SAMPLES, STEPS_BETWEEN = 120, 10, 12
POISON = (
    "    - {structure: Cu.extxyz, supercell: [3, 3, 3], count: 1, displacement: [0.2, 0.2], "
    "strain: 0.03}\n"
)


def prepare(
    folder: Path, seed: int, poison: bool, comm: Communicator, report: Report = silent
) -> Path:
    """Writes config, structure and test set into `folder`, as far as they are missing. Returns the
    config. Collective."""
    config = folder / "copper.yaml"

    def write() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "Cu.extxyz").exists():
            write_structure(folder / "Cu.extxyz")
        write_atomically(config, demo_config(seed, poison))

    on_root(comm, write)
    test = folder / "test.extxyz"
    if not on_root(comm, test.exists):
        write_test_set(test, comm, report)
    return config


def demo_config(seed: int, poison: bool) -> str:
    """poison: one of the four starting cells is rattled by 0.2 Å, far outside the range of use."""
    text = template("copper").replace("seed: 1", f"seed: {seed}")
    if poison:
        text = text.replace("count: 4, displacement", "count: 3, displacement")
        text = text.replace("strain: 0.03}\n", "strain: 0.03}\n" + POISON, 1)
    return text


def write_structure(path: Path) -> None:
    """The cubic cell of fcc copper."""
    scratch = path.with_name(f".{path.name}.part")
    ase.io.write(scratch, bulk("Cu", cubic=True), format="extxyz")
    scratch.replace(path)


def write_test_set(path: Path, comm: Communicator, report: Report = silent) -> None:
    """EMT molecular dynamics at each temperature and zero pressure, in the demo's cell of 108
    atoms. Collective.
    """
    local: dict[float, list[Atoms]] = {}
    with collectively(comm):
        for number, temperature in enumerate(TEST_TEMPERATURES):
            if number % comm.size == comm.rank:
                report("EMT trajectories to test on", number, len(TEST_TEMPERATURES))
                local[temperature] = emt_trajectory(
                    temperature, np.random.default_rng([int(temperature), 7])
                )
    frames_at = {t: frames for part in comm.allgather(local) for t, frames in part.items()}

    def write() -> None:
        scratch = path.with_name(f".{path.name}.part")
        ase.io.write(scratch, [a for t in TEST_TEMPERATURES for a in frames_at[t]], format="extxyz")
        scratch.replace(path)

    on_root(comm, write)


def emt_trajectory(temperature: float, rng: np.random.Generator) -> list[Atoms]:
    """SAMPLES labelled frames at one temperature (K) after equilibration, Berendsen thermostat and
    barostat.
    """
    atoms = bulk("Cu", cubic=True) * (3, 3, 3)
    atoms.calc = EMT()
    MaxwellBoltzmannDistribution(atoms, temperature_K=2 * temperature, rng=rng)
    dynamics = NPTBerendsen(
        atoms,
        timestep=5 * units.fs,
        temperature_K=temperature,
        pressure_au=0.0,
        taut=100 * units.fs,
        taup=200 * units.fs,
        compressibility_au=1.0 / (140.0 * units.GPa),
    )
    dynamics.run(EQUILIBRATION_STEPS)
    frames = []
    for _ in range(SAMPLES):
        dynamics.run(STEPS_BETWEEN)
        frame = Atoms(atoms.symbols, positions=atoms.positions, cell=atoms.cell, pbc=True)
        results = {
            "energy": atoms.get_potential_energy(),
            "forces": atoms.get_forces(),
            "stress": atoms.get_stress(),
        }
        frame.calc = SinglePointCalculator(frame, **results)
        frames.append(frame)
    return frames
