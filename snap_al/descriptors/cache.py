"""Rows kept on disk: what was computed once for a configuration and settings is not computed
again.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snap_al.data.arrays import read_arrays
from snap_al.data.configuration import Configuration
from snap_al.data.rows import n_rows
from snap_al.data.storage import replace_file
from snap_al.descriptors.columns import Columns
from snap_al.descriptors.configuration_rows import ConfigurationRows
from snap_al.descriptors.row_source import Engine, RowSource
from snap_al.parallel import Communicator, collectively

Array = NDArray[np.float64]


class CachedEngine:
    """An engine that looks into a folder first. One file per configuration, named by everything its
    rows depend on.
    """

    def __init__(self, engine: Engine, folder: Path) -> None:
        self._engine = engine
        self._folder = folder / hashlib.sha256(engine.fingerprint.encode()).hexdigest()[:16]
        with suppress(OSError):  # then nothing is found, and nothing kept
            self._folder.mkdir(parents=True, exist_ok=True)

    @property
    def columns(self) -> Columns:
        return self._engine.columns

    @property
    def elements(self) -> tuple[str, ...]:
        return self._engine.elements

    def atom_rows(self, configuration: Configuration) -> Array:
        """As the engine's; these are not kept."""
        return self._engine.atom_rows(configuration)

    def rows(self, configuration: Configuration) -> ConfigurationRows:
        """As the engine's. A file that cannot be read, or was cut off, is computed and written
        anew.
        """
        path = self._folder / f"{configuration.key}.npz"
        if (kept := self._kept(path, configuration)) is not None:
            return kept
        rows = self._engine.rows(configuration)
        buffer = BytesIO()
        np.savez(buffer, values=rows.values, reference=rows.reference, vanishing=rows.vanishing)
        with suppress(OSError):  # a full or read-only disk costs the cache, not the fit
            replace_file(path, buffer.getbuffer())
        return rows

    def _kept(self, path: Path, configuration: Configuration) -> ConfigurationRows | None:
        """None for a file that is not there, or is not whole."""
        try:
            stored = read_arrays(path)
        except (OSError, ValueError):
            return None
        m = n_rows(len(configuration))
        shapes = {"values": (m, self.columns.n_distinct), "reference": (m,), "vanishing": (m,)}
        if {name: array.shape for name, array in stored.items()} != shapes:
            return None
        values, reference = (
            np.asarray(stored[name], dtype=float) for name in ("values", "reference")
        )
        return ConfigurationRows(values, reference, np.asarray(stored["vanishing"], dtype=bool))


def row_source(engine: Engine, folder: Path | None, comm: Communicator) -> RowSource:
    """The engine, with a cache in `folder` if one is given. Raises InputError on all ranks for a
    reference potential that LAMMPS refuses. Collective."""
    with collectively(comm):
        return engine if folder is None else CachedEngine(engine, folder)
