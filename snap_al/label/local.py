"""Labels in processes of their own on this machine: several at once, with a time limit, and still there when the driver is not.

A job is a folder named by a hash of the structure and the labeler's settings. A driver that was killed finds it again: running (its lock is
held), done (its result is there), or neither, and then it is started again, a limited number of times.
"""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from snap_al.data.configuration import Configuration
from snap_al.data.storage import write_atomically
from snap_al.label.backend import (
    LabelResult,
    encode_result,
    encode_structure,
    job_name,
    read_result,
    result_paths,
)
from snap_al.label.settings import LabelSettings
from snap_al.label.worker import SECONDS_TO_END, timed_out

MPI_VARIABLES = ("PMI", "PMIX", "HYD", "MPI_LOCAL", "MPIR_", "MPICH_INTERFACE", "OMPI_", "PRTE_")
"""What an MPI rank passes on to what it starts, and what makes an MPI program there die or hang."""
GRACE = 30.0
"""s beyond the time limit that a worker has to end itself in."""


@dataclass
class _Running:
    """process: None for one that another driver started. late: it was ended for being over its time."""

    configuration: Configuration
    process: subprocess.Popen[bytes] | None
    started: float = field(default_factory=time.monotonic)
    late: bool = False


class LocalJobs:
    """Results as files in `folder`, jobs in folder/jobs. Raises nothing for a label that fails: that is its result."""

    everywhere = False

    def __init__(self, settings: LabelSettings, key: str, folder: Path) -> None:
        """key: names the labeler and all its settings."""
        self._settings, self._key, self._folder = settings, key, folder.resolve()
        self._waiting: dict[str, Configuration] = {}
        self._running: dict[str, _Running] = {}

    def submit(self, configuration: Configuration) -> str:
        job = job_name(configuration, self._key)
        label, failed = result_paths(self._folder, job)
        if label.exists() or job in self._waiting or job in self._running:
            return job
        failed.unlink(missing_ok=True)
        (self._home(job) / "starts").unlink(missing_ok=True)
        if _held(self._lock(job)):  # by a worker that an earlier driver started
            self._running[job] = _Running(configuration, None)
        else:
            self._waiting[job] = configuration
        self._advance()
        return job

    def poll(self, job: str, configuration: Configuration) -> LabelResult | None:
        """Raises LabelError for a file that is not a label of this configuration."""
        self._advance()
        if job in self._running or job in self._waiting:
            return None
        return read_result(self._folder, job, configuration)

    def _advance(self) -> None:
        """Looks after what runs, and starts what there is room for."""
        for job in list(self._running):
            self._look_after(job, self._running[job])
        for job in list(self._waiting):
            if len(self._running) >= self._settings.at_once:
                break
            self._start(job, self._waiting.pop(job))

    def _look_after(self, job: str, run: _Running) -> None:
        limit, process = self._settings.timeout, run.process
        if limit is not None and time.monotonic() - run.started > limit + GRACE:
            run.late = True  # its own alarm has not ended it: it is deep in a library
            _end(_held(self._lock(job)) or (process.pid if process else 0))
        if process is not None and process.poll() is None:
            return
        if _held(self._lock(job)):  # by this one, or by an earlier driver's, that was faster
            run.process = None
            return
        del self._running[job]
        if process is not None:
            _end(process.pid)  # what the worker left behind
        if any(path.exists() for path in result_paths(self._folder, job)):
            return
        if run.late:
            self._fail(job, run.configuration, timed_out(limit or 0.0))
        elif self._starts(job) < self._settings.max_starts:
            self._waiting[job] = run.configuration
        else:
            said = (self._home(job) / "output.txt").read_text(errors="replace").strip().splitlines()[-3:]
            reason = (
                f"its process ended {self._starts(job)} times without a result: {' | '.join(said) or 'it said nothing'}"
            )
            self._fail(job, run.configuration, reason)

    def _fail(self, job: str, configuration: Configuration, reason: str) -> None:
        write_atomically(result_paths(self._folder, job)[1], encode_result(configuration, None, reason, 0.0))

    def _start(self, job: str, configuration: Configuration) -> None:
        home, s = self._home(job), self._settings
        asked = {
            "structure": encode_structure(configuration), "calculator": s.calculator, "arguments": s.arguments,
            "retries": s.retries, "timeout": s.timeout,
        }  # fmt: skip
        write_atomically(home / "job.json", json.dumps(asked))
        with open(home / "starts", "ab") as starts:
            starts.write(f"{time.time():.0f}\n".encode())
        command = [sys.executable, "-m", "snap_al.label.worker", str(home)]
        if s.prologue:
            command = ["bash", "-c", "\n".join(["set -e", *s.prologue, f"exec {shlex.join(command)}"])]
        with open(home / "output.txt", "ab") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True,
                env=self._environment(), cwd=home,
            )  # fmt: skip
        self._running[job] = _Running(configuration, process)

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(MPI_VARIABLES)}
        package = str(Path(__file__).resolve().parents[2])
        threads = str(self._settings.threads)
        return {
            **kept, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "MKL_NUM_THREADS": threads,
            "PYTHONPATH": os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), os.getcwd(), package]),
            **self._settings.environment,
        }  # fmt: skip

    def _starts(self, job: str) -> int:
        path = self._home(job) / "starts"
        return len(path.read_text().split()) if path.exists() else 0

    def _lock(self, job: str) -> Path:
        return self._home(job) / "lock"

    def _home(self, job: str) -> Path:
        return self._folder / "jobs" / job


def _held(lock: Path) -> int:
    """The process that has the lock, 0 when none has."""
    if not lock.exists():
        return 0
    with open(lock) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return int(file.read() or -1)
    return 0


def _end(group: int) -> None:
    """A worker and all that it started: first so that an mpirun passes it on to ranks that are in groups of their own."""
    for number in (signal.SIGTERM, signal.SIGKILL) if group > 0 else ():
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
            time.sleep(SECONDS_TO_END if number == signal.SIGTERM else 0.0)
