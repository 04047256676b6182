"""Errors that a user can act on. Each says what, where, which value, and what to do.

The command line turns them into one message and an exit code: 2 when the input is wrong, 3 when a
run failed.
"""

import difflib
import errno
from collections.abc import Iterable
from typing import Self

from snap_al.names import in_message


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The name among the known ones that may be meant, or all of them."""
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(names)}"


GO_ON = 75
"""Exit code of a job that was ended, and that the same command goes on with (EX_TEMPFAIL of
sysexits.h).
"""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


class SnapALError(Exception):
    """Base of every error that snap_al raises on purpose."""

    exit_code = 3
    everywhere = False
    """True once the same error is known to be raised on every rank."""

    def __str__(self) -> str:
        """The message; characters that do not print, as names from files may have, are escaped."""
        return in_message(super().__str__())

    def on_all_ranks(self) -> Self:
        """Says that every rank raises this same error, here and now."""
        self.everywhere = True
        return self


class UnexpectedError(SnapALError):
    """A fault of snap_al itself, or of what it calls, on its way to the other ranks; carries the
    traceback.
    """

    exit_code = 1

    def __str__(self) -> str:
        return f"{super().__str__()}this is a fault of snap_al; please report it"


class InputError(SnapALError):
    """What the user gave is wrong: a config, a file, a configuration, an installation. Exit code
    2.
    """

    exit_code = 2


class OtherVersionError(InputError):
    """A file of snap_al that another version wrote, and that this one does not read."""


class RunError(SnapALError):
    """A run could not go on. What it had finished is on disk. Exit code 3."""


FILE_SYSTEM = frozenset(
    getattr(errno, name)
    for name in (
        "ENOSPC",
        "EDQUOT",
        "EIO",
        "EROFS",
        "ESTALE",
        "EACCES",
        "EPERM",
        "EMFILE",
        "ENFILE",
        "ENOMEM",
        "EFBIG",
        "ETIMEDOUT",
        "EHOSTDOWN",
        "ENXIO",
        "ENODEV",
        "EISDIR",
        "ENOTDIR",
        "EEXIST",
        "ENAMETOOLONG",
    )
)
"""Errors of a disk, not of a program."""


def of_the_disk(error: BaseException) -> "RunError | None":
    """The same as an error that a user can act on; None when it is not a disk's, or of memory that
    the machine does not have.
    """
    if isinstance(error, MemoryError):
        return RunError(
            f"not enough memory: {error or 'it is all taken'}. Give smaller numbers (members, "
            "draws, counts, twojmax), or take a larger machine"
        )
    if not isinstance(error, OSError) or error.errno not in FILE_SYSTEM:
        return None
    where = f"{error.filename2 or error.filename}: " if error.filename else ""
    return RunError(
        f"{where}{error.strerror}. What was finished is on disk: make room, or mend what is "
        "wrong, and start the same command again"
    )


class LammpsError(RunError):
    """LAMMPS refused a command or failed while running; carries LAMMPS' own message."""


class LabelError(RunError):
    """A labeler failed, or returned something that is not a label of what was asked for."""


class FitError(RunError):
    """The rows at hand do not determine a posterior, or contain values that are not numbers."""
