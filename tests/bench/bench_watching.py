"""What watching costs: MD with force std, or energy std, every n steps beside plain pair_style snap MD, all in one run.

    python tests/bench/bench_watching.py [ATOMS …]; also under mpirun -n 2

Peak memory of rank 0 is that of everything before it as well: sizes grow.
"""

from __future__ import annotations

import resource
import statistics
import sys
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
from snap_al.parallel import Communicator, world
from snap_al.potential import FittedPotential
from snap_al.sessions import LammpsSession

ATOM_STEPS, REPEATS = 40_000, 3
"""Each timed stretch is of about so many atom steps, and 20 steps or more."""
WAYS = {
    "plain": (None, 10),
    "force 10": ("force_std", 10),
    "energy 10": ("energy_std", 10),
    "energy 1": ("energy_std", 1),
}


class Stretch:
    """One session of MD, timed in stretches with nothing, or one kind of std, looked at."""

    def __init__(self, session: LammpsSession, potential: FittedPotential, folder: Path, start: Configuration) -> None:
        self.session, self.monitor = session, StdMonitor(potential.settings, potential.posterior)
        self.steps = max(20, ATOM_STEPS // len(start) // 10 * 10)
        create(session, potential, start)
        session.commands(potential.pair_commands(folder))
        self.monitor.attach(session)
        session.commands(["velocity all create 300 1", "fix 1 all nve", "timestep 0.0005", "thermo 0", "run 1 post no"])

    def seconds(self, comm: Communicator, kind: str | None, every: int) -> float:
        comm.allgather(None)
        started = time.perf_counter()
        for _ in range(self.steps // every):
            self.session.command(f"run {every} pre no post no")
            if kind is not None:
                comm.allgather(float(getattr(self.monitor, kind)(self.session).max()))
        comm.allgather(None)
        return (time.perf_counter() - started) / self.steps


def main() -> None:
    comm, sizes = world(), [int(a) for a in sys.argv[1:]] or [250, 2000, 16000]
    if comm.rank == 0:
        print(f"{comm.size} rank(s), tungsten; ms per step, and ratio to plain")
        print(
            f"{'2J':>3} {'atoms':>6} {'plain':>9} "
            + " ".join(f"{w:>10}" for w in WAYS if w != "plain")
            + f" {'peak MB':>8}"
        )
    for twojmax in (6, 8):
        settings = SnapSettings(elements=("W",), twojmax=twojmax, rcutfac=4.7)
        n, rng = Columns.of(settings).n_distinct, np.random.default_rng(0)
        # Small random coefficients: the cost does not depend on them, and nothing flies apart.
        posterior = fit_posterior(rng.standard_normal((2 * n, n)), 1e-6 * rng.standard_normal(2 * n))
        potential = FittedPotential(settings, ReferencePotential(), posterior)
        for size in sizes:
            repeat = round((size / 2) ** (1 / 3))
            start = Configuration.from_atoms(bulk("W", cubic=True) * ((repeat,) * 3))
            with tempfile.TemporaryDirectory() as name, LammpsSession(comm) as session:
                potential.write(Path(name))
                stretch = Stretch(session, potential, Path(name), start)
                times = {w: [] for w in WAYS}  # type: dict[str, list[float]]
                for _ in range(REPEATS):
                    for way, (kind, every) in WAYS.items():
                        times[way].append(stretch.seconds(comm, kind, every))
            plain, *watched = (statistics.median(t) for t in times.values())
            if comm.rank == 0:
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                ratios = " ".join(f"{w / plain:10.2f}" for w in watched)
                print(f"{twojmax:3d} {len(start):6d} {1e3 * plain:9.2f} {ratios} {peak:8.0f}", flush=True)


if __name__ == "__main__":
    main()
