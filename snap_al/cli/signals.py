"""Signals that end a job. A run needs no time to save, since what is finished is on disk."""

from __future__ import annotations

import os
import signal
import sys
import threading
from functools import partial
from types import FrameType
from typing import Any

from snap_al.errors import GO_ON, INTERRUPTED

OF_BATCH_SYSTEMS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
AGAIN = "the same command goes on from what is on disk"


def leave_on_interrupt() -> None:
    """From here on an interrupt (Ctrl-C) ends a job of several ranks at once, and is a
    KeyboardInterrupt on one rank.

    Without it, on several ranks, one would wait for another that has left.
    """
    if (
        signal.getsignal(signal.SIGINT) is signal.default_int_handler
    ):  # a job in the background may ignore interrupts
        _watch({signal.SIGINT: _interrupt})


def leave_on_signals() -> None:
    """From here on a batch system's signal ends this process, and with it the job's other ranks, at
    once.

    That holds within LAMMPS too, which can take minutes to come back to Python.
    """
    _watch(dict.fromkeys(OF_BATCH_SYSTEMS, _note))


def _watch(handlers: dict[signal.Signals, Any]) -> None:
    """Python writes each signal's number to a pipe at once, and calls the handlers when the main
    thread is in Python again.
    """
    if threading.current_thread() is not threading.main_thread():
        return  # where no handler can be set
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    for number, handler in handlers.items():
        signal.signal(number, handler)
    signal.set_wakeup_fd(
        wake
    )  # the thread of an earlier call, if there was one, gets no more signals
    os.register_at_fork(after_in_child=partial(_forget, tuple(handlers)))
    threading.Thread(target=_wait, args=(woken,), name="signals", daemon=True).start()


def _forget(numbers: tuple[signal.Signals, ...]) -> None:
    """Called in a forked process, such as a worker of a pool. It has no thread at the pipe, and its
    signals would end the parent."""
    signal.set_wakeup_fd(-1)
    for number in numbers:
        signal.signal(
            number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        )


def _note(number: int, frame: FrameType | None) -> None:
    """The handler of a signal. It does nothing, since the thread at the pipe acts on the signal."""


def _interrupt(number: int, frame: FrameType | None) -> None:
    if _ranks() == 1:
        raise KeyboardInterrupt


def _wait(woken: int) -> None:
    while True:
        number = signal.Signals(os.read(woken, 1)[0])
        if number in OF_BATCH_SYSTEMS:
            _leave(f"ended by {number.name}; {AGAIN}", GO_ON)
        if number == signal.SIGINT and _ranks() > 1:
            _leave(f"interrupted; {AGAIN}", INTERRUPTED)


def _leave(message: str, exit_code: int) -> None:
    if _ranks() > 1:
        from snap_al.parallel import tell_before_abort

        world = sys.modules["mpi4py.MPI"].COMM_WORLD
        tell_before_abort(message, world.Get_rank(), shared=True)
        world.Abort(exit_code)
    else:
        os.write(
            2, f"{message}\n".encode()
        )  # not through sys.stderr, which the main thread may be writing to
    os._exit(exit_code)


def _ranks() -> int:
    """The number of ranks. Only asks a module that is loaded: before MPI is, a signal concerns this
    process alone."""
    mpi = sys.modules.get("mpi4py.MPI")
    return (
        mpi.COMM_WORLD.Get_size()
        if mpi is not None and mpi.Is_initialized() and not mpi.Is_finalized()
        else 1
    )
