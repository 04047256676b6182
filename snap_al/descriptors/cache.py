"""Rows kept on disk: what was computed once for a configuration and settings is not computed again."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration
from snap_al.data.storage import replace_file, require_regular_file
from snap_al.descriptors.columns import Columns
from snap_al.descriptors.design_matrix import RowSource
from snap_al.descriptors.engine import ConfigurationRows, DescriptorEngine
from snap_al.parallel import Communicator, collectively

Array = NDArray[np.float64]


class CachedEngine:
    """An engine that looks into a folder first. One file per configuration, named by everything its rows depend on."""

    def __init__(self, engine: DescriptorEngine, folder: Path) -> None:
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
        """As the engine's. A file that cannot be read, or was cut off, is computed and written anew."""
        path = self._folder / f"{configuration.key}.npz"
        try:
            with np.load(require_regular_file(path), allow_pickle=False) as stored:
                return ConfigurationRows(stored["values"], stored["reference"], stored["vanishing"])
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            rows = self._engine.rows(configuration)
        buffer = BytesIO()
        np.savez(buffer, values=rows.values, reference=rows.reference, vanishing=rows.vanishing)
        with suppress(OSError):  # a full or read-only disk costs the cache, not the fit
            replace_file(path, buffer.getbuffer())
        return rows


def row_source(engine: DescriptorEngine, folder: Path | None, comm: Communicator) -> RowSource:
    """The engine, with a cache in `folder` if one is given. Raises InputError on all ranks for a reference potential that
    LAMMPS refuses. Collective."""
    with collectively(comm):
        return engine if folder is None else CachedEngine(engine, folder)
