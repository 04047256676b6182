"""Rows in a few large arrays, in memory or in files: added at the end, never copied, seen as
views.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snap_al.errors import RunError

Array = NDArray[np.float64]
SLAB_BYTES = 64 * 2**20
"""More than malloc ever takes from its heap (32 MiB): pages of their own, resident only once they
are written.
"""


class Slabs:
    """Arrays of n columns. A configuration's rows are always in one of them.

    folder: where the arrays are files, for more rows than memory holds: every pass over the rows of
    an embedded fit reads them again, and the kernel keeps of them what there is room for. A file
    has no name as soon as it is open, so that nothing is left behind, whatever happens. None: in
    memory.
    """

    def __init__(self, n_columns: int, folder: Path | None = None) -> None:
        self._n, self._folder = n_columns, folder
        self._arrays: list[Array] = []
        self._filled: list[int] = []

    @property
    def filled(self) -> tuple[int, ...]:
        """Rows in each array."""
        return tuple(self._filled)

    def shrink(self, filled: tuple[int, ...]) -> None:
        """Back to what `filled` was."""
        self._filled = list(filled)
        del self._arrays[len(filled) :]

    def add(self, rows: Array) -> tuple[int, slice]:
        """Keeps a copy of rows (m, n). Returns where: the number of the array and the slice of its
        rows.
        """
        m = len(rows)
        if not self._arrays or self._filled[-1] + m > len(self._arrays[-1]):
            self._arrays.append(self._allocate(max(m, SLAB_BYTES // (8 * self._n))))
            self._filled.append(0)
        where = slice(self._filled[-1], self._filled[-1] + m)
        self._arrays[-1][where] = rows
        self._filled[-1] += m
        return len(self._arrays) - 1, where

    def __getitem__(self, number: int) -> Array:
        """A view of the filled rows of an array."""
        return self._arrays[number][: self._filled[number]]

    def _allocate(self, rows: int) -> Array:
        if self._folder is None:
            return np.empty((rows, self._n))
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._folder) as file:
                os.posix_fallocate(file.fileno(), 0, rows * self._n * 8)
                return np.memmap(file, dtype=float, mode="r+", shape=(rows, self._n))
        except OSError as error:
            raise RunError(
                f"{self._folder}: no room for the design matrix on disk: {error}"
            ) from error


def available_memory() -> int:
    """Bytes of physical memory that are free or can be made free, by the kernel's own account."""
    for line in (
        Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        if Path("/proc/meminfo").exists()
        else []
    ):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
