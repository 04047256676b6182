"""Starting LAMMPS.

https://docs.lammps.org/Python_create.html
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from snap_al.errors import InputError, RunError
from snap_al.parallel import Communicator, abandon
from snap_al.sessions.library import chosen_library, own_library
from snap_al.sessions.names import PlainNames
from snap_al.sessions.scripts import message_of
from snap_al.sessions.settings import LammpsSettings
from snap_al.sessions.threads import OwnThreads


def started(
    module: Any, comm: Communicator, log_name: str, settings: LammpsSettings, names: PlainNames
) -> tuple[Any, Path | str | None]:
    """An instance of LAMMPS, and the library that was chosen, if any.

    module: the Python module `lammps`. log_name: file that LAMMPS writes its log to, or none.
    names: what files are called in its messages. Raises InputError for a library that cannot be
    loaded, RunError when LAMMPS does not start; on several ranks that ends the job.
    """
    args = ["-screen", "none", "-nocite", "-log", log_name, *settings.arguments]
    library = chosen_library(settings)
    try:
        with own_library(module, library), OwnThreads().during_a_call():
            return module.lammps(comm=comm.handle, cmdargs=args), library
    except OSError as error:
        raise InputError(
            f"the LAMMPS library {library or ''} could not be loaded: {error}. It must be a shared "
            "build (-D BUILD_SHARED_LIBS=on) with the MPI that mpi4py uses, of the version of the "
            "Python module `lammps`"
        ) from error
    except Exception as error:
        said = f"LAMMPS did not start with arguments {args}: {message_of(error)}"
        failure = RunError(names.real(said))
        if comm.size > 1:  # whether the other ranks failed as well cannot be known here
            abandon(comm, failure, on_abort=None)
        raise failure from error
