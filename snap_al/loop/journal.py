"""The run's journal: one JSON line per event, each with a checksum, synced before anything acts on
it.

Only ever appended to, by one writer. A last line that a crash cut off is dropped; a line that is
wrong anywhere else is an error, since what came after it would be guesswork.
"""

from __future__ import annotations

import fcntl
import os
import time
import zlib
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from snap_al.data.storage import require_regular_file, sync_folder
from snap_al.errors import InputError
from snap_al.loop.event_json import decoded, encoded
from snap_al.loop.events import Event


def read_events(path: Path) -> list[Event]:
    """All complete events. Raises InputError for a damaged line before the last one, or for another
    format."""
    return _parse(path)[0] if path.exists() else []


def _parse(path: Path) -> tuple[list[Event], int]:
    """The events, and the number of bytes of the file that are complete."""
    events: list[Event] = []
    data = require_regular_file(path).read_bytes()
    position = 0
    for line in data.splitlines(keepends=True):
        body = _body(line)
        if body is None:
            if position + len(line) < len(data):
                raise InputError(
                    f"{path}, line {len(events) + 1}: damaged; restore the file, or begin in a "
                    "new folder"
                )
            break
        events.append(_decoded(body, f"{path}, line {len(events) + 1}"))
        position += len(line)
    return events, position


class Journal:
    """The only writer of a journal. Opening it takes a lock, which ends with the process, and cuts
    off an incomplete last line."""

    def __init__(self, path: Path) -> None:
        """Raises InputError when another living run writes to it, or the journal is damaged."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(require_regular_file(path), "ab")  # noqa: SIM115
        except OSError as error:
            raise InputError(
                f"{path.parent}: cannot be written to: {error.strerror}; give another --out"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise InputError(
                f"{path.parent}: another snap-al is running in this folder; wait for it, or stop it"
            ) from error
        except OSError as error:
            self._file.close()
            raise InputError(
                f"{path.parent}: this file system has no locks ({error.strerror}); give an --out "
                "on another"
            ) from error
        self.events, whole = _parse(path)
        self._file.truncate(whole)
        sync_folder(path.parent)

    def append(self, event: Event) -> Event:
        """Writes an event to disk, and returns it with the time at which it was written."""
        stamped = replace(event, time=time.time())
        self._file.write(_encode(stamped))
        self._file.flush()
        os.fsync(self._file.fileno())
        self.events.append(stamped)
        return stamped

    def clear(self) -> None:
        """Removes all events, for a run that has not computed anything."""
        self._file.truncate(0)
        os.fsync(self._file.fileno())
        self.events.clear()

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _encode(event: Event) -> bytes:
    body = encoded(event)
    return f"{zlib.crc32(body.encode()):08x} {body}\n".encode()


def _body(line: bytes) -> bytes | None:
    """The content of a line; None for one that is not complete."""
    checksum, _, body = line.rstrip(b"\n").partition(b" ")
    whole = line.endswith(b"\n") and f"{zlib.crc32(body):08x}".encode() == checksum
    return body if whole else None


def _decoded(body: bytes, where: str) -> Event:
    """The event of a complete line. Raises InputError for one that is no event of this version."""
    try:
        return decoded(body)
    except ValueError as error:
        raise InputError(f"{where}: {error}; restore the file, or begin in a new folder") from error


def is_running(path: Path) -> bool:
    """Whether a living process holds the journal's lock."""
    if not path.exists():
        return False
    with open(require_regular_file(path), "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False
