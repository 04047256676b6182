"""The restart file that a segment leaves."""

from __future__ import annotations

import os
from pathlib import Path

from snap_al.data.storage import require_regular_file, sync_file
from snap_al.errors import LammpsError, RunError
from snap_al.sessions import LammpsSession

ENDS = b"LammpS RestartT\0"
"""Of a restart file (LAMMPS' lmprestart.h)."""


def leave_restart(session: LammpsSession, path: Path) -> None:
    """Writes the file. Raises RunError, since a full disk is not the walker's failure."""
    try:
        session.command(f"write_restart {session.name_of(path)}")
    except LammpsError as error:
        raise RunError(
            f"{error}. What was finished is on disk; the same command goes on"
        ) from error


def require_on_disk(restart: Path) -> None:
    """Syncs the file. Raises RunError if it is not whole: LAMMPS does not notice when a disk is
    full, but writes the same bytes at both ends of a whole file.
    """
    with open(require_regular_file(restart), "rb") as file:
        begin = file.read(len(ENDS))
        file.seek(-min(len(ENDS), restart.stat().st_size), os.SEEK_END)
        if (begin, file.read()) != (ENDS, ENDS):
            raise RunError(
                f"{restart}: is not whole: a full or broken disk? What was finished is on disk: "
                "make room, and start the same command again"
            )
    sync_file(restart)
