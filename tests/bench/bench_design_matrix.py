"""The design matrix of a deck: ours and FitSNAP's process_configs, alternating, in one run.

    [mpirun -n 2] python tests/bench/bench_design_matrix.py [DECK] [REPEATS] [--ours]

The Ta example of SNAP_AL_DATA when no deck is given; --ours leaves FitSNAP out, to compare numbers
of ranks.

FitSNAP's time is that of process_configs alone; ours is that of everything between configurations
and rows.
"""

from __future__ import annotations

import contextlib
import io
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from mpi4py import MPI

from snap_al.config import validate_config
from snap_al.descriptors import DescriptorEngine, DesignMatrix
from snap_al.fitsnap import compat, read_deck
from snap_al.loop import read_inputs
from snap_al.parallel import Communicator, world

DATA = Path(os.environ.get("SNAP_AL_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))


def ours(path: Path, comm: Communicator) -> float:
    deck = read_deck(path)
    inputs = read_inputs(validate_config({"fitsnap": deck.path.name}, deck.path))
    started = time.perf_counter()
    with DescriptorEngine(deck.settings, inputs.reference) as engine:
        matrix = DesignMatrix(engine, comm)
        matrix.append(inputs.training)
    return time.perf_counter() - started


def fitsnaps(path: Path) -> float:
    from fitsnap3lib.fitsnap import FitSnap

    with contextlib.redirect_stdout(io.StringIO()):
        fs = FitSnap(str(path), comm=MPI.COMM_WORLD, arglist=["--overwrite"])
        fs.scrape_configs()
        started = time.perf_counter()
        fs.process_configs()
    return time.perf_counter() - started


def main() -> None:
    comm = world()
    given = [a for a in sys.argv[1:] if a != "--ours"]
    path = Path(given[0]) if given else DATA / "Ta_Linear_JCP2014" / "Ta-example.in"
    path = path.resolve()
    repeats = int(given[1]) if len(given) > 1 else 5
    compat.apply()
    times: dict[str, list[float]] = {"FitSNAP": [], "snap_al": []}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # FitSNAP writes into the current directory
        for _ in range(repeats):
            if "--ours" not in sys.argv:
                times["FitSNAP"].append(fitsnaps(path))
            times["snap_al"].append(max(comm.allgather(ours(path, comm))))
        os.chdir("/")
    if comm.rank != 0:
        return
    for name, found in times.items():
        if found:
            print(
                f"{name:8s} median {statistics.median(found):8.3f} s   each "
                f"{' '.join(f'{t:.3f}' for t in found)}"
            )
    if times["FitSNAP"]:
        print(
            "ratio    "
            f"{statistics.median(times['FitSNAP']) / statistics.median(times['snap_al']):.2f}"
        )


if __name__ == "__main__":
    main()
