"""Faults, injected into short runs, and what became of them: python tests/faults [--quick] [--only
WORD]

kill -9 at random instants and at system calls that write, errors of a disk, signals, ranks that
die, labelers that misbehave, other drivers in the same folder, folders that were moved or are of
another version, and inputs that were tampered with. Exit code 1 when anything did not survive.
"""

import argparse
import signal
import tempfile
import time
from pathlib import Path

import calls
import disk
import folders
import inputs
import kills
import labelers
import numpy as np
from bench import Case
from rich.console import Console
from rich.table import Table

NOTHING = 77
"""Exit code when no fault of the kind can be injected on this machine."""
LOCAL = "label: {backend: local, at_once: 2, timeout: 60}"


def rows(root, quick, seed):
    """Each as a function, by name, so that those not asked for cost nothing."""
    rng = np.random.default_rng(seed)
    many, some, few = (6, 2, 1) if quick else (200, 12, 5)
    cases = {}

    def case(ranks, **changes):
        key = (ranks, *changes.items())
        if key not in cases:
            cases[key] = Case(root / f"case{len(cases)}", ranks, **changes)
        return cases[key]

    yield "kill -9", lambda: kills.random_kills(case(1), "labels here", many, rng)
    yield "kill -9", lambda: kills.random_kills(case(2), "labels here", many, rng)
    yield (
        "kill -9",
        lambda: kills.random_kills(case(1, label=LOCAL), "labels as jobs", many // 4, rng),
    )
    yield (
        "kill -9",
        lambda: kills.random_kills(case(2, label=LOCAL), "labels as jobs", many // 4, rng),
    )
    yield "signals", lambda: kills.signals(case(1), signal.SIGTERM, few, rng)
    yield "signals", lambda: kills.signals(case(2), signal.SIGUSR1, few, rng)
    yield "rank", lambda: kills.one_rank(case(2), few, rng)
    if calls.available():
        for ranks in (1, 2):
            for kind in calls.KINDS:
                yield (
                    "calls",
                    lambda r=ranks, k=kind: calls.at_calls(
                        case(r), k, some if r == 1 else few, rng
                    ),
                )
        for kind, errors in calls.ERRORS.items():
            for error in errors:
                yield (
                    f"calls: {kind} {error}",
                    lambda k=kind, e=error: calls.at_calls(case(1), k, few, rng, e),
                )
    if disk.available(root):
        yield "disk", lambda: disk.full_disk(case(1), some)
        yield "disk", lambda: disk.full_disk(case(1), some, "nr_inodes")
        yield "disk", lambda: disk.full_disk(case(2), few)
    for fault in labelers.FAULTS:
        yield "labelers", lambda f=fault: labelers.with_fault(root, f)
    for each in folders.FAULTS:
        yield "folders", lambda f=each: f(case(1), few)
    for each in inputs.KINDS:
        yield (
            f"inputs: {each}",
            lambda k=each: inputs.mutated(
                case(1), k, (27 if quick else 1000) // len(inputs.KINDS) + 1, rng
            ),
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few of each, in minutes")
    parser.add_argument(
        "--only",
        default="",
        help="kill -9, signals, rank, calls, disk, labelers, folders, or inputs",
    )
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    console, table = Console(width=160), Table()
    for column in ("fault", "times", "survived", "labels lost", "repeated", "s"):
        table.add_column(column, justify="left" if column == "fault" else "right")
    bad, kinds = [], 0
    with tempfile.TemporaryDirectory(prefix="snap_al_faults_") as folder:
        for kind, inject in rows(Path(folder), chosen.quick, chosen.seed):
            if chosen.only not in kind:
                continue
            kinds += 1
            began = time.monotonic()
            row = inject()
            cells = [str(x) for x in (row.injected, row.survived, row.lost, row.repeated)]
            table.add_row(row.fault, *cells, f"{time.monotonic() - began:.0f}")
            console.print(row.fault, *cells)
            bad += [] if row.good else [row]
            for note in row.notes[:3]:
                console.print(note, markup=False)
    console.print(table)
    if not kinds:
        console.print(
            f"nothing of {chosen.only!r} can be injected here: calls need strace, disks need root "
            "and tmpfs"
        )
        raise SystemExit(NOTHING)
    raise SystemExit(1 if bad else 0)


if __name__ == "__main__":
    main()
