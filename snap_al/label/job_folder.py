"""A label job on disk, in a folder named by a hash of the structure and the labeler's settings.

job.json       structure and settings       script.sh    runs the job; may be run by hand
lock           held by its process          starts       a line for each start
launched.json  where it was sent            output.txt, work/  its output and its files
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from snap_al.data.configuration import Configuration
from snap_al.data.json_text import read_json
from snap_al.data.storage import require_regular_file, write_atomically
from snap_al.label.backend import encode_structure, result_paths
from snap_al.label.settings import LabelSettings

TRIES, PAUSE = 10, 0.05
"""s: a process that looks for the holder of a lock has the lock for an instant."""
SECONDS_TO_END = 3.0
"""s between asking a job's processes to end and ending them."""
LINES = 3
"""Number of lines of output in the reason why a job failed."""


@dataclass(frozen=True)
class JobFolder:
    home: Path
    """Path of the folder."""

    @property
    def name(self) -> str:
        return self.home.name

    @property
    def script(self) -> Path:
        return self.home / "script.sh"

    @property
    def output(self) -> Path:
        return self.home / "output.txt"

    @property
    def work(self) -> Path:
        return self.home / "work"

    @property
    def results(self) -> tuple[Path, Path]:
        """Paths of the label and of the failure."""
        return result_paths(self.home.parents[1], self.name)

    def ask(self, configuration: Configuration, settings: LabelSettings) -> None:
        asked = {
            "structure": encode_structure(configuration),
            "calculator": settings.calculator,
            "arguments": settings.arguments,
            "magmoms": settings.magmoms,
            "retries": settings.retries,
            "timeout": settings.timeout,
            "cores": settings.cores_of_one,
        }
        write_atomically(self.home / "job.json", json.dumps(asked))

    def asked(self) -> dict[str, Any]:
        request: dict[str, Any] = read_json(
            require_regular_file(self.home / "job.json").read_bytes()
        )
        return request

    def begin(self) -> None:
        """Counts a start of the job."""
        with open(self.home / "starts", "ab") as file:
            file.write(f"{time.time():.0f} {socket.gethostname()} {os.getpid()}\n".encode())

    def starts(self) -> int:
        path = self.home / "starts"
        return len(require_regular_file(path).read_bytes().splitlines()) if path.exists() else 0

    def forget(self) -> None:
        """Resets the count of starts, when a job that failed is submitted again."""
        (self.home / "starts").unlink(missing_ok=True)

    def last_output(self) -> str:
        """The last lines of its output."""
        text = (
            require_regular_file(self.output).read_text(encoding="utf-8", errors="replace")
            if self.output.exists()
            else ""
        )
        return " | ".join(text.strip().splitlines()[-LINES:]) or "it said nothing"

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """Whether this process has the lock of the job. It always has on a file system without
        locks."""
        with open(self.home / "lock", "a+", encoding="utf-8") as lock:
            if not _taken(lock):
                yield False
                return
            lock.truncate(0)
            lock.write(f"{os.getpid()} {socket.gethostname()}")
            lock.flush()
            yield True

    def holder(self) -> int:
        """The process that has the lock of the job: 0 when none has, and -1 for one on another
        machine or one that has not written its number yet."""
        path = self.home / "lock"
        if not path.exists():
            return 0
        with open(require_regular_file(path), encoding="utf-8", errors="replace") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                pid, _, host = file.read().partition(" ")
                return int(pid) if host == socket.gethostname() and pid.isdigit() else -1
            except OSError:
                return 0
        return 0

    def launched(self, token: str, starts: int) -> None:
        """Records a launch.

        token: name by which the launcher finds it. starts: how often the job had been started
        before.
        """
        write_atomically(
            self.home / "launched.json", json.dumps({"token": token, "starts": starts})
        )

    def launch(self) -> tuple[str, int]:
        """Token and starts of the last launch."""
        path = self.home / "launched.json"
        if not path.exists():
            return "", 0
        try:
            record = read_json(require_regular_file(path).read_bytes())
            return str(record["token"]), int(record["starts"])
        except (
            ValueError,
            KeyError,
            TypeError,
        ):  # the file was changed by someone else: only the lock of the job counts
            return "", 0


def timed_out(seconds: float) -> str:
    return f"not done after label.timeout = {seconds:g} s"


def _taken(lock: TextIO) -> bool:
    for _ in range(TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(PAUSE)
        except OSError as error:
            print(f"{lock.name}: no lock: {error}", flush=True)
            return True
    return False
