"""One small energy, forces, stress and stds by SnapCalculator, beside LAMMPS started for each call:
as a program, and in memory.

    python tests/bench/bench_calculator.py [DIR]

DIR is a run or fit of copper; one is made when it is not given.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from ase.build import bulk

import snap_al as sa
from snap_al.potential.calculator import LammpsCalculator

BIN = Path(sys.executable).parent
CALLS = 20
SCRIPT = """units metal
lattice fcc 3.6
region cell block 0 {n} 0 {n} 0 {n}
create_box 1 cell
create_atoms 1 box
mass 1 63.5
include potential.mod
run 0
"""


def milliseconds(call):
    call()
    started = time.perf_counter()
    for _ in range(CALLS):
        call()
    return 1e3 * (time.perf_counter() - started) / CALLS


def compared(folder, n):
    atoms = bulk("Cu", cubic=True, a=3.6) * (n, n, n)
    rng = np.random.default_rng(0)
    potential = sa.FittedPotential.read(folder)

    def ours(stds):
        calculator = sa.SnapCalculator(potential, stds=stds)

        def call():
            atoms.positions[0] += 1e-4 * rng.standard_normal(3)
            calculator.calculate(atoms)

        return call

    def opened():
        fresh = LammpsCalculator(potential.pair_commands(folder), potential.elements)
        fresh.calculate(atoms)
        fresh.close()

    (folder / "bench.in").write_text(SCRIPT.format(n=n))

    def program():
        subprocess.run(
            [BIN / "lmp", "-in", "bench.in", "-log", "none", "-screen", "none"],
            cwd=folder,
            check=True,
        )

    return len(atoms), *(milliseconds(call) for call in (ours(True), ours(False), opened, program))


def main():
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(scratch) / "run"
        if not folder.exists():
            subprocess.run(
                [BIN / "snap-al", "demo", "--out", scratch], check=True, stdout=subprocess.DEVNULL
            )
        print(
            "ms a call | atoms | SnapCalculator with stds | without | LAMMPS opened for each call "
            "| lmp started for each call"
        )
        for n in (1, 2, 3):
            print(
                "          | {:5d} | {:.1f} | {:.1f} | {:.1f} | {:.0f}".format(*compared(folder, n))
            )


if __name__ == "__main__":
    main()
