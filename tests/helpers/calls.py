"""The program as a user calls it: on one rank or several, each call a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from helpers.optional import BIN
from helpers.preloaded import Preloaded

ROOT = Path(__file__).resolve().parents[2]
READ_EARLY = ("ASE_", "LANG", "LC_", "MPL", "PYTHON")
"""How variables begin that Python reads when it starts, or a package when it is imported."""


def read_early(variables: Mapping[str, str]) -> dict[str, str]:
    """Without PYTHONPATH, whose folders a preloaded call has as well."""
    return {
        name: value
        for name, value in variables.items()
        if name.startswith(READ_EARLY) and name != "PYTHONPATH"
    }


PRELOADED, ITS_VARIABLES = Preloaded(), read_early(os.environ)


def snap_al(
    *arguments: object,
    ranks: int = 1,
    cwd: Path | None = None,
    timeout: float = 500,
    env: dict | None = None,
    draws: bool = False,
    fresh: bool = False,
):
    """The command line as a user calls it; on more than one rank through mpirun.

    draws: whether pictures in PNG are drawn, which takes longer than most calls. fresh: in
    processes that share nothing with others; mpirun's exit code after an abort is theirs alone.
    """
    words = [str(argument) for argument in arguments]
    variables = {**os.environ, "COLUMNS": "200", **(env or {})}
    launcher = [str(BIN / "mpirun"), "-n", str(ranks)] if ranks > 1 else []
    if not fresh and read_early(variables) == ITS_VARIABLES:
        return PRELOADED.run(words, cwd, variables, timeout, launcher, draws)
    command = [*launcher, sys.executable, "-m", "snap_al", *words]
    return subprocess.run(
        command, cwd=cwd, timeout=timeout, capture_output=True, text=True, env=variables
    )


def refused(*arguments, exit_code=2, **kwargs):
    done = snap_al(*arguments, **kwargs)
    assert done.returncode == exit_code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    return done.stderr
