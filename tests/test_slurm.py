"""snap_al.label.cluster: Labels as jobs of a real Slurm: found again after a kill, cancelled,
requeued, in bundles, with MPI; drivers within Slurm themselves.
"""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from helpers.calls import ROOT
from helpers.odd import PATH, driver, until, waited
from helpers.optional import BIN
from helpers.runs import result_of, run
from helpers.samples import rattled_copper, small_config

from snap_al.errors import InputError, RunError
from snap_al.label import AseLabeler, JobBackend, LabelSettings, Scheduler, validate_backend

pytestmark = pytest.mark.usefixtures("slurm")
CLUSTER = {"scheduler": "slurm", "memory_gb": 0.5, "walltime": "0:10:00", "poll_every": 1}


def jobs(folder, habit="", log=None, cluster=CLUSTER, **settings):
    arguments = {"habit": habit, **({"log": str(log)} if log else {})}
    chosen = LabelSettings(
        calculator="helpers.odd.Odd",
        arguments=arguments,
        backend="cluster",
        cluster=cluster,
        environment={"PYTHONPATH": PATH},
        **settings,
    )
    launcher = Scheduler(chosen.cluster, chosen.threads, folder / "jobs")
    return JobBackend(chosen, AseLabeler(chosen.calculator, arguments).key, folder, launcher)


@pytest.fixture(autouse=True)
def _nothing_left_over():
    yield
    subprocess.run(["scancel", "--me"], check=True)
    until(lambda: not queue())


def queue():
    return subprocess.run(
        ["squeue", "-h", "-o", "%i %j %t"], capture_output=True, text=True
    ).stdout.split("\n")[:-1]


def test_contract(tmp_path):
    validate_backend(jobs(tmp_path), rattled_copper(1))


@pytest.mark.parametrize("wait", [0.0, 2.0, 6.0])
def test_a_driver_that_is_killed_finds_its_job_again(tmp_path, wait):
    """While the job waits or works, and when it is done: computed once, submitted once."""
    log, asked = tmp_path / "log", rattled_copper(1)
    first = driver("test_slurm", tmp_path, log)
    time.sleep(wait)
    first.send_signal(signal.SIGKILL)
    first.wait()
    backend = jobs(tmp_path, "slow", log=log)
    job = backend.submit(asked)
    assert len(queue()) <= 1
    assert waited(backend, job, asked).label is not None
    assert len(log.read_text().splitlines()) == 1


def test_one_that_is_cancelled_is_submitted_again_and_given_up(tmp_path):
    asked = rattled_copper(1)
    backend = jobs(tmp_path, "hangs", max_starts=2)
    job = backend.submit(asked)
    for starts in (1, 2):
        until(
            lambda starts=starts: (
                backend.poll(job, asked) is None and _starts(tmp_path, job) == starts
            )
        )
        subprocess.run(["scancel", "--me"], check=True)
    assert "ended 2 times without a result" in waited(backend, job, asked).reason


def _starts(folder, job):
    path = folder / "jobs" / job / "starts"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_the_run_cancels(tmp_path):
    asked = rattled_copper(1)
    backend = jobs(tmp_path, "hangs")
    job = backend.submit(asked)
    until(queue)
    backend.cancel(job)
    until(lambda: not queue())
    assert backend.poll(job, asked) is None


@pytest.mark.slow  # Slurm itself waits two minutes before it starts the job again
def test_a_node_that_goes_down(tmp_path):
    """Slurm requeues the job under its number; the label is computed, without a second
    submission.
    """
    asked, log = rattled_copper(1), tmp_path / "log"
    backend = jobs(tmp_path, "slow", log=log)
    job = backend.submit(asked)
    until(lambda: _starts(tmp_path, job) == 1)
    node = subprocess.run(
        ["squeue", "-h", "-o", "%N"], capture_output=True, text=True
    ).stdout.strip()
    subprocess.run(
        ["scontrol", "update", f"nodename={node}", "state=down", "reason=test"], check=True
    )
    time.sleep(1)
    subprocess.run(
        ["scontrol", "update", f"nodename={node}", "state=resume"]
    )  # an error when it came back by itself
    assert waited(backend, job, asked, 150).label is not None


def test_many_small_ones_share_jobs(tmp_path):
    asked = [rattled_copper(k, repeat=1) for k in range(12)]
    backend = jobs(tmp_path, cluster={**CLUSTER, "labels_per_job": 4}, at_once=2)
    names = [backend.submit(c) for c in asked]
    backend.poll(names[0], asked[0])
    assert len(queue()) == 2
    assert all(waited(backend, job, c).label for job, c in zip(names, asked, strict=True))


def test_one_of_a_bundle_that_dies_takes_none_with_it(tmp_path):
    asked = [rattled_copper(k, repeat=1) for k in range(3)]
    backend = jobs(tmp_path, "dies", cluster={**CLUSTER, "labels_per_job": 3}, max_starts=2)
    names = [backend.submit(c) for c in asked]
    for job, c in zip(names, asked, strict=True):
        assert "ended 2 times" in waited(backend, job, c).reason


def test_no_variable_of_the_drivers_job_reaches_the_label(tmp_path, monkeypatch):
    for name in (
        "PMI_RANK",
        "PMI_FD",
        "SLURM_NTASKS_PER_NODE",
        "SLURM_MEM_PER_CPU",
        "SLURM_JOB_ID",
    ):
        monkeypatch.setenv(name, "77")
    asked, log = rattled_copper(1), tmp_path / "log"
    backend = jobs(
        tmp_path, log=log, prologue=('test "$SLURM_JOB_ID" != 77', 'test -z "$SLURM_MEM_PER_CPU"')
    )
    assert waited(backend, backend.submit(asked), asked).label is not None
    assert log.read_text().strip().endswith("[]")
    assert os.environ["SLURM_JOB_ID"] == "77"


MPI_LABELER = """
import os, subprocess
from ase.calculators.emt import EMT

class Parallel(EMT):
    def __init__(self, command, log, **kwargs):
        super().__init__(**kwargs)
        self.command, self.log = command, log

    def calculate(self, *args, **kwargs):
        done = subprocess.run(self.command, shell=True, capture_output=True, text=True)
        with open(self.log, "a") as file:
            said, threads = ''.join(done.stdout.split()), os.environ['OMP_NUM_THREADS']
            file.write(f"{said} {threads} {done.stderr[-300:]}\\n")
        super().calculate(*args, **kwargs)
"""
HELLO = f'{sys.executable} -c "from mpi4py import MPI; print(MPI.COMM_WORLD.size)"'
COMMANDS = {
    "mpirun": f"{BIN / 'mpirun'} -n 2 {HELLO}",
    "srun": f"srun --mpi=pmi2 --mem=0 --overlap -n 2 {HELLO}",
    "serial": HELLO,
}


@pytest.mark.parametrize("how", list(COMMANDS))
def test_labelers_with_ranks(tmp_path, how):
    (tmp_path / "parallel.py").write_text(MPI_LABELER)
    log = tmp_path / "log"
    tasks, threads = (1, 2) if how == "serial" else (2, 1)
    arguments = {"command": COMMANDS[how], "log": str(log)}
    chosen = LabelSettings(
        calculator="parallel.Parallel",
        arguments=arguments,
        backend="cluster",
        cluster={**CLUSTER, "tasks": tasks},
        threads=threads,
        environment={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
    )
    backend = JobBackend(
        chosen, "parallel", tmp_path, Scheduler(chosen.cluster, threads, tmp_path / "jobs")
    )
    asked = rattled_copper(1)
    result = waited(backend, backend.submit(asked), asked)
    assert result.label is not None, result.reason
    assert log.read_text().startswith("1 2" if how == "serial" else "22 1"), log.read_text()
    assert result.core_seconds == pytest.approx(2 * result.seconds)


def test_what_cannot_work_is_refused(tmp_path, monkeypatch):
    backend = jobs(tmp_path, cluster={**CLUSTER, "queue": "nowhere"})
    with pytest.raises(RunError, match=r"slurm refused a job: .*partition"):
        backend.submit(rattled_copper(1))
    with pytest.raises(InputError, match="no spaces"):
        jobs(tmp_path / "a b")
    with pytest.raises(InputError, match="pbs: no qsub here"):
        jobs(tmp_path, cluster={**CLUSTER, "scheduler": "pbs"})


LABEL = (
    "label: {backend: cluster, at_once: 2, cluster: {scheduler: slurm, memory_gb: 0.5, "
    "walltime: 10, poll_every: 1}}"
)
PLACES = {
    "mpirun": [str(BIN / "mpirun"), "-n", "2"],
    "srun": ["srun", "--mpi=pmi2", "-n", "2", "--mem=1G"],
    "sbatch": [],
    "sbatch and srun": ["srun", "--mpi=pmi2", "-n", "2", "--mem=0"],
    "sbatch and mpirun": [str(BIN / "mpirun"), "-launcher", "fork", "-n", "2"],
}


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(p, marks=() if p in ("mpirun", "sbatch and srun") else pytest.mark.slow)
        for p in PLACES
    ],
)
def test_wherever_the_driver_is(tmp_path, place):
    """Under mpirun, srun, sbatch, and both: the run is the one that labels in its own process."""
    ranks = 1 if place == "sbatch" else 2
    expected = run(small_config(tmp_path), tmp_path / "here", ranks)
    config = small_config(tmp_path, label=LABEL)
    command = [
        *PLACES[place],
        sys.executable,
        "-m",
        "snap_al",
        "run",
        str(config),
        "--out",
        str(tmp_path / "run"),
    ]
    if place.startswith("sbatch"):
        script = tmp_path / "driver.sh"
        script.write_text(f"#!/bin/bash\nexport OPENBLAS_NUM_THREADS=1\n{' '.join(command)}\n")
        command = [
            "sbatch",
            "--wait",
            f"-n{ranks}",
            "-N1",
            "--mem=2G",
            "-o",
            str(tmp_path / "driver.out"),
            str(script),
        ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, cwd=tmp_path)
    said = (tmp_path / "driver.out").read_text() if place.startswith("sbatch") else done.stderr
    if "failed to send temp kvs" in said:
        pytest.skip("srun's PMI server did not reach its own nodes")
    assert done.returncode == 0, said
    assert result_of(tmp_path / "run")[0] == expected[0]
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["labels"] > 3


def test_ranks_that_know_nothing_of_each_other_are_refused(tmp_path):
    """srun without an MPI plugin starts two runs of one rank each."""
    config = small_config(tmp_path, label=LABEL)
    command = [
        "srun",
        "--mpi=none",
        "-n",
        "2",
        "--mem=1G",
        sys.executable,
        "-m",
        "snap_al",
        "run",
        str(config),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 2
    assert "srun started 2" in done.stderr
    assert "--mpi=pmi2" in done.stderr
