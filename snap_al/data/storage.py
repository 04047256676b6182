"""Writes files that are either complete or missing, and checks which files may be read."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from snap_al.errors import InputError

LARGEST_TEXT = 256 * 2**20
"""Bytes. A config, deck, script or coefficient file is smaller."""
_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe (FIFO)",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def require_regular_file(path: Path, largest: int | None = None) -> Path:
    """Returns `path`, which is a file that can be read to its end, or is not there: opening it says
    so then.

    largest: bytes, for files that are read into memory at once. Raises InputError for a pipe,
    device, socket or directory, which could block or never end, and for a larger file.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return path
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise InputError(
            f"{path}: is {kind}, not a regular file; copy what it holds into a file and name that "
            "one"
        )
    if largest is not None and status.st_size > largest:
        raise InputError(
            f"{path}: has {status.st_size} bytes, and a file of its kind at most {largest}"
        )
    return path


def expanded(path: Path | str) -> Path:
    """The path with `~` or `~user` at its beginning replaced by the home directory, if there is
    one."""
    return Path(os.path.expanduser(path))


def write_atomically(path: Path, content: bytes | str) -> None:
    """Replaces `path` at once and durably: file and folder are synced. Creates missing folders.
    Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, encoded(content) if isinstance(content, str) else content, durable=True)
    sync_folder(path.parent)


def encoded(text: str) -> bytes:
    """The text as UTF-8, whatever the locale is. Names of files that are not UTF-8 keep their
    bytes."""
    return text.encode("utf-8", "surrogateescape")


def replace_file(path: Path, data: bytes | memoryview, *, durable: bool = False) -> None:
    """Replaces `path` at once: a reader sees the old file or the new one. Not durable: a crash of
    the machine may lose it, which is what a cache can afford. Raises OSError."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(scratch, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(scratch, path)
    finally:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)


def sync_file(path: Path) -> None:
    """Makes a file that another program wrote durable."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
