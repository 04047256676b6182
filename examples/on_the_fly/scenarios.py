"""Structures, first training sets and unseen trajectories of three on-the-fly studies, each with a
config beside them.

python scenarios.py {copper,poisoned,alloy,hydrogen} FOLDER [SEED]
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import thermalize_momenta

from snap_al.cli.demo import prepare
from snap_al.parallel import SERIAL
from snap_al.potential.calculator import LammpsCalculator

HERE = Path(__file__).parent
NI3AL = 3.66
"""Å, EMT's lattice constant."""
NICKEL = 3.555
"""Å, the EAM potential's, with the expansion at 900 K."""
LIKE_TEST = "reference.extxyz"
"""Labelled trajectories like the unseen ones, with other seeds: what the model can do at best is
fitted to them.
"""


def write_scenario(name: str, folder: Path, seed: int = 1) -> Path:
    """Returns the config. seed: of the first training set, if there is one. Unseen trajectories
    that are there are kept: they are the same for all seeds."""
    folder.mkdir(parents=True, exist_ok=True)
    if name in ("copper", "poisoned"):
        return prepare(folder, seed, name == "poisoned", SERIAL)
    {"alloy": write_alloy, "hydrogen": write_hydrogen}[name](folder, seed)
    return Path(shutil.copy(HERE / f"{name}.yaml", folder))


def write_alloy(folder: Path, seed: int) -> None:
    perfect = Atoms(
        "Ni3Al",
        scaled_positions=[[0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5], [0, 0, 0]],
        cell=3 * [1.02 * NI3AL],
        pbc=True,
    )
    crystal = perfect * (2, 2, 2)
    vacancy = crystal.copy()
    del vacancy[0]
    slab = perfect * (2, 2, 3)
    slab.center(vacuum=6.0, axis=2)
    slab.pbc = (True, True, False)
    for name, atoms in (("perfect", crystal), ("vacancy", vacancy), ("slab", slab)):
        ase.io.write(folder / f"{name}.extxyz", atoms, format="extxyz")

    def unseen(rng: np.random.Generator) -> list[Atoms]:
        return [
            *trajectory(crystal, EMT(), 1200.0, rng, "crystal"),
            *trajectory(vacancy, EMT(), 1200.0, rng, "vacancy"),
            *trajectory(slab, EMT(), 1000.0, rng, "slab"),
            *trajectory(molten(crystal, rng), EMT(), 2200.0, rng, "melt"),
        ]

    write_unseen(folder, unseen)


def molten(crystal: Atoms, rng: np.random.Generator) -> Atoms:
    atoms = crystal.copy()
    atoms.set_cell(1.02 * atoms.cell, scale_atoms=True)
    return trajectory(atoms, EMT(), 4000.0, rng, "", frames=1)[0]


def write_hydrogen(folder: Path, seed: int) -> None:
    rng = np.random.default_rng([seed, 1])
    first = [
        *trajectory(
            with_hydrogen(0, rng),
            nickel_hydrogen(),
            800.0,
            rng,
            "nickel",
            frames=5,
            femtoseconds=0.5,
        ),
        *trajectory(
            with_hydrogen(1, rng), nickel_hydrogen(), 800.0, rng, "one", frames=10, femtoseconds=0.5
        ),
        *trajectory(
            with_hydrogen(1, rng),
            nickel_hydrogen(),
            1200.0,
            rng,
            "one",
            frames=10,
            femtoseconds=0.5,
        ),
    ]
    ase.io.write(folder / "first.extxyz", first, format="extxyz")
    ase.io.write(folder / "six.extxyz", with_hydrogen(6, rng), format="extxyz")

    def unseen(rng: np.random.Generator) -> list[Atoms]:
        starts = [with_hydrogen(6, rng) for _ in range(3)]
        runs = [
            trajectory(s, nickel_hydrogen(), 900.0, rng, "six", every=60, femtoseconds=0.5)
            for s in starts
        ]
        return [frame for run in runs for frame in run]

    write_unseen(folder, unseen)


def write_unseen(folder: Path, frames: Callable[[np.random.Generator], list[Atoms]]) -> None:
    for name, seed in (("test.extxyz", 7), (LIKE_TEST, 8)):
        if not (folder / name).exists():
            ase.io.write(folder / name, frames(np.random.default_rng(seed)), format="extxyz")


def nickel_hydrogen() -> LammpsCalculator:
    return LammpsCalculator(
        ["pair_style eam/alloy", "pair_coeff * * NiAlH_jea.eam.alloy Ni H"], ["Ni", "H"]
    )


def with_hydrogen(count: int, rng: np.random.Generator) -> Atoms:
    """32 nickel atoms and hydrogen on octahedral sites."""
    atoms = bulk("Ni", cubic=True, a=NICKEL) * (2, 2, 2)
    sites = [np.array(s) * NICKEL / 2 for s in np.ndindex(4, 4, 4) if sum(s) % 2]
    for k in rng.choice(len(sites), count, replace=False):
        atoms += Atoms("H", positions=[sites[k]])
    return atoms


def trajectory(
    start: Atoms,
    calculator: Calculator,
    temperature: float,
    rng: np.random.Generator,
    group: str,
    *,
    frames: int = 15,
    every: int = 20,
    equilibration: int = 200,
    femtoseconds: float = 3.0,
) -> list[Atoms]:
    """Labelled frames of Langevin MD at a temperature (K) and fixed cell."""
    atoms = start.copy()
    atoms.calc = calculator
    thermalize_momenta(atoms, temperature, rng=rng)
    dynamics = Langevin(
        atoms,
        femtoseconds * units.fs,
        temperature_K=temperature,
        friction=0.01 / units.fs,
        fixcm=False,
        rng=rng,
    )
    dynamics.run(equilibration)
    found = []
    for _ in range(frames):
        dynamics.run(every)
        frame = Atoms(
            atoms.symbols,
            positions=atoms.positions,
            cell=atoms.cell,
            pbc=atoms.pbc,
            info={"group": group},
        )
        results = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
        if all(atoms.pbc):
            results["stress"] = atoms.get_stress()
        frame.calc = SinglePointCalculator(frame, **results)
        found.append(frame)
    return found


if __name__ == "__main__":
    print(
        write_scenario(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    )
