"""The shell script of a label job, which is the same on this machine, on a node of a cluster, and
in a worker of a pool."""

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
"""Beginnings of the variables that an MPI rank passes on to its processes, and with which an MPI
program in them ends or hangs."""
WAIT = "--wait"
"""The argument of the worker in place of a job; the dotted name of a calculator follows."""


def job_script(settings: LabelSettings, jobs: Sequence[JobFolder]) -> str:
    """The script of one or several jobs, which run one after another."""
    return _script(
        settings,
        jobs[0].home,
        f"exec >> {shlex.quote(str(jobs[0].output))} 2>&1 < /dev/null",
        [str(j.home) for j in jobs],
    )


def spare_script(settings: LabelSettings, folder: Path) -> str:
    """The script of a spare worker, which has imported its modules and waits on standard input for
    a job."""
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
