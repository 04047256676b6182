"""What a label costs beyond the code that computes it: how long pw.x ran beside the time from
submission to result, one label after another, in a process here and as a Slurm job (SLURM_CONF must
name a running Slurm). The first label is left out, and printed apart.

python tests/bench/bench_labels.py [LABELS]
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from ase.build import bulk

from snap_al.data import Configuration
from snap_al.label import AseLabeler, JobBackend, LabelSettings, LocalProcesses, Scheduler

PSEUDO = "/usr/share/espresso/pseudo"
POLL = 0.1
"""s: as the driver does at most."""


def timed(folder):
    """A pw.x that leaves how long it ran, μs, in the folder that it runs in."""
    script = folder / "pw.sh"
    script.write_text(
        '#!/bin/bash\nbegan=${EPOCHREALTIME/./}\npw.x "$@"\necho $((${EPOCHREALTIME/./} - began)) '
        "> ran\n"
    )
    script.chmod(0o755)
    return str(script)


def settings(backend, command):
    more = (
        {"cluster": {"scheduler": "slurm", "memory_gb": 1, "poll_every": 1}}
        if backend == "cluster"
        else {}
    )
    return LabelSettings(
        calculator="snap_al.label.espresso.espresso",
        backend=backend,
        timeout=600,
        arguments={
            "pseudopotentials": {"Al": "Al.pz-vbc.UPF"},
            "pseudo_dir": PSEUDO,
            "ecutwfc": 15,
            "kspacing": 0.07,
            "smearing": 0.05,
            "command": command,
        },
        **more,
    )


def measured(backend, labels, folder):
    chosen = settings(backend, timed(folder))
    key = AseLabeler(chosen.calculator, chosen.arguments).key
    launcher = (
        Scheduler(chosen.cluster, 1, folder / "jobs")
        if backend == "cluster"
        else LocalProcesses(chosen)
    )
    jobs = JobBackend(chosen, key, folder, launcher)
    rng, rows = np.random.default_rng(0), []
    for n in range(labels):
        atoms = bulk("Al", cubic=True, a=3.97)
        atoms.rattle(0.05, rng=rng)
        asked = Configuration.from_atoms(atoms, f"Al {n}")
        began = time.perf_counter()
        job = jobs.submit(asked)
        while (result := jobs.poll(job, asked)) is None:
            time.sleep(POLL)
        assert result.label is not None, result.reason
        rows.append(
            (
                time.perf_counter() - began,
                float((folder / "jobs" / job / "work" / "ran").read_text()) / 1e6,
            )
        )
    return np.array(rows)


def main():
    labels = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    places = ["local", *(["cluster"] if "SLURM_CONF" in os.environ else [])]
    print(f"{labels} labels of 4 atoms; s per label: median, largest")
    print(f"{'where':10}{'pw.x itself':>20}{'submitted to result':>24}{'beyond pw.x':>20}")
    for backend in places:
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
            rows = measured(backend, labels, Path(folder).resolve())
        first, rows = rows[0], rows[1:]
        columns = (rows[:, 1], rows[:, 0], rows[:, 0] - rows[:, 1])
        text = [f"{np.median(c):.2f}, {c.max():.2f}" for c in columns]
        print(
            f"{'Slurm' if backend == 'cluster' else 'here':10}"
            f"{text[0]:>20}{text[1]:>24}{text[2]:>20}"
            f"   (first: {first[0] - first[1]:.2f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
