"""snap_al.label.local: Labels in processes of their own: the contract, and every way in which one
can go wrong.
"""

import signal
import subprocess
import time
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
from helpers.odd import PATH, driver, gone, until, waited
from helpers.optional import BIN
from helpers.samples import rattled_copper
from pydantic import ValidationError

from snap_al.errors import InputError
from snap_al.label import AseLabeler, JobBackend, LabelSettings, LocalProcesses, validate_backend
from snap_al.label.ase_labeler import merged
from snap_al.label.espresso import espresso


def jobs(folder, habit="", log=None, **settings):
    arguments = {"habit": habit, **({"log": str(log)} if log else {})}
    chosen = LabelSettings(
        calculator="helpers.odd.Odd",
        arguments=arguments,
        backend="local",
        environment={"PYTHONPATH": PATH},
        **settings,
    )
    return JobBackend(
        chosen, AseLabeler(chosen.calculator, arguments).key, folder, LocalProcesses(chosen)
    )


def test_contract(tmp_path):
    validate_backend(jobs(tmp_path), rattled_copper(1))


def test_the_label_is_the_labelers(tmp_path):
    asked = rattled_copper(2)
    backend = jobs(tmp_path)
    found = waited(backend, backend.submit(asked), asked).label
    expected = AseLabeler("ase.calculators.emt.EMT").label(asked)
    assert found.energy == expected.energy
    assert np.array_equal(found.forces, expected.forces)


def test_several_at_once(tmp_path):
    """Six labels, three at a time: each waits until two others work beside it, and never are there
    more.
    """
    asked, log = [rattled_copper(k, repeat=1) for k in range(6)], tmp_path / "log"
    backend = jobs(tmp_path, "in threes", log=log, at_once=3)
    names = [backend.submit(c) for c in asked]
    assert all(waited(backend, job, c).label for job, c in zip(names, asked, strict=True))
    steps = [
        {"begun": 1, "ended": -1}.get(line.split()[1], 0) for line in log.read_text().splitlines()
    ]
    assert max(accumulate(steps)) == 3
    assert sum(steps) == 0


def test_one_that_hangs_is_ended_with_all_it_started(tmp_path):
    asked = rattled_copper(1)
    backend = jobs(tmp_path, "hangs", timeout=2)
    result = waited(backend, backend.submit(asked), asked)
    assert "not done after label.timeout = 2 s" in result.reason
    session = (tmp_path / "jobs" / result.job / "lock").read_text()
    until(lambda: not _alive(session))


def _alive(session):
    left = subprocess.run(
        ["ps", "-o", "pid,args", "--no-headers", "-s", session], capture_output=True, text=True
    ).stdout
    return [line for line in left.splitlines() if "defunct" not in line]


def test_one_whose_process_dies_is_tried_again_and_given_up(tmp_path):
    asked, log = rattled_copper(1), tmp_path / "log"
    backend = jobs(tmp_path, "dies", log=log, max_starts=2)
    result = waited(backend, backend.submit(asked), asked)
    assert result.label is None
    assert "ended 2 times without a result" in result.reason
    assert "gremlins" in result.reason
    assert len(log.read_text().splitlines()) == 2


def test_retries_with_other_arguments(tmp_path):
    asked = rattled_copper(1)
    backend = jobs(tmp_path, "fails", retries=({"asap_cutoff": True}, {"habit": ""}))
    assert waited(backend, backend.submit(asked), asked).label is not None
    backend = jobs(tmp_path / "b", "fails", retries=({"asap_cutoff": True},))
    reason = waited(backend, backend.submit(asked), asked).reason
    assert reason.count("not converged") == 2
    assert merged({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 5}}) == {
        "a": {"b": 5, "c": 2},
        "d": 3,
    }


def test_a_failure_is_computed_again_when_asked_again(tmp_path):
    asked, log = rattled_copper(1), tmp_path / "log"
    for _ in range(2):
        backend = jobs(tmp_path, "fails", log=log)
        assert waited(backend, backend.submit(asked), asked).label is None
    assert len(log.read_text().splitlines()) == 2


@pytest.mark.parametrize("wait", [0.0, 0.3, 1.5, 5.0])
def test_a_driver_that_is_killed_finds_its_job_again(tmp_path, wait):
    """kill -9 while the worker starts, works, or is done: the label is computed once, and no
    process is left.
    """
    log, asked = tmp_path / "log", rattled_copper(1)
    first = driver("test_local_jobs", tmp_path, log)
    time.sleep(wait)
    first.send_signal(signal.SIGKILL)
    first.wait()
    backend = jobs(tmp_path, "slow", log=str(log))
    assert waited(backend, backend.submit(asked), asked).label is not None
    time.sleep(3.5 if wait == 0.0 else 0)
    assert len(log.read_text().splitlines()) == 1
    assert gone(str(tmp_path))


def test_the_spare_worker_ends_with_its_driver(tmp_path):
    first = driver("test_local_jobs", tmp_path, tmp_path / "log")
    spares = until(lambda: _spares_of(first.pid))
    first.send_signal(signal.SIGKILL)
    first.wait()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in spares))


def _spares_of(driver):
    rows = subprocess.run(
        ["ps", "-wweo", "pid,ppid,args"], capture_output=True, text=True
    ).stdout.splitlines()[1:]
    return [
        int(r.split()[0])
        for r in rows
        if int(r.split()[1]) == driver and "worker --wait helpers.odd.Odd" in r
    ]


def test_no_rank_reaches_the_worker(tmp_path, monkeypatch):
    for name in ("PMI_RANK", "PMI_FD", "PMIX_RANK"):
        monkeypatch.setenv(name, "1")
    asked, log = rattled_copper(1), tmp_path / "log"
    backend = jobs(tmp_path, log=log, prologue=("export SITE_MODULE=qe", 'test -n "$SITE_MODULE"'))
    assert waited(backend, backend.submit(asked), asked).label is not None
    assert log.read_text().strip().endswith("[]")


def test_a_prologue_that_fails_is_shown(tmp_path):
    asked = rattled_copper(1)
    backend = jobs(tmp_path, prologue=("module_of_nowhere load qe",), max_starts=1)
    assert "module_of_nowhere" in waited(backend, backend.submit(asked), asked).reason


def test_one_that_its_own_alarm_does_not_end(tmp_path, monkeypatch):
    """Deep in a library: the driver ends it, once, and says why."""
    asked, log = rattled_copper(1), tmp_path / "log"
    backend = jobs(tmp_path, "deaf", log=log, timeout=2)
    job = backend.submit(asked)
    until(lambda: backend.poll(job, asked) is None and log.exists())
    monkeypatch.setattr("snap_al.label.local.GRACE", 0.0)
    result = waited(backend, job, asked)
    assert "not done after label.timeout = 2 s" in result.reason
    assert len(log.read_text().splitlines()) == 1


def test_ranks_in_groups_of_their_own_are_ended_too(tmp_path):
    asked = rattled_copper(1)
    backend = jobs(tmp_path, f"{BIN / 'mpirun'} -n 1 sleep 987", timeout=2)
    assert "label.timeout" in waited(backend, backend.submit(asked), asked).reason
    assert gone("sleep 987")


def test_local_keys_need_the_local_backend():
    with pytest.raises(
        ValidationError,
        match=r"timeout does not apply with backend: here: .*retries does not apply",
    ):
        LabelSettings(timeout=3, retries=[{}])


def test_espresso_names_what_is_not_there(tmp_path):
    with pytest.raises(InputError, match="absolute path"):
        espresso({"Al": "Al.UPF"}, "pseudo", 20)
    with pytest.raises(InputError, match="Al: no file"):
        espresso({"Al": "Al.UPF"}, str(tmp_path), 20)
    (tmp_path / "Al.UPF").touch()
    made = espresso({"Al": "Al.UPF"}, str(tmp_path), 20, input_data={"SYSTEM": {"ECUTWFC": 50}})
    assert made.parameters["input_data"]["system"]["ecutwfc"] == 50
