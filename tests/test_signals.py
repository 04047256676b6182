"""snap_al.cli.signals: What batch systems and terminals send: the run ends with its reason and exit
code, and goes on as if it had not ended.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from helpers.odd import PATIENCE, children, ranks_of, until
from helpers.optional import BIN
from helpers.runs import result_of, run
from helpers.samples import small_config

from snap_al.parallel.leaving import unread_bytes

WAITING = """
import time
from mpi4py import MPI
from snap_al.cli.signals import leave_on_interrupt, leave_on_signals
leave_on_interrupt()
leave_on_signals()
MPI.COMM_WORLD.Barrier()
while MPI.COMM_WORLD.rank == 0:
    print("ready", flush=True)
    time.sleep(1000)
MPI.COMM_WORLD.Barrier()
"""
"""Rank 0 waits in Python, the others within MPI, from where Python's own handlers are not
reached.
"""


def launched(ranks, *arguments):
    launcher = [str(BIN / "mpirun"), "-n", str(ranks)] if ranks > 1 else []
    return subprocess.Popen(
        [*launcher, sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until_fit(number, journal):
    until(lambda: journal.exists() and f'"event":"fitted","fit":{number}' in journal.read_text())


@pytest.mark.parametrize(
    ("ranks", "number"), [(1, signal.SIGUSR1), (2, signal.SIGUSR1), (2, signal.SIGTERM)]
)
def test_ends_and_goes_on(tmp_path, ranks, number):
    """On two ranks the signal reaches all of them, as from a scheduler, or (SIGTERM here) one
    alone.
    """
    config = small_config(tmp_path)
    expected = run(config, tmp_path / "whole", ranks)
    driver = launched(ranks, "-m", "snap_al", "run", str(config), "--out", str(tmp_path / "run"))
    journal = tmp_path / "run" / "journal.jsonl"
    until_fit(2, journal)
    pids = ranks_of(tmp_path / "run")
    assert len(pids) == ranks
    for pid in pids[-1:] if number == signal.SIGTERM else pids:
        with suppress(ProcessLookupError):  # the first has ended the other already
            os.kill(pid, number)
    _, said = driver.communicate(timeout=PATIENCE)
    assert driver.returncode == 75, said
    assert f"ended by {number.name}; the same command goes on" in said
    assert '"event":"stopped"' not in journal.read_text()
    run(config, tmp_path / "run", ranks)
    assert result_of(tmp_path / "run") == expected


@pytest.mark.parametrize("ranks", [1, 2])
def test_interrupted(tmp_path, ranks):
    """Ctrl-C: said once, whether Python, LAMMPS or MPI has the word, and nothing waits for a rank
    that has left.
    """
    driver = launched(
        ranks, "-m", "snap_al", "run", str(small_config(tmp_path)), "--out", str(tmp_path / "run")
    )
    until_fit(1, tmp_path / "run" / "journal.jsonl")
    driver.send_signal(signal.SIGINT)
    _, said = driver.communicate(timeout=PATIENCE)
    assert driver.returncode == 130, said
    assert "interrupted; the same command goes on" in said
    assert "Traceback" not in said


def ended(to_mpirun, number):
    """Exit code and stderr of two waiting ranks that got the signal, from mpirun or directly and at
    once.
    """
    driver = launched(2, "-c", WAITING)
    driver.stdout.readline()
    pids = [rank for proxy in children(driver.pid) for rank in children(proxy)]
    assert len(pids) == 2
    for pid in [driver.pid] if to_mpirun else reversed(pids):
        with suppress(ProcessLookupError):  # the first has ended the other already
            os.kill(pid, number)
    _, said = driver.communicate(timeout=PATIENCE)
    return driver.returncode, said


@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGUSR1, 75), (signal.SIGTERM, 75), (signal.SIGINT, 130)]
)
@pytest.mark.parametrize("to_mpirun", [True, False])
def test_the_reason_is_always_told(number, exit_code, to_mpirun):
    """Again and again, since which rank is first is a matter of luck."""
    words = "interrupted;" if number == signal.SIGINT else f"ended by {number.name};"
    for _ in range(5):
        found, said = ended(to_mpirun, number)
        assert found == exit_code, said
        assert words in said


def test_a_long_reason_arrives_whole():
    """mpirun drops what a rank has written but it has not read when the job is aborted: here more
    than fits into a pipe.
    """
    code = (
        "from snap_al.parallel import world\nfrom snap_al.parallel.communicator import abandon\n"
        "from snap_al.errors import RunError\nimport time\ncomm = world()\n"
        "abandon(comm, RunError('x' * 100_000 + ' to the end'), None) if comm.rank == 1 else "
        "time.sleep(1000)"
    )
    for _ in range(5):
        driver = launched(2, "-c", code)
        _, said = driver.communicate(timeout=PATIENCE)
        assert driver.returncode == 75
        assert "rank 1: error: " + "x" * 100_000 + " to the end\nthe job ends" in said


def test_a_reader_that_does_not_read_keeps_nobody():
    """The reason cannot be told then, and the job still ends."""
    code = (
        "from snap_al.parallel import tell_before_abort\ntell_before_abort('x' * 1_000_000, 0, "
        "shared=False)\nprint('on')"
    )
    driver = launched(1, "-c", code)
    assert driver.stdout.readline() == "on\n"
    driver.kill()
    driver.communicate()


def test_bytes_that_nobody_has_read(tmp_path):
    reader, writer = os.pipe()
    assert unread_bytes(writer) == 0
    os.write(writer, b"abc")
    assert unread_bytes(writer) == 3
    os.read(reader, 10)
    assert unread_bytes(writer) == 0
    with open(tmp_path / "file", "wb", buffering=0) as file:
        file.write(b"abc")
        assert unread_bytes(file.fileno()) == 0
    os.close(reader)
    os.close(writer)


def test_also_within_lammps(tmp_path):
    """A segment that takes minutes is no reason to wait: the run ends in the middle of it."""
    explore = (
        "explore: {walkers: [{structure: Cu.extxyz, supercell: [8, 8, 8]}], temperature: [300, "
        "900], timestep: 0.003, "
        "steps: 400000, check_every: 400000, checkpoint_every: 400000, pressure_damping: 1.0}"
    )
    config = small_config(tmp_path, explore=explore)
    driver = launched(1, "-m", "snap_al", "run", str(config), "--out", str(tmp_path / "run"))
    until(lambda: any(_begun(path) for path in (tmp_path / "run").glob("walkers/*/*.log")))
    time.sleep(0.5)
    driver.terminate()
    _, said = driver.communicate(timeout=PATIENCE)
    assert driver.returncode == 75, said
    assert '"event":"explored"' not in (tmp_path / "run" / "journal.jsonl").read_text()


def _begun(log):
    return log.exists() and "run 400000" in log.read_text()


FORKED = """
import os, signal, time
from snap_al.cli.signals import leave_on_interrupt, leave_on_signals
leave_on_interrupt()
leave_on_signals()
ready, begun = os.pipe()
for number in (signal.SIGTERM, signal.SIGINT):
    if (child := os.fork()) == 0:
        try:
            os.write(begun, b"!")
            time.sleep(1000)
        finally:
            os._exit(7)
    os.read(ready, 1)
    os.kill(child, number)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
time.sleep(0.5)
print("here", flush=True)
"""


def test_a_signal_to_a_forked_process_is_its_own():
    """A pool's worker ends as any process does, and the run that started it goes on."""
    done = subprocess.run(
        [sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.stdout.split() == [str(-signal.SIGTERM), "7", "here"], done.stderr
