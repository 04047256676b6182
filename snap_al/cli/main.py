"""The entry point: pins threads, runs the command, turns errors into one message and an exit code.

On several ranks an error that all ranks share ends them alike; one that a single rank has ends the
whole job, since the others would wait for it.
"""

from __future__ import annotations

import codecs
import io
import locale
import os
import sys
import traceback
from contextlib import suppress

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main() -> None:
    """`snap-al` and `python -m snap_al`."""
    for name in THREAD_VARIABLES:
        os.environ[name] = "1"
    _in_utf8()
    from snap_al.cli.app import app
    from snap_al.cli.signals import AGAIN, leave_on_interrupt
    from snap_al.errors import INTERRUPTED, SnapALError, of_the_disk

    leave_on_interrupt()
    try:
        app()
    except SnapALError as error:
        _leave(f"error: {error}", error.exit_code, everywhere=error.everywhere)
    except (KeyboardInterrupt, SystemExit) as error:
        if not _is_interrupt(error):
            raise
        _leave(f"interrupted; {AGAIN}", INTERRUPTED, everywhere=False)
    except Exception as error:  # noqa: BLE001  the last resort: all ranks must end
        if (failure := of_the_disk(error)) is not None:
            _leave(f"error: {failure}", failure.exit_code, everywhere=False)
        _leave(
            traceback.format_exc() + "this is a fault of snap_al; please report it",
            1,
            everywhere=False,
        )


def _in_utf8() -> None:
    """Starts the program again in Python's UTF-8 mode where the locale has another encoding, so
    that files are UTF-8 on every machine. The terminal keeps its encoding; characters that it lacks
    are written as their codes."""
    if sys.flags.utf8_mode or codecs.lookup(locale.getencoding()).name == "utf-8":
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # names of files need not be text
        return
    terminal = sys.stdout.encoding if sys.stdout is not None else "utf-8"
    os.environ.update(PYTHONUTF8="1", PYTHONIOENCODING=f"{terminal}:backslashreplace")
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether the program was interrupted, also when typer has turned this into an exit without a
    message."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _leave(message: str, exit_code: int, *, everywhere: bool) -> None:
    # Only asks a module that is loaded: before MPI is, an error concerns this process alone.
    world = sys.modules["mpi4py.MPI"].COMM_WORLD if "mpi4py.MPI" in sys.modules else None
    if world is not None and world.Get_size() > 1 and not everywhere:
        from snap_al.parallel import tell_before_abort

        tell_before_abort(message, world.Get_rank(), shared=False)
        world.Abort(exit_code)
    if world is None or world.Get_rank() == 0:
        with suppress(OSError):  # the disk of stderr may be full
            print(message, file=sys.stderr, flush=True)
    sys.exit(exit_code)
