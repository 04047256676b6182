"""`snap-al` as a process of its own that need not import everything anew.

A server that has imported snap_al, but neither started MPI nor opened LAMMPS, forks once for each
call. The child gets the arguments, folder, environment and streams that a new process would have,
and runs `python -m snap_al`. What it does not do again is to start Python and to import, which
takes longer than most refusals.

    python tests/helpers/preloaded.py

is the server: a line of JSON for each call on stdin, a line for each answer on stdout.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import pkgutil
import runpy
import select
import signal
import subprocess
import sys
import tempfile
import traceback
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

STARTS_MPI = "mpi4py.MPI"


@dataclass
class Preloaded:
    """The client. One server for each process of tests, started when it is first needed."""

    server: subprocess.Popen | None = None

    def run(
        self, arguments: list[str], cwd: Path | None, env: dict[str, str], timeout: float
    ) -> subprocess.CompletedProcess:
        """As `subprocess.run` with captured text, and as that raises TimeoutExpired."""
        command = [sys.executable, "-m", "snap_al", *arguments]
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder) / "out", Path(folder) / "err"
            call = {
                "arguments": arguments,
                "cwd": str(cwd or Path.cwd()),
                "env": env,
                "out": str(out),
                "err": str(err),
            }
            pid = self._answer(call, timeout)
            code = self._answer(None, timeout)
            if code is None:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                self._answer(None, 60)
                raise subprocess.TimeoutExpired(command, timeout, out.read_text(), err.read_text())
            return subprocess.CompletedProcess(command, code, out.read_text(), err.read_text())

    def _answer(self, call: dict | None, timeout: float) -> int | None:
        """The next number that the server says, after it was sent a call; None when nothing comes
        in time.
        """
        if self.server is None:
            self.server = subprocess.Popen(
                [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
            )  # without buffers: `select` does not see a second line that was read with the first
        if call is not None:
            self.server.stdin.write(f"{json.dumps(call)}\n".encode())
        if not select.select([self.server.stdout], [], [], timeout)[0]:
            return None
        line = self.server.stdout.readline()
        assert line, "the server has ended"
        return int(line)

    def close(self) -> None:
        if self.server is not None:
            self.server.stdin.close()
            self.server.wait(60)
            self.server = None


def serve() -> None:
    gc.collect()
    gc.freeze()  # else each child copies all objects when it looks for garbage
    for line in sys.stdin:
        call = json.loads(line)
        if (pid := os.fork()) == 0:
            _run(call)
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(call: dict) -> None:
    """The child: never returns to the server's loop."""
    streams = (
        (os.devnull, os.O_RDONLY),
        (call["out"], os.O_WRONLY | os.O_CREAT),
        (call["err"], os.O_WRONLY | os.O_CREAT),
    )
    for number, (path, how) in enumerate(streams):
        os.dup2(os.open(path, how, 0o600), number)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    os.chdir(call["cwd"])
    os.environ.clear()
    os.environ.update(call["env"])
    sys.argv = ["snap_al", *call["arguments"]]
    sys.path[0] = call["cwd"]  # as `python -m` has it
    os._exit(_exit_code())


def _exit_code() -> int:
    """Of the program, after what it has registered for its end; freeing all modules one by one is
    left out.
    """
    try:
        runpy.run_module("snap_al", run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001  as a new process would say it
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def preload() -> None:
    import snap_al

    for found in pkgutil.walk_packages(snap_al.__path__, "snap_al."):
        if not found.name.endswith("__main__"):
            import_module(found.name)
    assert STARTS_MPI not in sys.modules, "MPI would be shared by all calls"


if __name__ == "__main__":
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    preload()
    serve()
