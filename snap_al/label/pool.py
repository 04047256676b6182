"""Label jobs in any concurrent.futures.Executor: Parsl's, dask's, executorlib's, or Python's
own.
"""

from __future__ import annotations

import subprocess
from concurrent.futures import Executor, Future
from contextlib import suppress
from pathlib import Path
from typing import Any

from snap_al.errors import InputError, RunError
from snap_al.label.job_folder import JobFolder
from snap_al.label.jobs import Handle
from snap_al.label.local import end_group
from snap_al.named import imported


class Pool:
    """Each job is a call of `run_script` in the pool. The labels' folder must be seen from there,
    under the same path.
    """

    per_launch = 1
    waits_for_exit = False

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    @classmethod
    def named(cls, name: str, arguments: dict[str, Any]) -> Pool:
        """The pool of this executor. Raises InputError for a name that cannot be imported, or that
        gives no executor."""
        factory = imported("label.executor", name)
        try:
            executor = factory(**arguments)
        except Exception as error:
            raise InputError(
                f"label.executor: {name}({arguments}) failed: {type(error).__name__}: {error}"
            ) from error
        if not callable(getattr(executor, "submit", None)):
            raise InputError(
                f"label.executor: {name} makes a {type(executor).__name__}, not a "
                "concurrent.futures.Executor"
            )
        return cls(executor)

    def start(self, script: Path) -> Handle:
        try:
            return _Submitted(
                JobFolder(script.parent), self._executor.submit(run_script, str(script))
            )
        except Exception as error:
            raise RunError(
                f"label.executor takes no more jobs: {type(error).__name__}: {error}"
            ) from error

    def find(self, job: JobFolder) -> Handle | None:
        return _Submitted(job, None) if job.holder() else None

    def close(self) -> None:
        """Closes the executor, without waiting for jobs that this run no longer needs."""
        if shutdown := getattr(self._executor, "shutdown", None):
            shutdown(wait=False)


class _Submitted:
    """future: None for what another process submitted; the job's lock tells."""

    token = ""

    def __init__(self, job: JobFolder, future: Future[int] | None) -> None:
        self._job, self._future = job, future

    def running(self) -> bool:
        return self._job.holder() != 0 if self._future is None else not self._future.done()

    def end(self) -> None:
        """Ends the job if it can be reached from here; otherwise its time limit ends it."""
        with suppress(NotImplementedError):  # as with Parsl
            if self._future is not None and self._future.cancel():
                return
        end_group(self._job.holder())

    def reason(self) -> str:
        return ""


def run_script(script: str) -> int:
    """Runs a script in the pool. Its exit code is not used, since the result is a file."""
    return subprocess.run(
        ["/bin/bash", script], stdin=subprocess.DEVNULL, start_new_session=True
    ).returncode
