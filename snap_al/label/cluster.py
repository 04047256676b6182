"""Label jobs through the scheduler of a cluster: Slurm, PBS, LSF, by way of PSI/J
(https://exaworks.org/psij-python).

PSI/J writes the batch script, submits it, and asks the queue whether a job is still there, also one
that an earlier process submitted.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import IO, Any

from snap_al.errors import InputError, RunError
from snap_al.label.job_folder import JobFolder
from snap_al.label.jobs import Handle
from snap_al.label.script import MPI_VARIABLES
from snap_al.label.settings import ClusterSettings

COMMANDS = {"slurm": "sbatch", "pbs": "qsub", "pbs_classic": "qsub", "lsf": "bsub"}
NAME_OF_A_JOB = {
    "slurm": ("slurm", "job-name"),
    "pbs": ("pbs", "N"),
    "pbs_classic": ("pbs", "N"),
    "lsf": ("lsf", "J"),
}
"""For each scheduler, the name that PSI/J has for it, and its option for the name of a job, which
PSI/J does not set."""
OF_A_JOB = (*MPI_VARIABLES, "SLURM_", "PBS_", "LSB_", "LS_JOB")
"""Variables of the job in which the driver may itself run. They are not passed on to its jobs."""
SITE_WIDE = ("SLURM_CONF", "PBS_CONF_FILE", "PBS_EXEC", "PBS_SERVER", "LSB_CONFDIR", "LSB_SHAREDIR")
SETTLE = 5.0
"""s after a job left the queue during which a network file system may still deliver its result."""
PATIENCE = 1800.0
"""s during which a scheduler that has accepted jobs before may refuse them."""
LONGEST_PAUSE = 60.0


class Scheduler:
    """Launches jobs through PSI/J. Raises InputError where it cannot."""

    waits_for_exit = False

    def __init__(self, settings: ClusterSettings, threads: int, folder: Path) -> None:
        """folder: for batch scripts; on a file system that the nodes see."""
        self.per_launch = settings.labels_per_job
        self._settings, self._threads = settings, threads
        self._taken = False
        command = COMMANDS[settings.scheduler]
        if shutil.which(command) is None:
            raise InputError(
                f"label.cluster.scheduler: {settings.scheduler}: no {command} here; start on a "
                "machine that submits jobs"
            )
        if not re.fullmatch(r"[\w./+,=@:~-]+", str(folder)):
            raise InputError(
                f"label.backend: cluster: {folder}: no spaces in the path, please, and nothing "
                "but letters, digits and "
                "./+,=@:~_-: batch scripts name it; give another --out"
            )
        self._executor = _executor(settings, folder / "batch")

    def start(self, script: Path) -> Handle:
        """Raises RunError when the scheduler refuses the first job, or all for half an hour."""
        return _Scheduled(self._submitted(self.job(script)), self._executor)

    def batch_script(self, script: Path) -> str:
        """The batch script of a job."""
        job, text = self.job(script), StringIO()
        self._executor.generate_submit_script(job, self._executor._create_script_context(job), text)
        return text.getvalue()

    def job(self, script: Path) -> Any:
        """The job for PSI/J, with the resources that it asks for."""
        import psij

        s = self._settings
        prefix, job_name = NAME_OF_A_JOB[s.scheduler]
        tasks, threads = s.tasks, self._threads
        if prefix != "slurm":  # PSI/J asks for as many cores as there are processes
            tasks, threads = tasks * threads, 1
        resources = psij.ResourceSpecV1(
            node_count=s.nodes,
            processes_per_node=tasks,
            cpu_cores_per_process=threads,
            memory=None if s.memory_gb is None else round(s.memory_gb * 1e9),
        )
        named = {job_name: f"snap-al-{script.parent.name[:8]}", **s.attributes}
        attributes = psij.JobAttributes(
            duration=timedelta(seconds=s.walltime),
            queue_name=s.queue,
            account=s.account,
            custom_attributes={f"{prefix}.{name}": value for name, value in named.items()},
        )
        spec = psij.JobSpec(
            executable="/bin/bash",
            arguments=[str(script)],
            directory=script.parent,
            resources=resources,
            attributes=attributes,
            launcher="single",
        )
        return psij.Job(spec)

    def find(self, job: JobFolder) -> Handle | None:
        import psij

        token, _ = job.launch()
        if token:
            attached = psij.Job()
            self._executor.attach(attached, token)
            return _Scheduled(attached, self._executor)
        return _Elsewhere(job) if job.holder() else None

    def close(self) -> None:
        """Ends this process's part. Submitted jobs continue, and are found again."""

    def _submitted(self, job: Any) -> Any:
        import psij

        began, pause = time.monotonic(), 1.0
        while True:
            try:
                with _environment_of_a_login():
                    self._executor.submit(job)
                self._taken = True
                return job
            except (psij.SubmitException, psij.InvalidJobException) as error:
                if not self._taken or time.monotonic() - began > PATIENCE:
                    raise RunError(
                        f"label.cluster: {self._settings.scheduler} refused a job: "
                        f"{str(error).strip()}"
                    ) from error
            time.sleep(pause)
            pause = min(2.0 * pause, LONGEST_PAUSE)


class _Scheduled:
    """A job in the queue."""

    def __init__(self, job: Any, executor: Any) -> None:
        self.token = str(job.native_id)
        self._job, self._executor = job, executor
        self._gone: float | None = None

    def running(self) -> bool:
        if not self._job.status.final:
            return True
        if self._gone is None:
            self._gone = time.monotonic()
        return time.monotonic() - self._gone < SETTLE

    def end(self) -> None:
        with suppress(
            Exception
        ):  # the job may be over, or the scheduler unreachable: the time limit of the job ends it
            self._executor.cancel(self._job)

    def reason(self) -> str:
        return ""


class _Elsewhere:
    """A job whose lock is held by a process that this launcher did not start."""

    token = ""

    def __init__(self, job: JobFolder) -> None:
        self._job = job

    def running(self) -> bool:
        return self._job.holder() != 0

    def end(self) -> None:
        """Does nothing: the job cannot be ended from here."""

    def reason(self) -> str:
        return ""


def _executor(settings: ClusterSettings, folder: Path) -> Any:
    try:
        from psij import JobExecutor
        from psij.executors.batch.batch_scheduler_executor import BatchSchedulerExecutorConfig
        from psij.executors.batch.slurm import SlurmExecutorConfig, SlurmJobExecutor
    except ImportError as error:
        raise InputError(
            f"label.backend: cluster needs PSI/J: pip install 'snap_al[cluster]' ({error})"
        ) from error
    folder.mkdir(parents=True, exist_ok=True)
    seconds = settings.poll_every
    kind = SlurmExecutorConfig if settings.scheduler == "slurm" else BatchSchedulerExecutorConfig
    config = kind(
        work_directory=folder,
        queue_polling_interval=seconds,
        initial_queue_polling_delay=seconds,
        # When the queue cannot be asked for a while, the job has not failed.
        queue_polling_error_threshold=10**9,
    )
    values = tuple(settings.attributes.values())
    if not isinstance(config, SlurmExecutorConfig):
        return _unquoted(JobExecutor.get_instance(settings.scheduler, config=config), values)

    class Slurm(SlurmJobExecutor):
        """PSI/J's asks for the reason too, and stumbles over those that it does not know or that
        have spaces in them.
        """

        _NAME_ = "slurm"

        def get_status_command(self, native_ids: Collection[str]) -> list[str]:
            return ["squeue", "--noheader", "--me", "-t", "all", "-o", "%i %t None"]

        def parse_status_output(self, exit_code: int, out: str) -> Any:
            return super().parse_status_output(exit_code, f"\n{out}")

        def _get_message(self, reason: str) -> str:
            return ""

    return _unquoted(Slurm(config=config), values)


def _unquoted(executor: Any, values: Sequence[str]) -> Any:
    """Values of other directives without quotes of a shell, since PSI/J adds these inside the
    quotes of the directive."""
    generate = executor.generate_submit_script

    def plain(job: Any, context: dict[str, object], file: IO[str]) -> None:
        text = StringIO()
        generate(job, context, text)
        script = text.getvalue()
        for value in values:
            script = script.replace(f'"{shlex.quote(value)}"', f'"{value}"')
        file.write(script)

    executor.generate_submit_script = plain
    return executor


@contextmanager
def _environment_of_a_login() -> Iterator[None]:
    """The environment without the variables that the scheduler or mpirun set for this process."""
    hidden = {k: v for k, v in os.environ.items() if k.startswith(OF_A_JOB) and k not in SITE_WIDE}
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(hidden)
