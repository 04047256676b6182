"""One label in a process of its own: python -m snap_al.label.worker JOB, JOB being a folder that `LocalJobs` made.

Holds the job's lock while it lives, so that whoever asks knows, also after a driver that was killed. Leaves one result file, whole.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from snap_al.data.configuration import Configuration, Label
from snap_al.data.storage import write_atomically
from snap_al.errors import InputError, LabelError
from snap_al.label.ase_labeler import AseLabeler
from snap_al.label.backend import decode_structure, encode_result, result_paths

SECONDS_TO_END = 3.0


def main(folder: Path) -> None:
    """Computes what folder/job.json asks for. Does nothing when another process does, or the result is there."""
    job: dict[str, Any] = json.loads((folder / "job.json").read_text())
    paths = result_paths(folder.parents[1], folder.name)
    with open(folder / "lock", "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        if any(path.exists() for path in paths):
            return
        configuration = decode_structure(job["structure"])
        started = time.perf_counter()

        def leave(label: Label | None, reason: str) -> None:
            signal.alarm(0)
            seconds = time.perf_counter() - started
            write_atomically(paths[label is None], encode_result(configuration, label, reason, seconds))

        if job["timeout"]:
            signal.signal(signal.SIGALRM, _ended(job["timeout"], leave))
            signal.alarm(max(1, round(job["timeout"])))
        (folder / "work").mkdir(exist_ok=True)
        os.chdir(folder / "work")
        leave(*_labelled(configuration, job))


def _labelled(configuration: Configuration, job: dict[str, Any]) -> tuple[Label | None, str]:
    """With the arguments given and, as long as it fails, with those of each retry."""
    reasons = []
    for change in ({}, *job["retries"]):
        try:
            label = AseLabeler(job["calculator"], merged(job["arguments"], change)).label(configuration)
            return label, ""
        except (LabelError, InputError) as error:
            reasons.append(str(error))
    return None, "; then ".join(reasons)


def merged(arguments: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """`change` over `arguments`, section by section."""
    both = {
        k: merged(arguments[k], v) if isinstance(v, dict) and isinstance(arguments.get(k), dict) else v
        for k, v in change.items()
    }
    return {**arguments, **both}


def timed_out(seconds: float) -> str:
    return f"not done after label.timeout = {seconds:g} s"


def _ended(seconds: float, leave: Callable[[Label | None, str], None]) -> Callable[[int, FrameType | None], None]:
    """Leaves the reason, then ends this process and all that it started."""

    def handler(number: int, frame: FrameType | None) -> None:
        leave(None, timed_out(seconds))
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)  # an mpirun passes it on to ranks that are in groups of their own
        time.sleep(SECONDS_TO_END)
        os.killpg(0, signal.SIGKILL)

    return handler


if __name__ == "__main__":
    main(Path(sys.argv[1]))
