"""Light interstitials that cluster in a first potential, as on the talk's slide of hydrogen in
tungsten: seen, flagged, and gone.

python clusters.py --out DIR [--seeds 1 2 3 4 5]

A potential fitted to nickel with single hydrogen atoms pulls hydrogen together, which the truth
(EAM) does not. The run starts with that potential; its first fit and its last are compared in the
same MD, outside the run.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import thermalize_momenta
from compare import command
from matplotlib.figure import Figure
from scenarios import nickel_hydrogen, write_scenario

from snap_al.data import Configuration
from snap_al.inference import atom_force_std, square_root
from snap_al.potential import FittedPotential
from snap_al.potential.calculator import LammpsCalculator

BONDED = 1.4
"""Å; in the truth's MD no two hydrogen atoms come so near: 1.57 Å in 25 trajectories."""
TOLERANCE = 0.2
"""eV/Å, of the run."""
TEMPERATURE, STEPS, EVERY, FEMTOSECONDS = 900.0, 3000, 50, 0.5


def dynamics(start: Atoms, calculator: Calculator, seed: int) -> list[Atoms]:
    """Frames of Langevin MD, the same random numbers for every calculator."""
    rng = np.random.default_rng(seed)
    atoms = start.copy()
    atoms.calc = calculator
    thermalize_momenta(atoms, TEMPERATURE, rng=rng)
    md = Langevin(
        atoms,
        FEMTOSECONDS * units.fs,
        temperature_K=TEMPERATURE,
        friction=0.01 / units.fs,
        fixcm=False,
        rng=rng,
    )
    frames = [atoms.copy()]
    for _ in range(STEPS // EVERY):
        md.run(EVERY)
        frames.append(atoms.copy())
    return frames


def pairs(frame: Atoms) -> int:
    """Of hydrogen atoms nearer than BONDED."""
    own = np.flatnonzero(np.array(frame.get_chemical_symbols()) == "H")
    distances = frame.get_all_distances(mic=True)[np.ix_(own, own)]
    return int((np.triu(distances < BONDED, 1)).sum())


def stds(frames: list[Atoms], potential: FittedPotential) -> list[float]:
    """Largest force std of each frame, eV/Å."""
    root = square_root(potential.posterior.covariance)
    with potential.engine() as engine:
        rows = [engine.rows(Configuration.from_atoms(f)).forces for f in frames]
    return [float(atom_force_std(r, root).max()) for r in rows]


def of_snap(folder: Path) -> tuple[FittedPotential, LammpsCalculator]:
    potential = FittedPotential.read(folder)
    return potential, LammpsCalculator(potential.pair_commands(folder), potential.elements)


def story(out: Path, seed: int) -> dict[str, dict[str, list[float]]]:
    """Pairs and stds along MD with the truth, the first and the last potential of a run that is
    made if it is not there.
    """
    config = write_scenario("hydrogen", out, seed)
    config.write_text(config.read_text().replace("seed: 1\n", f"seed: {seed}\n", 1))
    run = out / "run"
    if not (run / "metrics.json").exists():
        command("run", config, "--out", run)
    start = ase.io.read(out / "six.extxyz")
    first, by_first = of_snap(run / "fits" / "0001")
    last, by_last = of_snap(run)
    found = {}
    for name, calculator, judge in (
        ("truth", nickel_hydrogen(), last),
        ("first", by_first, first),
        ("last", by_last, last),
    ):
        frames = dynamics(start, calculator, seed)
        found[name] = {"pairs": [pairs(f) for f in frames], "std": stds(frames, judge)}
        calculator.close()
    return found


def figure(found: dict[str, dict[str, list[float]]]) -> Figure:
    made = Figure(figsize=(8.0, 3.4), layout="constrained")
    left, right = made.subplots(1, 2)
    for name, values in found.items():
        time = np.arange(len(values["pairs"])) * EVERY * FEMTOSECONDS
        left.plot(time, values["pairs"], label=name)
        if name != "truth":
            right.plot(time, values["std"], label=name)
    right.axhline(TOLERANCE, color="black", ls=":", lw=1)
    left.set(xlabel="time, fs", ylabel=f"H pairs nearer than {BONDED} Å")
    right.set(xlabel="time, fs", ylabel="largest force std, eV/Å", yscale="log")
    left.legend(frameon=False)
    return made


def first_time(values: list[float], limit: float) -> float | None:
    """fs at which a value is over the limit for the first time; None if none is."""
    return next((n * EVERY * FEMTOSECONDS for n, x in enumerate(values) if x > limit), None)


def told(found: list[dict[str, dict[str, list[float]]]]) -> str:
    """A line for each potential: over the seeds, the share of frames of the second half with a
    pair, and when a pair forms and the std passes the tolerance.
    """
    lines = []
    for name in found[0]:
        halves = [values[name]["pairs"][STEPS // EVERY // 2 :] for values in found]
        formed = [first_time(values[name]["pairs"], 0) for values in found]
        flagged = [first_time(values[name]["std"], TOLERANCE) for values in found]
        lines.append(
            f"{name:6} frames of the second half with a pair {np.mean(np.array(halves) > 0):.3f}; "
            f"first pair at {times(formed)}; std over {TOLERANCE} eV/Å at {times(flagged)}"
        )
    return "\n".join(lines)


def times(moments: list[float | None]) -> str:
    """One for each seed."""
    return ", ".join("-" if t is None else f"{t:g}" for t in moments) + " fs"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    given = parser.parse_args()
    found = [story(given.out / f"seed{seed}", seed) for seed in given.seeds]
    (given.out / "clusters.json").write_text(json.dumps(found) + "\n")
    figure(found[0]).savefig(given.out / "clusters.png", dpi=150)
    print(told(found))


if __name__ == "__main__":
    main()
