"""What batch systems send: the run ends at once with the exit code to start it again, and goes on as if it had not ended."""

import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import BIN, small_config
from odd import ranks_of, until
from test_run import result_of, run

AT_ONCE = 10.0


def until_fit(number, journal):
    until(lambda: journal.exists() and f'"event":"fitted","fit":{number}' in journal.read_text())


@pytest.mark.parametrize(("ranks", "number"), [(1, signal.SIGUSR1), (2, signal.SIGUSR1), (2, signal.SIGTERM)])
def test_ends_and_goes_on(tmp_path, ranks, number):
    """On two ranks the signal reaches all of them, as from a scheduler, or (SIGTERM here) one alone."""
    config = small_config(tmp_path)
    expected = run(config, tmp_path / "whole", ranks)
    launcher = [str(BIN / "mpirun"), "-n", str(ranks)] if ranks > 1 else []
    command = [*launcher, sys.executable, "-m", "snap_al", "run", str(config), "--out", str(tmp_path / "run")]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    journal = tmp_path / "run" / "journal.jsonl"
    until_fit(2, journal)
    pids = ranks_of(tmp_path / "run")
    assert len(pids) == ranks
    for pid in pids[:1] if number == signal.SIGTERM else pids:
        os.kill(pid, number)
    began = time.monotonic()
    _, said = driver.communicate(timeout=60)
    assert driver.returncode == 75, said
    assert time.monotonic() - began < AT_ONCE
    if number == signal.SIGUSR1:
        assert "ended by SIGUSR1; the same command goes on" in said
    assert '"event":"stopped"' not in journal.read_text()
    run(config, tmp_path / "run", ranks)
    assert result_of(tmp_path / "run") == expected


def test_also_within_lammps(tmp_path):
    """A segment that takes minutes is no reason to wait."""
    explore = (
        "explore: {walkers: [{structure: Cu.extxyz, supercell: [8, 8, 8]}], temperature: [300, 900], timestep: 0.003, steps: 4000, "
        "check_every: 4000, checkpoint_every: 4000, pressure_damping: 1.0}"
    )
    config = small_config(tmp_path, explore=explore)
    command = [sys.executable, "-m", "snap_al", "run", str(config), "--out", str(tmp_path / "run")]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    journal = tmp_path / "run" / "journal.jsonl"
    until_fit(1, journal)
    time.sleep(5)
    began = time.monotonic()
    driver.terminate()
    assert driver.wait(60) == 75
    assert time.monotonic() - began < 5.0
