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
"""Compression formats, by the first bytes of a file."""
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, UnicodeDecodeError)
"""Errors of reading a compressed file that is cut off or damaged."""


def compressed(path: Path) -> bool:
    """Whether a file begins as one of gzip, bzip2 or xz."""
    with open(require_regular_file(path), "rb") as file:
        return file.read(6).startswith(tuple(_OPENERS))


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """The content of a file, decompressed if it is compressed (gzip, bzip2 or xz, under any name).
    Raises InputError, OSError."""
    with open(require_regular_file(path), "rb") as file:
        first = file.read(6)
    opener = next((o for magic, o in _OPENERS.items() if first.startswith(magic)), open)
    with opener(path, "rb") as file:
        yield file


@contextmanager
def open_text(path: Path) -> Iterator[IO[str]]:
    """The content as text, whatever the locale is. Bytes that are not UTF-8 are replaced."""
    with open_bytes(path) as file, TextIOWrapper(file, "utf-8", "replace") as text:
        yield text


def beginning(path: Path, size: int = 4096) -> bytes:
    """The first bytes of the content; fewer if the file is damaged."""
    try:
        with open_bytes(path) as file:
            return file.read(size)
    except DAMAGED:
        return b""
