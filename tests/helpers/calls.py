"""The program as a user calls it: on one rank or several, each call a process of its own."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from helpers.optional import BIN
from helpers.preloaded import Preloaded, draw_nothing

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


def begun(*arguments: object, ranks: int = 1, fresh: bool = False) -> subprocess.Popen:
    """The command line in the background, in a session of its own and with piped text.

    fresh: in processes that share nothing with others and can be told by their command line.
    """
    words = [str(argument) for argument in arguments]
    variables = {**os.environ, "COLUMNS": "200"}
    launcher = [str(BIN / "mpirun"), "-n", str(ranks)] if ranks > 1 else []
    if not fresh and read_early(variables) == ITS_VARIABLES:
        return PRELOADED.begin(words, variables, launcher)
    return subprocess.Popen(
        [*launcher, sys.executable, "-m", "snap_al", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=variables,
        start_new_session=True,
    )


def refused(*arguments, exit_code=2, **kwargs):
    done = snap_al(*arguments, **kwargs)
    assert done.returncode == exit_code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    return done.stderr


def in_this_process(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> tuple[int, str]:
    """The command line in the process of the tests: exit code and what it printed, on a terminal
    that is strict about its encoding. What a test has replaced is replaced for it as well.
    """
    from matplotlib.figure import Figure

    from snap_al.cli.main import main

    said = io.BytesIO()
    stream = io.TextIOWrapper(said, encoding="utf-8", errors="strict", write_through=True)
    with monkeypatch.context() as patch:
        patch.setattr(Figure, "savefig", Figure.savefig)  # put back at the end
        draw_nothing()
        patch.setattr(sys, "argv", ["snap-al", *map(str, arguments)])
        patch.setattr(sys, "stdout", stream)
        patch.setattr(sys, "stderr", stream)
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code
        stream.flush()
        return code, said.getvalue().decode()
