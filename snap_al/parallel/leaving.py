"""Writes the reason for which a job ends before the ranks are ended.

mpirun reads each rank's stderr from a pipe. When a rank aborts the job, what is still in these
pipes is lost, and a rank that had the same reason may be ended before it has written anything.
"""

from __future__ import annotations

import fcntl
import os
import stat
import sys
import termios
import threading
import time
from contextlib import suppress

PIPE_SECONDS = 2.0
"""How long the launcher has to read the message."""

RANK_0_SECONDS = 1.0
"""How long other ranks wait for rank 0 to write a reason that all of them may have, and to end
them."""

POLL_SECONDS = 0.001


def tell_before_abort(message: str, rank: int, *, shared: bool) -> None:
    """Writes why the job ends to stderr, and returns when it is safe to abort. No rank waits for
    another without limit.

    message: the reason, and what to do. rank: this rank; the message of any but rank 0 begins with
    it. shared: whether all ranks may have the same reason, such as a signal. Ranks other than 0
    then wait a second, in which rank 0 usually writes it and ends them. Otherwise they write it
    themselves.
    """
    if shared and rank != 0:
        time.sleep(RANK_0_SECONDS)
    text = message if rank == 0 else f"rank {rank}: {message}"
    # When a pipe is full and is not read, the job must still end; hence the thread.
    writer = threading.Thread(target=_write, args=(f"{text}\n",), name="reason", daemon=True)
    writer.start()
    writer.join(PIPE_SECONDS)


def _write(text: str) -> None:
    if sys.stderr is None:
        return
    with suppress(OSError, ValueError):  # a full disk, or a stream that is closed
        sys.stderr.write(text)
        sys.stderr.flush()
        while unread_bytes(sys.stderr.fileno()):
            time.sleep(POLL_SECONDS)


def unread_bytes(descriptor: int) -> int:
    """Bytes in a pipe that its reader has not taken yet; 0 for anything but a pipe."""
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        return 0
    answer = fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4))
    return int.from_bytes(answer, sys.byteorder)
