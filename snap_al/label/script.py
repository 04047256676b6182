"""The shell script that a label job is, wherever it runs: here, on a node of a cluster, or in a
worker of a pool.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from snap_al.label.job_folder import JobFolder
from snap_al.label.settings import LabelSettings

MPI_VARIABLES = (
    "PMI",
    "PMIX",
    "HYD",
    "HYDRA",
    "MPI_LOCAL",
    "MPIR_",
    "MPICH_INTERFACE",
    "OMPI_",
    "PRTE_",
    "PALS_",
)
"""Beginnings of what an MPI rank passes on to what it starts, and what makes an MPI program there
die or hang.
"""
WAIT = "--wait"
"""The worker's argument in place of a job; a calculator's dotted name follows."""


def job_script(settings: LabelSettings, jobs: Sequence[JobFolder]) -> str:
    """Several jobs are worked on one after another."""
    return _script(
        settings,
        jobs[0].home,
        f"exec >> {shlex.quote(str(jobs[0].output))} 2>&1 < /dev/null",
        [str(j.home) for j in jobs],
    )


def spare_script(settings: LabelSettings, folder: Path) -> str:
    """Of a worker that has its imports behind it and waits, on standard input, to be told which job
    is its own.
    """
    return _script(settings, folder, "exec > /dev/null 2>&1", [WAIT, settings.calculator])


def _script(
    settings: LabelSettings, folder: Path, redirection: str, arguments: Sequence[str]
) -> str:
    package = str(Path(__file__).resolve().parents[2])
    searched = [os.environ.get("PYTHONPATH", ""), os.getcwd(), package]
    threads = str(settings.threads)
    exported = {
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "PYTHONPATH": os.pathsep.join(filter(None, searched)),
        **settings.environment,
    }
    lines = [
        "#!/bin/bash",
        redirection,
        f"cd {shlex.quote(str(folder))}",
        "set -e",
        "for name in $(compgen -e); do",
        f'  case "$name" in {"|".join(f"{name}*" for name in MPI_VARIABLES)}) unset "$name" ;; '
        "esac",
        "done",
        *(f"export {name}={shlex.quote(value)}" for name, value in exported.items()),
        *settings.prologue,
        f"exec {shlex.join([sys.executable, '-m', 'snap_al.label.worker', *arguments])}",
    ]
    return "\n".join(lines) + "\n"
