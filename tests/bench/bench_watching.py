"""What watching costs: walkers' own segments, with force stds or energy stds every n steps, beside
plain pair_style snap MD.

    python tests/bench/bench_watching.py [ATOMS …]; also under mpirun -n 2

Both sides in one run, in turns, the least of several times each. A segment's price per step is that
of a longer one less that of a shorter one, so that opening LAMMPS does not count. Peak memory of
rank 0 is that of everything before it as well: sizes grow.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = (
    "1"  # as `snap-al` does: idle threads of one rank take the other's processor
)

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from ase.build import bulk

from snap_al.data import Configuration
from snap_al.descriptors import Columns, ReferencePotential, SnapSettings
from snap_al.inference import fit_posterior
from snap_al.md import (
    Protocol,
    SegmentFiles,
    SegmentStart,
    StageSettings,
    WhenUncertain,
    run_segment,
)
from snap_al.md.boxes import create
from snap_al.parallel import Communicator, world
from snap_al.potential import FittedPotential, Snap
from snap_al.sessions import LammpsSession

ATOM_STEPS, REPEATS = 40_000, 3
"""Each timed stretch is of about so many atom steps, and 20 steps or more."""
WAYS = {
    "force 10": {"check_every": 10},
    "energy 10": {"screen_every": 10},
    "energy 1": {"screen_every": 1},
}


def stretch(size: int) -> int:
    return max(20, ATOM_STEPS // size // 10 * 10)


def plain(
    comm: Communicator, potential: FittedPotential, folder: Path, start: Configuration, steps: int
) -> float:
    """Seconds per step."""
    with LammpsSession(comm) as session:
        create(session, potential, start)
        session.commands(potential.pair_commands(folder))
        session.commands(
            [
                "velocity all create 300 1",
                "fix 1 all nve",
                "timestep 0.0005",
                "thermo 0",
                "run 1 post no",
            ]
        )
        comm.allgather(None)
        started = time.perf_counter()
        session.command(f"run {steps} pre no post no")
        comm.allgather(None)
        return (time.perf_counter() - started) / steps


def watched(
    comm: Communicator,
    potential: FittedPotential,
    folder: Path,
    start: Configuration,
    steps: int,
    way: dict[str, int],
) -> float:
    """Seconds of a whole segment. Looks of the energy ways are at its end."""
    stage = StageSettings(
        ensemble="nve",
        temperature=300,
        timestep=0.0005,
        steps=steps,
        checkpoint_every=steps,
        **{"check_every": steps, "screen_ratio": 1e9, "guards": {"max_force_std": 1e9}, **way},
    )
    begin = SegmentStart(start, None, 0, 1, stage.check_every)
    rule, out = WhenUncertain(1e9), folder / "restart"
    comm.allgather(None)
    started = time.perf_counter()
    result = run_segment(
        comm, potential, folder, Protocol.of([stage]), begin, rule, SegmentFiles(out)
    )
    comm.allgather(None)
    assert result.step == steps, result.reason
    return time.perf_counter() - started


def main() -> None:
    comm, sizes = world(), [int(a) for a in sys.argv[1:]] or [250, 2000, 16000]
    if comm.rank == 0:
        print(f"{comm.size} rank(s), tungsten; ms per step, and ratio to plain")
        print(
            f"{'2J':>3} {'atoms':>6} {'plain':>9} "
            + " ".join(f"{w:>10}" for w in WAYS)
            + f" {'peak MB':>8}"
        )
    for twojmax in (6, 8):
        settings = SnapSettings(elements=("W",), twojmax=twojmax, rcutfac=4.7)
        n, rng = Columns.of(settings).n_distinct, np.random.default_rng(0)
        # Small random coefficients: the cost does not depend on them, and nothing flies apart.
        posterior = fit_posterior(
            rng.standard_normal((2 * n, n)), 1e-6 * rng.standard_normal(2 * n)
        )
        potential = FittedPotential(Snap(settings), ReferencePotential(), posterior)
        for size in sizes:
            repeat = round((size / 2) ** (1 / 3))
            start = Configuration.from_atoms(bulk("W", cubic=True) * ((repeat,) * 3))
            row = measured(comm, potential, start)
            if comm.rank == 0:
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                ratios = " ".join(f"{w / row[0]:10.2f}" for w in row[1:])
                print(
                    f"{twojmax:3d} {len(start):6d} {1e3 * row[0]:9.2f} {ratios} {peak:8.0f}",
                    flush=True,
                )


def measured(comm: Communicator, potential: FittedPotential, start: Configuration) -> list[float]:
    """Seconds per step: plain, then each way."""
    times: list[list[float]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(comm.bcast(name))
        if comm.rank == 0:
            potential.write(folder)
        comm.allgather(None)
        steps = stretch(len(start))
        for _ in range(REPEATS if len(start) < 10_000 else 1):
            once = [plain(comm, potential, folder, start, steps)]
            for way in WAYS.values():
                once += [
                    watched(comm, potential, folder, start, length, way)
                    for length in (10, 10 + steps)
                ]
            times.append(once)
        comm.allgather(None)
    least, *pairs = (min(t) for t in zip(*times, strict=True))
    return [
        least,
        *((long - short) / steps for short, long in zip(pairs[::2], pairs[1::2], strict=True)),
    ]


if __name__ == "__main__":
    main()
