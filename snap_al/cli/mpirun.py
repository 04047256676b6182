"""Whether `mpirun` starts ranks that know of each other, which means that it belongs to the MPI
that mpi4py loads."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

MARKS = {
    "Intel MPI": ("intel(r) mpi",),
    "MVAPICH": ("mvapich",),
    "Open MPI": ("open mpi", "openrte", "open-mpi", "prrte"),
    "MPICH": ("hydra", "mpich"),
}
"""Texts in the versions of launchers and libraries, in the order in which they are looked for: the
first ones are made from MPICH."""

LAUNCHER_SECONDS = 60
HELLO = "import os; from mpi4py import MPI; os.write(1, b'ranks %d\\n' % MPI.COMM_WORLD.size)"
"""A single write, since both processes write to the same pipe."""
OF_A_JOB = ("PMI", "HYD", "MPI_LOCAL", "MPIR_", "OMPI_", "PRTE_", "PALS_")
"""Beginnings of the variables by which a launcher shows a process that it is a rank."""
ALLOWED = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}
"""Open MPI refuses root, and more ranks than cores, unless these are set. Neither matters here."""


@dataclass(frozen=True)
class Launcher:
    """An mpirun and what two processes that it started saw."""

    path: Path
    """The program."""
    name: str
    """The MPI that it is of, "MPICH" for example; "an unknown MPI" where its version does not
    say."""
    sizes: list[int]
    """The number of ranks that each of the processes sees; [2, 2] when all is well."""
    trouble: str = ""
    """The last line that it said when it failed."""

    @property
    def works(self) -> bool:
        return self.sizes == [2, 2]


def implementation(version: str) -> str:
    """The MPI that a text of `mpirun --version` or of MPI_Get_library_version belongs to."""
    text = version.lower()
    return next(
        (name for name, marks in MARKS.items() if any(mark in text for mark in marks)),
        "an unknown MPI",
    )


def beside_python() -> Path | None:
    """The mpirun in the folder of this Python, from the mpich that pip installs. It need not be on
    PATH."""
    path = Path(sys.executable).parent / "mpirun"
    return path if path.exists() else None


def on_path() -> Path | None:
    path = shutil.which("mpirun")
    return Path(path) if path else None


def try_launcher(path: Path, within: float = LAUNCHER_SECONDS) -> Launcher:
    """Starts two processes with the launcher. Never raises: errors are part of the result."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(OF_A_JOB)}
    environment = {**kept, **ALLOWED}
    try:
        version = _output([path, "--version"], environment, within)
        output = _output([path, "-n", "2", sys.executable, "-c", HELLO], environment, within)
    except subprocess.TimeoutExpired:
        return Launcher(path, "an unknown MPI", [], f"it did not end within {within:.0f} s")
    except OSError as error:
        return Launcher(path, "an unknown MPI", [], str(error))
    lines = output.splitlines()
    sizes = [int(line.split()[1]) for line in lines if line.startswith("ranks ")]
    trouble = next(
        (line for line in lines if "error" in line.lower() or "abort" in line.lower()), ""
    )
    return Launcher(path, implementation(version), sizes, "" if sizes == [2, 2] else trouble[:160])


def _output(command: list[str | Path], environment: dict[str, str], within: float) -> str:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        timeout=within,
        text=True,
        errors="replace",
    )
    return done.stdout


def what_is_wrong(launcher: Launcher, library: str, beside: Path | None) -> str:
    """What to do about a launcher; nothing when its ranks know of each other.

    Args:
        launcher: The one on PATH.
        library: What the MPI library of mpi4py says that it is.
        beside: The mpirun in the folder of this Python, if there is one.
    """
    if launcher.works:
        return ""
    name = implementation(library)
    if launcher.sizes:
        seen = f"of two processes that it started one sees {min(launcher.sizes)} rank(s)"
    else:
        seen = "two processes that it started could not begin"
    if launcher.name != name:
        whose = f"this is the mpirun of {launcher.name}, and mpi4py loads {name}"
    else:
        whose = f"{launcher.trouble or 'it said nothing'}"
    better = beside is not None and beside.resolve() != launcher.path.resolve()
    use = (
        f"use {beside}, or put its folder first on PATH"
        if better
        else f"load your site's module of {name}, or install it"
    )
    return f"{seen}: {whose}; {use}"
