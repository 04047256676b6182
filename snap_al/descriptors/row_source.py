"""Where rows come from."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration
from snap_al.descriptors.columns import Columns
from snap_al.descriptors.configuration_rows import ConfigurationRows

Array = NDArray[np.float64]


class RowSource(Protocol):
    """An engine, or one that looks into a cache first."""

    @property
    def columns(self) -> Columns: ...

    @property
    def elements(self) -> tuple[str, ...]: ...

    def rows(self, configuration: Configuration) -> ConfigurationRows:
        """Raises InputError for a configuration that cannot be computed."""
        ...

    def atom_rows(self, configuration: Configuration) -> Array:
        """(n_atoms, n_distinct) rows of single atoms' energies; their mean is the energy row."""
        ...


class Engine(RowSource, Protocol):
    """What computes rows: `DescriptorEngine` for SNAP. Use as a context manager."""

    @property
    def fingerprint(self) -> str:
        """Everything but the configuration that rows depend on."""
        ...

    def rows_with_atoms(
        self, configuration: Configuration
    ) -> tuple[ConfigurationRows, Array, Array]:
        """`rows`, `atom_rows`, and (n_atoms,) eV of the reference potential on each atom."""
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Engine: ...

    def __exit__(self, *_: object) -> None: ...
