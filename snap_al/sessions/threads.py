"""How many OpenMP threads LAMMPS has, whatever else in the process sets their number.

PyTorch does, for everything in the process that shares its OpenMP library. LAMMPS divides its work
by the number it was started with. With another one its loops run in threads that nobody asked for,
and a process that is forked afterwards waits for ever for threads that it does not have.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import ThreadpoolController

VARIABLE = "OMP_NUM_THREADS"


class OwnThreads:
    """The number that OMP_NUM_THREADS says, 1 without it, in all OpenMP libraries that are loaded
    now.
    """

    def __init__(self) -> None:
        first = os.environ.get(VARIABLE, "1").split(",")[0].strip()
        self._number = int(first) if first.isdecimal() and int(first) > 0 else 1
        self._libraries = ThreadpoolController().select(user_api="openmp")

    @contextmanager
    def during_a_call(self) -> Iterator[None]:
        """Sets the number for one call, and after it the number that was set before."""
        if all(each.num_threads == self._number for each in self._libraries.lib_controllers):
            yield
            return
        with self._libraries.limit(limits=self._number):
            yield
