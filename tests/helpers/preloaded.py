"""`snap-al` as processes of their own that need not import everything anew.

A server that has imported snap_al, but neither started MPI nor opened LAMMPS, forks once for each
process that is asked for. The child gets the arguments, folder, environment and streams that a new
process would have, and runs `python -m snap_al`. What it does not do again is to start Python and
to import, which takes longer than most refusals.

On several ranks mpirun starts `rank.py` once for each; that hands its own streams, environment and
connection to mpirun to the server, and lives and ends with the child.

Pictures are not drawn unless a call asks for them: drawing takes longer than all else that a small
run does. Their files are there, with one pixel.

    python tests/helpers/preloaded.py SOCKET    # the server; it ends with its standard input
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

STARTS_MPI = "mpi4py.MPI"
RANK = Path(__file__).with_name("rank.py")
PYTHON = [sys.executable, "-I", "-S", str(RANK)]
"""Without site-packages: `rank.py` needs none, and starts in a few hundredths of a second."""


@dataclass
class Preloaded:
    """The client. One server for each process of tests, started when it is first needed."""

    server: subprocess.Popen | None = None
    folder: tempfile.TemporaryDirectory | None = None

    def run(
        self,
        arguments: list[str],
        cwd: Path | None,
        env: dict[str, str],
        timeout: float,
        launcher: list[str] = (),
        draws: bool = False,
    ) -> subprocess.CompletedProcess:
        """As `subprocess.run` with captured text, and as that raises TimeoutExpired.

        launcher: mpirun and its options. draws: whether pictures are drawn.
        """
        done = subprocess.run(
            [*launcher, *PYTHON, *arguments],
            cwd=cwd,
            env=self._variables(env, draws),
            timeout=timeout,
            capture_output=True,
            text=True,
        )
        command = [*launcher, sys.executable, "-m", "snap_al", *arguments]
        return subprocess.CompletedProcess(command, done.returncode, done.stdout, done.stderr)

    def begin(
        self, arguments: list[str], env: dict[str, str], launcher: list[str] = ()
    ) -> subprocess.Popen:
        """As `subprocess.Popen` with piped text, in a session of its own.

        A kill -9 of the process that stands for the program reaches the program at once, and no
        later call begins before the program is gone.
        """
        return subprocess.Popen(
            [*launcher, *PYTHON, *arguments],
            env=self._variables(env, draws=False),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def _variables(self, env: dict[str, str], draws: bool) -> dict[str, str]:
        return {**env, "PRELOADED_SOCKET": self._socket(), "PRELOADED_DRAWS": str(int(draws))}

    def _socket(self) -> str:
        if self.server is None:
            self.folder = tempfile.TemporaryDirectory()
            path = f"{self.folder.name}/socket"
            self.server = subprocess.Popen(
                [sys.executable, __file__, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            assert self.server.stdout.readline(), "the server has not begun"
        return f"{self.folder.name}/socket"

    def close(self) -> None:
        if self.server is not None:
            self.server.stdin.close()
            self.server.wait(60)
            self.folder.cleanup()
            self.server = None


@dataclass
class Server:
    """Forks for each connection, tells it the exit code, and kills the child when it is gone."""

    listener: socket.socket
    children: dict[int, socket.socket] = field(default_factory=dict)

    def serve(self) -> None:
        ended, wakes = os.pipe()
        os.set_blocking(wakes, False)
        signal.set_wakeup_fd(wakes)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        while True:
            waiting = [0, ended, self.listener, *self.children.values()]
            ready = select.select(waiting, [], [])[0]
            if 0 in ready:
                return
            if ended in ready:
                os.read(ended, 4096)
            self._tell_ends()
            for pid, connection in list(self.children.items()):
                if connection in ready:  # it says nothing more, so that it has been killed
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                    self.children.pop(pid).close()
            if self.listener in ready:
                self._begin(self.listener.accept()[0])

    def _tell_ends(self) -> None:
        while self.children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            connection = self.children.pop(pid)
            with suppress(OSError):
                connection.sendall(struct.pack("i", os.waitstatus_to_exitcode(status)))
            connection.close()

    def _begin(self, connection: socket.socket) -> None:
        call, descriptors = received(connection)
        if call is None:
            connection.close()
            return
        if (pid := os.fork()) == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for other in (self.listener, connection, *self.children.values()):
                other.close()
            _run(call, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        self.children[pid] = connection


def received(connection: socket.socket) -> tuple[dict | None, list[int]]:
    """A call and the descriptors that came with it."""
    size, descriptors, _, _ = socket.recv_fds(connection, 8, 4)
    if len(size) < 8:
        return None, descriptors
    content = b""
    while len(content) < struct.unpack("q", size)[0]:
        part = connection.recv(1 << 20)
        if not part:
            return None, descriptors
        content += part
    return json.loads(content), descriptors


def _run(call: dict, descriptors: list[int]) -> None:
    """The child: never returns to the server's loop."""
    for number in range(3):
        os.dup2(descriptors[number], number)
        os.close(descriptors[number])
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(  # noqa: SIM115
        2, "w", buffering=1, errors="backslashreplace", closefd=False
    )
    os.chdir(call["cwd"])
    os.environ.clear()
    os.environ.update(call["env"])
    if len(descriptors) > 3:
        os.environ["PMI_FD"] = str(descriptors[3])
    del os.environ["PRELOADED_SOCKET"]
    if os.environ.pop("PRELOADED_DRAWS") == "0":
        draw_nothing()
    sys.argv = ["snap_al", *call["arguments"]]
    sys.orig_argv = [sys.executable, "-m", "snap_al", *call["arguments"]]
    more = call["env"].get("PYTHONPATH", "").split(os.pathsep)
    others = sys.path[1:]
    sys.path[:] = [call["cwd"], *(p for p in more if p not in others), *others]  # as `-m` has it
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
    if (mpi := sys.modules.get(STARTS_MPI)) and mpi.Is_initialized() and not mpi.Is_finalized():
        mpi.Finalize()  # as mpi4py does when Python ends
    sys.stdout.flush()
    sys.stderr.flush()
    if mpi:
        ctypes.CDLL(None).exit(code)  # MPICH takes its leave of mpirun where C programs end
    return code


PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c63f8ffffff7f0009fb03fd05434b510000000049454e44ae426082"
)


def draw_nothing() -> None:
    """Pictures in PNG are one pixel from here on; those in SVG, within pages, are drawn."""
    from matplotlib.figure import Figure

    drawn = Figure.savefig

    def savefig(self, fname, *, format=None, **kwargs):
        if format == "png":
            fname.write(PIXEL)
        else:
            drawn(self, fname, format=format, **kwargs)

    Figure.savefig = savefig


def preload() -> None:
    import snap_al

    for found in pkgutil.walk_packages(snap_al.__path__, "snap_al."):
        if not found.name.endswith("__main__"):
            import_module(found.name)
    assert STARTS_MPI not in sys.modules, "MPI would be shared by all calls"


def main() -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    preload()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen(64)
        print("ready", flush=True)
        gc.collect()
        gc.freeze()  # else each child copies all objects when it looks for garbage
        Server(listener).serve()


if __name__ == "__main__":
    main()
