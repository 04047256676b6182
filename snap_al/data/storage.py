"""Files that are either whole or not there: written beside, synced, then moved into place."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def write_atomically(path: Path, content: bytes | str) -> None:
    """Replaces `path` at once and durably: file and folder are synced. Creates missing folders. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, encoded(content) if isinstance(content, str) else content, durable=True)
    sync_folder(path.parent)


def encoded(text: str) -> bytes:
    """As UTF-8, whatever the locale is; names of files that are not UTF-8 come out as the bytes that they are."""
    return text.encode("utf-8", "surrogateescape")


def replace_file(path: Path, data: bytes | memoryview, *, durable: bool = False) -> None:
    """Replaces `path` at once: a reader sees the old file or the new one. Not durable: a crash of the machine may lose
    it, which is what a cache can afford. Raises OSError."""
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
