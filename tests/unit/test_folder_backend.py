"""snap_al.label.folder: Labels that somebody else puts into a folder."""

import os
import threading
import time

import ase.io
import numpy as np
import pytest
from ase.calculators.emt import EMT
from helpers.calls import snap_al
from helpers.samples import rattled_copper, small_config

from snap_al.label import FolderBackend, validate_backend


def answer(folder, change=None, suffix="extxyz", once=True):
    """Computes with EMT what is asked for, and moves it into place."""
    for path in (folder / "asked").glob("*.extxyz"):
        target = folder / "answers" / f"{path.stem}.{suffix}"
        if target.exists() or (folder / f"{path.stem}.json").exists():
            continue
        atoms = ase.io.read(path)
        atoms.calc = EMT()
        atoms.get_forces(), atoms.get_stress()
        if change is not None:
            change(atoms)
        ase.io.write(folder / f"part.{suffix}", atoms)
        os.replace(folder / f"part.{suffix}", target)


class Somebody(threading.Thread):
    """Answers until told to stop."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.folder, self.done = folder, threading.Event()

    def run(self):
        while not self.done.wait(0.1):
            answer(self.folder)


@pytest.fixture
def somebody(tmp_path):
    thread = Somebody(tmp_path / "run" / "labels")
    thread.start()
    yield thread
    thread.done.set()
    thread.join()


def test_contract(tmp_path, somebody):
    validate_backend(FolderBackend("outside", somebody.folder), rattled_copper(1))


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_run(tmp_path, somebody, ranks):
    config = small_config(tmp_path, label="label: {backend: folder}", stop="stop: {max_labels: 6}")
    done = snap_al("run", config, "--out", tmp_path / "run", ranks=ranks)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "run" / "labels").glob("*.json"))) >= 4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a.set_positions(a.positions + np.eye(len(a), 3) * 0.01), "another structure"),
        (lambda a: a.symbols.__setitem__(0, "Ag"), "other atoms"),
        (lambda a: setattr(a, "calc", None), "no energy"),
        (lambda a: a.calc.results.update(energy=np.nan, free_energy=np.nan), "not finite"),
    ],
)
def test_answers_that_are_none(tmp_path, monkeypatch, change, words):
    """Refused with the reason, kept beside; asked again, a right one is taken."""
    monkeypatch.setattr("snap_al.label.folder.SETTLED", 0.0)
    asked = rattled_copper(1)
    backend = FolderBackend("outside", tmp_path)
    job = backend.submit(asked)
    assert backend.poll(job, asked) is None
    answer(tmp_path, change)
    time.sleep(0.01)
    result = backend.poll(job, asked)
    assert result.label is None
    assert words in result.reason
    assert (tmp_path / "answers" / f"refused-{job}.extxyz").exists()
    assert backend.submit(asked) == job
    answer(tmp_path)
    assert backend.poll(job, asked).label is not None


def test_half_a_file_is_waited_for(tmp_path):
    asked = rattled_copper(1)
    backend = FolderBackend("outside", tmp_path)
    job = backend.submit(asked)
    (tmp_path / "answers" / f"{job}.extxyz").write_text("32\nLatt")
    assert backend.poll(job, asked) is None
