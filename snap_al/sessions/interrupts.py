"""Interrupts (Ctrl-C) within LAMMPS."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """Those that come while LAMMPS has the word.

    Python would raise them in a function that LAMMPS calls, where they are lost, or between
    LAMMPS' return and the statement that notes what it returned: a session that is closed would
    be closed again, and one that was opened would be lost.
    """

    def __init__(self, *, alone: bool) -> None:
        """alone: whether the session has one rank. On several ranks an interrupt ends the process,
        and with it the job, unless the program has a handler of its own that does so.
        """
        self._alone = alone
        self.seen = False
        """Whether one came within the present `held`."""

    @contextmanager
    def held(self) -> Iterator[None]:
        """An interrupt within this context is raised at its end."""
        before = signal.getsignal(signal.SIGINT)
        held_already = isinstance(getattr(before, "__self__", None), Interrupts)
        if held_already or threading.current_thread() is not threading.main_thread():
            yield  # interrupts go to the main thread
            return
        self.seen = False
        if self._alone:
            signal.signal(signal.SIGINT, self._note)
        elif before is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
        if self.seen:
            raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.seen = True
