"""A pool of copper in EMT, in four groups: crystals warm and strained, with vacancies, and melts.
Writes pool.extxyz, with labels, and first.extxyz, the few that are labelled to begin with.

    python make_pool.py [--each 40]
"""

import argparse

import ase.io
import numpy as np
from ase import units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.md.langevin import Langevin

GROUPS = {
    "warm": (0.0, 0, 600),
    "strained": (0.06, 0, 600),
    "vacancies": (0.0, 2, 900),
    "melt": (0.05, 0, 3000),
}
"""Strain, vacancies, K."""


def frames(name, n, rng):
    strain, vacancies, temperature = GROUPS[name]
    atoms = bulk("Cu", cubic=True) * (2, 2, 2)
    del atoms[rng.permutation(len(atoms))[:vacancies].tolist()]
    atoms.set_cell(atoms.cell * (1 + strain), scale_atoms=True)
    atoms.rattle(0.05, rng=rng)
    atoms.calc = EMT()
    dynamics = Langevin(
        atoms,
        4 * units.fs,
        temperature_K=temperature,
        friction=0.02 / units.fs,
        fixcm=False,
        rng=rng,
    )
    dynamics.run(100)
    for _ in range(n):
        dynamics.run(25)
        frame = atoms.copy()
        frame.info["group"] = name
        results = {
            "energy": atoms.get_potential_energy(),
            "forces": atoms.get_forces(),
            "stress": atoms.get_stress(),
        }
        frame.calc = SinglePointCalculator(frame, **results)
        yield frame


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--each", type=int, default=40)
    each = parser.parse_args().each
    rng = np.random.default_rng(1)
    pool = [frame for name in GROUPS for frame in frames(name, each, rng)]
    ase.io.write("pool.extxyz", pool)
    ase.io.write("first.extxyz", pool[:each:8])


if __name__ == "__main__":
    main()
