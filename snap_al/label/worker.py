"""Computes labels in a process of its own: python -m snap_al.label.worker JOB..., each JOB a folder
that `JobBackend` made, or --wait CALCULATOR.

The worker has the lock of a job while it works on it, so that other processes know, also after a
driver was killed. It writes one complete result file.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from snap_al.data.configuration import Configuration, Label
from snap_al.data.storage import write_atomically
from snap_al.errors import InputError, LabelError
from snap_al.label.ase_labeler import AseLabeler, calculator_named, merged
from snap_al.label.backend import decode_structure, encode_result
from snap_al.label.job_folder import SECONDS_TO_END, JobFolder, timed_out
from snap_al.label.script import WAIT


def main(homes: Sequence[str]) -> None:
    """Runs one job in this process, or several in a process each, so that they do not affect each
    other and each has its time limit."""
    if homes[0] == WAIT:
        wait_for_one(homes[1])
        return
    if len(homes) == 1:
        work_on(JobFolder(Path(homes[0])))
        return
    for home in homes:
        with open(JobFolder(Path(home)).output, "ab") as output:
            subprocess.run(
                [sys.executable, "-m", "snap_al.label.worker", home], stdout=output, stderr=output
            )


def wait_for_one(calculator: str) -> None:
    """Imports modules, then runs the job whose folder is written to standard input. There is none
    when the driver that started this process has ended."""
    with suppress(InputError):  # the job reports what is wrong with it
        calculator_named(calculator)
    if line := sys.stdin.readline().strip():
        job = JobFolder(Path(json.loads(line)))
        with open(job.output, "ab") as output, open(os.devnull) as null:
            for number, file in ((0, null), (1, output), (2, output)):
                os.dup2(file.fileno(), number)
        os.chdir(job.home)
        work_on(job)


def work_on(job: JobFolder) -> None:
    """Runs a job. Does nothing when another process runs it, or when the result exists."""
    with job.locked() as ours:
        if not ours or any(path.exists() for path in job.results):
            return
        job.begin()
        if os.getpgrp() != os.getpid():
            os.setpgrp()  # the time limit ends this group, and not the batch script
        asked = job.asked()
        configuration = decode_structure(asked["structure"])
        started = time.perf_counter()

        def leave(label: Label | None, reason: str) -> None:
            signal.alarm(0)
            seconds = time.perf_counter() - started
            answer = encode_result(configuration, label, reason, seconds, int(asked["cores"]))
            write_atomically(job.results[label is None], answer)

        if asked["timeout"]:
            signal.signal(signal.SIGALRM, _ended(asked["timeout"], leave))
            signal.alarm(max(1, round(asked["timeout"])))
        job.work.mkdir(exist_ok=True)
        os.chdir(job.work)
        leave(*_labelled(configuration, asked))


def _labelled(configuration: Configuration, asked: dict[str, Any]) -> tuple[Label | None, str]:
    """The label, by the given arguments and, as long as it fails, by those of each retry."""
    reasons = []
    for change in ({}, *asked["retries"]):
        try:
            label = AseLabeler(
                asked["calculator"], merged(asked["arguments"], change), asked["magmoms"]
            ).label(configuration)
            return label, ""
        except (LabelError, InputError) as error:
            reasons.append(str(error))
    return None, "; then ".join(reasons)


def _ended(
    seconds: float, leave: Callable[[Label | None, str], None]
) -> Callable[[int, FrameType | None], None]:
    """Writes the reason, then ends this process and all that it started."""

    def handler(number: int, frame: FrameType | None) -> None:
        leave(None, timed_out(seconds))
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(
            0, signal.SIGTERM
        )  # an mpirun passes it on to ranks that are in groups of their own
        time.sleep(SECONDS_TO_END)
        os.killpg(0, signal.SIGKILL)

    return handler


if __name__ == "__main__":
    main(sys.argv[1:])
