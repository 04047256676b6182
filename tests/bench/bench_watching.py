"""What watching costs: MD with force std every n steps beside plain pair_style snap MD, both in one run.

python tests/bench/bench_watching.py
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from ase.build import bulk

from snap_al.data import Configuration
from snap_al.descriptors import Columns, ReferencePotential, SnapSettings
from snap_al.fit import fit_posterior
from snap_al.md.boxes import create
from snap_al.md.monitor import StdMonitor
from snap_al.parallel import SERIAL
from snap_al.potential import FittedPotential, pair_commands
from snap_al.sessions import LammpsSession

STEPS, REPEATS = 100, 3


def seconds(potential: FittedPotential, folder: Path, start: Configuration, every: int) -> float:
    """Wall time of STEPS steps, set-up left out; every 0: not watched."""
    monitor = StdMonitor(potential.settings, potential.posterior)
    with LammpsSession(SERIAL) as session:
        create(session, potential, start)
        session.commands(
            pair_commands(
                potential.settings,
                potential.reference,
                f"{folder}/potential.snapcoeff",
                f"{folder}/potential.snapparam",
            )
        )
        monitor.attach(session)
        session.commands(["velocity all create 300 1", "fix 1 all nve", "timestep 0.0005", "thermo 0", "run 1 post no"])
        started = time.perf_counter()
        for _ in range(STEPS // (every or STEPS)):
            session.command(f"run {every or STEPS} pre no post no")
            if every:
                monitor.force_std(session)
        return time.perf_counter() - started


def main() -> None:
    print(f"{'2J':>3} {'atoms':>6} {'plain s':>9} {'every 10':>9} {'every 1':>9} {'ratio 10':>9} {'ratio 1':>9}")
    for twojmax in (6, 8):
        settings = SnapSettings(elements=("W",), twojmax=twojmax, rcutfac=4.7)
        n = Columns.of(settings).n_distinct
        rng = np.random.default_rng(0)
        # Small random coefficients: the cost does not depend on them, and nothing flies apart in a hundred steps.
        posterior = fit_posterior(rng.standard_normal((2 * n, n)), 1e-6 * rng.standard_normal(2 * n))
        potential = FittedPotential(settings, ReferencePotential(), posterior)
        with tempfile.TemporaryDirectory() as name:
            potential.write(Path(name))
            for repeat in (5, 8):
                start = Configuration.from_atoms(bulk("W", cubic=True) * (repeat, repeat, repeat))
                times = {e: [] for e in (0, 10, 1)}  # type: dict[int, list[float]]
                for _ in range(REPEATS):
                    for every, found in times.items():
                        found.append(seconds(potential, Path(name), start, every))
                plain, ten, one = (statistics.median(t) for t in times.values())
                print(
                    f"{twojmax:3d} {len(start):6d} {plain:9.2f} {ten:9.2f} {one:9.2f} {ten / plain:9.2f} {one / plain:9.2f}"
                )


if __name__ == "__main__":
    main()
