"""Which LAMMPS, and how it is started: the same for every session of a run."""

from __future__ import annotations

from pydantic import BaseModel

from snap_al.data.readers import ConfigPath

LIBRARY_VARIABLE = "SNAP_AL_LAMMPS_LIBRARY"


class LammpsSettings(BaseModel, extra="forbid", frozen=True):
    """How LAMMPS is started."""

    arguments: tuple[str, ...] = ()
    """Command-line arguments of every session, for example [-k, on, g, 1, -sf, kk]."""
    library: ConfigPath | None = None
    """A liblammps.so of your own build, of the same version as the installed Python module
    `lammps`; that of the environment variable SNAP_AL_LAMMPS_LIBRARY, or the module's own, when not
    given."""
