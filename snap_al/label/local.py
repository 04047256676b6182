"""Label jobs as processes on this machine, each in a session of its own and with a time limit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from snap_al.label.job_folder import SECONDS_TO_END, JobFolder, timed_out
from snap_al.label.jobs import Handle
from snap_al.label.script import spare_script
from snap_al.label.settings import LabelSettings

GRACE = 30.0
"""s beyond the time limit that a worker has to end itself in."""


class LocalProcesses:
    """After the first job there is always a worker more than is needed, which has its imports
    behind it: with ASE's they take longer than anything else that a label costs beyond its
    calculator."""

    per_launch = 1
    waits_for_exit = True

    def __init__(self, settings: LabelSettings) -> None:
        self._settings = settings
        self._spare: subprocess.Popen[bytes] | None = None

    def start(self, script: Path) -> Handle:
        process = self._given_to_spare(script.parent) or _started(["/bin/bash", str(script)])
        self._spare = _started(
            ["/bin/bash", "-c", spare_script(self._settings, script.parents[1])], with_stdin=True
        )
        return _Process(JobFolder(script.parent), process, self._settings.timeout)

    def _given_to_spare(self, home: Path) -> subprocess.Popen[bytes] | None:
        """The spare worker with this job; None when no spare worker is alive."""
        spare, self._spare = self._spare, None
        if spare is None or spare.stdin is None or spare.poll() is not None:
            return None
        with suppress(BrokenPipeError), spare.stdin as pipe:
            pipe.write(f"{json.dumps(str(home))}\n".encode())
        return spare

    def find(self, job: JobFolder) -> Handle | None:
        return _Process(job, None, self._settings.timeout) if job.holder() else None

    def close(self) -> None:
        """Ends the spare worker. Workers with a job continue, and are found again."""
        if self._spare is not None and self._spare.stdin is not None:
            self._spare.stdin.close()
            self._spare.wait()


def _started(command: list[str], *, with_stdin: bool = False) -> subprocess.Popen[bytes]:
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        command,
        stdout=quiet,
        stderr=quiet,
        stdin=subprocess.PIPE if with_stdin else quiet,
        start_new_session=True,
    )


@dataclass
class _Process:
    """The process of one job."""

    job: JobFolder
    """The folder of the job."""
    process: subprocess.Popen[bytes] | None
    """The process; None for one that another driver started."""
    timeout: float | None
    """s, after which it is ended; None for no limit."""
    started: float = field(default_factory=time.monotonic)
    """s, start time on the monotonic clock."""
    late: bool = False
    """Whether it was ended because it ran longer than the timeout."""
    token: str = ""
    """Empty: the lock of the job shows whether it runs."""

    def running(self) -> bool:
        if (
            self.timeout is not None
            and not self.late
            and time.monotonic() - self.started > self.timeout + GRACE
        ):
            self.late = True  # its own alarm has not ended it, since it is inside a library
            self.end()
        if self.process is None:
            return self.job.holder() != 0
        if self.process.poll() is None:
            return True
        end_group(self.process.pid)  # processes that the worker started
        return False

    def end(self) -> None:
        end_group(self.process.pid if self.process else self.job.holder())

    def reason(self) -> str:
        return timed_out(self.timeout or 0.0) if self.late else ""


def end_group(group: int) -> None:
    """A worker and all that it started: first so that an mpirun passes it on to ranks that are in
    groups of their own.
    """
    for number in (signal.SIGTERM, signal.SIGKILL) if group > 0 else ():
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
            time.sleep(SECONDS_TO_END if number == signal.SIGTERM else 0.0)
