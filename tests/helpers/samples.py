"""Small structures, potentials, decks and configs that several test modules use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from ase.build import bulk

from helpers.two_units import TwoUnits
from snap_al.data import Configuration, Label, Weights
from snap_al.descriptors import Columns, ReferencePotential, SnapSettings

CHEM = SnapSettings(
    elements=("Cu", "Ag"), twojmax=4, rcutfac=4.5, radelem=(0.5, 0.45), wj=(1.0, 0.8), chemflag=True
)
PLAIN = SnapSettings(
    elements=("Cu", "Ag"),
    twojmax=4,
    rcutfac=4.5,
    radelem=(0.5, 0.45),
    wj=(1.0, 0.8),
    bzeroflag=True,
)
QUADRATIC = SnapSettings(
    elements=("Cu", "Ag"),
    twojmax=2,
    rcutfac=4.5,
    radelem=(0.5, 0.45),
    wj=(1.0, 0.8),
    quadraticflag=True,
)
INNER = SnapSettings(
    elements=("Cu", "Ag"), twojmax=4, rcutfac=4.5, sinner=(2.0, 2.1), dinner=(0.3, 0.4)
)
COPPER = SnapSettings(elements=("Cu",), twojmax=4, rcutfac=4.5)
ZBL = ReferencePotential.parse(
    [
        "pair_style zbl 2.5 3.5",
        "pair_coeff 1 1 29 29",
        "pair_coeff 1 2 29 47",
        "pair_coeff 2 2 47 47",
    ]
)


KINDS_OF_SNAP = {"chem": CHEM, "plain": PLAIN, "quadratic": QUADRATIC, "inner": INNER}


WEIGHTS = Weights(100.0, 1.0, 3e-5)


FIT = "descriptor: {elements: [Cu], twojmax: 4, rcutfac: 4.5}\ntraining: [{path: train.extxyz}]\n"


DECK = """
[BISPECTRUM]
numTypes = 1
twojmax = 4
rcutfac = 4.5
type = Cu
bzeroflag = 0
[CALCULATOR]
calculator = LAMMPSSNAP
energy = 1
force = 1
stress = 1
[ESHIFT]
Cu = 0.25
[SOLVER]
solver = SVD
[SCRAPER]
scraper = JSON
[PATH]
dataPath = JSON
[OUTFILE]
metrics = metrics.md
potential = Cu_pot
[REFERENCE]
units = metal
atom_style = atomic
pair_style = hybrid/overlay zero 10.0 zbl 2.0 2.5
pair_coeff1 = * * zero
pair_coeff2 = * * zbl 29 29
[GROUPS]
group_sections = name training_size testing_size eweight fweight vweight
group_types = str float float float float float
warm = 0.5 0.25 100 1 1.0e-8   # a comment
"""


def two_units(settings=COPPER):
    """A model that is not snap_al's."""
    k = Columns.of(settings).n_components
    weights = np.random.default_rng(1).standard_normal((2, k)) / np.arange(1, k + 1) / 20
    return TwoUnits(settings, weights.tolist(), np.linspace(0.0, 5.0, k).tolist())


def orthogonal(seed, mirror):
    q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))
    return -q if (np.linalg.det(q) < 0) != mirror else q


def rattled_copper(seed: int, displacement: float = 0.08, repeat: int = 2) -> Configuration:
    """Labelled by EMT."""
    from ase.calculators.emt import EMT

    rng = np.random.default_rng(seed)
    atoms = bulk("Cu", cubic=True) * (repeat, repeat, repeat)
    atoms.set_cell(atoms.cell.array * (1 + rng.uniform(-0.02, 0.02)), scale_atoms=True)
    atoms.positions += displacement * rng.standard_normal(atoms.positions.shape)
    atoms.calc = EMT()
    label = Label(atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress())
    return Configuration.from_atoms(atoms, f"copper {seed}").labelled(label)


def written_deck(folder: Path, text: str, json_of: Callable[[Configuration], str]) -> Path:
    """A deck beside JSON/warm with eight files of four copper atoms."""
    (folder / "JSON" / "warm").mkdir(parents=True)
    for k in range(8):
        (folder / "JSON" / "warm" / f"{k}.json").write_text(json_of(rattled_copper(k, repeat=1)))
    (folder / "Cu.in").write_text(text)
    return folder / "Cu.in"


def small_config(folder: Path, **changes: str) -> Path:
    """A run of half a minute: 32 atoms of copper, ramp 300 to 900 K. `changes` replace whole lines
    by their key.
    """
    from snap_al.cli.demo import write_structure

    folder.mkdir(parents=True, exist_ok=True)
    write_structure(folder / "Cu.extxyz")
    lines = {
        "seed": "seed: 3",
        "descriptor": "descriptor: {elements: [Cu], twojmax: 4, rcutfac: 4.5}",
        "start": (
            "start: {structures: [{structure: Cu.extxyz, supercell: [2, 2, 2], count: 3, "
            "displacement: [0.04, 0.06]}]}"
        ),
        "explore": "explore: {walkers: [{structure: Cu.extxyz, supercell: [2, 2, 2]}], "
        "temperature: [300, 900], timestep: 0.003, steps: 400, check_every: 10, "
        "checkpoint_every: 150, pressure_damping: 1.0}",
        "query": "query: {force_std: 0.05}",
        "stop": "stop: {max_labels: 12}",
        **changes,
    }
    path = folder / "config.yaml"
    path.write_text("\n".join(lines.values()) + "\n")
    return path
