"""Interrupts (Ctrl-C) within LAMMPS."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Interrupts:
    """Those that came while LAMMPS ran."""

    def __init__(self) -> None:
        self.seen = False

    @contextmanager
    def caught(self, alone: bool) -> Iterator[None]:
        """An interrupt within LAMMPS would be raised in, and lost with, whatever it calls. Here it
        is raised when the context ends.

        alone: on one rank. On several ranks an interrupt ends the process, and with it the job,
        unless the program has a handler of its own that does so.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(number: int, frame: object) -> None:
            self.seen = True

        before = signal.getsignal(signal.SIGINT)
        if alone:
            signal.signal(signal.SIGINT, note)
        elif before is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
        if self.seen:
            raise KeyboardInterrupt
