"""Text files, compressed or not, line by line."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

from snap_al.data.storage import require_regular_file

_OPENERS: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
"""By a file's first bytes."""
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, UnicodeDecodeError)
"""What reading a compressed file raises that was cut off or damaged."""


def compressed(path: Path) -> bool:
    """Whether its first bytes are of gzip, bzip2 or xz."""
    with open(require_regular_file(path), "rb") as file:
        return file.read(6).startswith(tuple(_OPENERS))


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """What the file holds, decompressed if need be (gzip, bzip2 or xz, under any name). Raises
    InputError, OSError."""
    with open(require_regular_file(path), "rb") as file:
        first = file.read(6)
    opener = next((o for magic, o in _OPENERS.items() if first.startswith(magic)), open)
    with opener(path, "rb") as file:
        yield file


@contextmanager
def open_text(path: Path) -> Iterator[IO[str]]:
    """The same as text, whatever the locale; bytes that are not UTF-8 are replaced."""
    with open_bytes(path) as file, TextIOWrapper(file, "utf-8", "replace") as text:
        yield text


def beginning(path: Path, size: int = 4096) -> bytes:
    """The first bytes of what it holds, fewer if it is damaged."""
    try:
        with open_bytes(path) as file:
            return file.read(size)
    except DAMAGED:
        return b""
