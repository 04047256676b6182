"""Programs that not every machine has: tests that need one are skipped with a reason that names
it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
ESPRESSO_POTENTIALS = Path("/usr/share/espresso/pseudo")
GPAW_SETUPS = Path(os.environ.get("GPAW_SETUP_PATH", "/usr/share/gpaw-setups"))
QUANTUM_ESPRESSO = (
    "Quantum ESPRESSO (pw.x with /usr/share/espresso/pseudo): apt-get install quantum-espresso"
)


def needs(there: object, what: str) -> pytest.MarkDecorator:
    """Marks a test that is skipped unless `there`; what: the program that it needs, and how to get
    it.
    """
    return pytest.mark.skipif(not there, reason=f"needs {what}")


def needs_program(name: str, how: str) -> pytest.MarkDecorator:
    return needs(shutil.which(name), f"{name}: {how}")


def espresso_is_here() -> bool:
    return shutil.which("pw.x") is not None and ESPRESSO_POTENTIALS.is_dir()


def other_mpiruns() -> dict[str, Path]:
    """The mpirun of each MPI on PATH that is not the one beside this Python, by the name of the
    MPI.
    """
    from snap_al.cli.mpirun import implementation

    found: dict[str, Path] = {}
    own = (BIN / "mpirun").resolve()
    for folder in os.get_exec_path():
        for name in ("mpirun", "mpirun.openmpi", "mpirun.mpich"):
            path = Path(folder) / name
            if path.exists() and path.resolve() != own:
                done = subprocess.run([path, "--version"], capture_output=True, text=True)
                found.setdefault(implementation(done.stdout + done.stderr), path)
    return found


def summary_of_skips(reports: Iterable[pytest.TestReport]) -> list[str]:
    """One line for each reason, with how many tests it concerns and in which files."""
    files: dict[str, list[str]] = defaultdict(list)
    for report in reports:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        files[reason.removeprefix("Skipped: ")].append(
            report.nodeid.split("::")[0].removeprefix("tests/")
        )
    lines = []
    for reason, names in sorted(files.items(), key=lambda item: (-len(item[1]), item[0])):
        lines.append(f"{len(names):4} {reason}  ({', '.join(sorted(set(names)))})")
    return lines
