"""The signals that batch systems send before they end a job. A run needs no time to save: all that is finished is on disk."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType

from snap_al.errors import GO_ON

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


def leave_on_signals() -> None:
    """From here on such a signal ends this process, and with it the job's other ranks, at once: also within LAMMPS, which can take minutes to
    come back to Python."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    for number in SIGNALS:
        signal.signal(number, _noted)
    signal.set_wakeup_fd(wake)
    threading.Thread(target=_wait, args=(woken,), name="signals", daemon=True).start()


def _noted(number: int, frame: FrameType | None) -> None:
    """Python has written the signal's number to the pipe before it calls this."""


def _wait(woken: int) -> None:
    while (number := os.read(woken, 1)[0]) not in SIGNALS:
        pass
    mpi = sys.modules.get("mpi4py.MPI")
    ranks = mpi.COMM_WORLD.Get_size() if mpi is not None and mpi.Is_initialized() and not mpi.Is_finalized() else 1
    if mpi is None or ranks == 1 or mpi.COMM_WORLD.Get_rank() == 0:
        name = signal.Signals(number).name
        print(f"ended by {name}; the same command goes on from what is on disk", file=sys.stderr, flush=True)
    if mpi is not None and ranks > 1:
        mpi.COMM_WORLD.Abort(GO_ON)
    os._exit(GO_ON)
