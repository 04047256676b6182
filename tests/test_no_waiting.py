"""snap_al.loop.driver, `wait_for_labels`: Walkers that go on while labels are computed."""

import json
from collections import Counter

import numpy as np
import pytest
from helpers.calls import snap_al
from helpers.journals import read_lines
from helpers.runs import killed_until_done, run
from helpers.samples import small_config

from snap_al.config import read_run

SLOW = """
import hashlib, time
from ase.calculators.emt import EMT

class Slow(EMT):
    def __init__(self, log, **kwargs):
        super().__init__(**kwargs)
        self.log = log

    def calculate(self, *args, **kwargs):
        time.sleep(1.5)
        super().calculate(*args, **kwargs)
        with open(self.log, "a") as file:
            file.write(hashlib.sha256(self.atoms.positions.tobytes()).hexdigest() + "\\n")
"""


def config_of(folder, log, *, wait):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "slow.py").write_text(SLOW)
    explore = (
        "explore: {walkers: [{structure: Cu.extxyz, supercell: [2, 2, 2], vary: {temperature: "
        "[400, 700, 1000]}}], ensemble: nvt, timestep: 0.003, "
        f"steps: 400, check_every: 10, checkpoint_every: 40, wait_for_labels: {json.dumps(wait)}}}"
    )
    label = (
        f"label: {{calculator: slow.Slow, arguments: {{log: {log}}}, backend: local, at_once: "
        f"3, timeout: 60}}"
    )
    return small_config(folder, explore=explore, label=label, stop="stop: {max_labels: 15}")


HELD = """
import time
from pathlib import Path
from ase.calculators.emt import EMT

class Held(EMT):
    def __init__(self, folder, hold, **kwargs):
        super().__init__(**kwargs)
        self.folder, self.hold = Path(folder), hold

    def moved(self, since):
        journal = (self.folder / "run" / "journal.jsonl").read_text()
        return '"event":"explored"' in journal[journal.rindex(since):]

    def calculate(self, *args, **kwargs):
        if self.hold and self.moved('"event":"started"'):
            (self.folder / "held").touch()
            while not self.moved('"event":"submitted"'):
                time.sleep(0.02)
        super().calculate(*args, **kwargs)
"""
"""A label of a walker is there when walkers have moved since it was asked for."""


def held_config(folder, *, wait):
    """Two walkers: what the hot one meets is novel at once, and what the cold one meets never."""
    (folder / "held.py").write_text(HELD)
    explore = (
        "explore: {walkers: [{structure: Cu.extxyz, supercell: [2, 2, 2], vary: {temperature: "
        "[20, 1500]}}], ensemble: nvt, timestep: 0.003, steps: 120, check_every: 10, "
        f"checkpoint_every: 20, wait_for_labels: {json.dumps(wait)}}}"
    )
    arguments = f"{{folder: {folder}, hold: {json.dumps(not wait)}}}"
    label = (
        f"label: {{calculator: held.Held, arguments: {arguments}, backend: local, timeout: 200}}"
    )
    return small_config(folder, explore=explore, label=label, stop="stop: {max_labels: 4}")


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_walker_goes_on_while_a_label_is_held(tmp_path, monkeypatch, ranks):
    """Until the cold walker has moved, the hot one's label does not come; a run that waited for it
    would never end.
    """
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    run(held_config(tmp_path, wait=False), tmp_path / "run", ranks)
    assert (tmp_path / "held").exists()
    events = read_lines(tmp_path / "run")
    assert passes_beside_labels(events, walkers=2) > 0
    assert_passes_have_the_last_fit(events)
    assert sum(e["event"] == "labelled" for e in events) == 4


def test_a_walker_waits_unless_asked_not_to(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    run(held_config(tmp_path, wait=True), tmp_path / "run")
    assert passes_beside_labels(read_lines(tmp_path / "run"), walkers=2) == 0


def assert_passes_have_the_last_fit(events):
    fit = 0
    for event in events:
        fit = event["fit"] if event["event"] == "fitted" else fit
        if event["event"] == "explored":
            assert all(w["fit"] == fit for w in event["walkers"])


def passes_beside_labels(events, walkers=3):
    """Passes of exploration while a label was under way."""
    waiting, found = set(), 0
    for event in events:
        if event["event"] == "submitted":
            waiting |= set(event["jobs"])
        if event["event"] in ("labelled", "rejected"):
            waiting.discard(event["query"])
        if event["event"] == "explored" and waiting:
            found += 1
            standing = {n for w in event["walkers"] for n in [w["walker"]]}
            assert len(standing) < walkers, "a walker that waits for its label has moved"
    return found


@pytest.mark.parametrize("ranks", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_walkers_go_on(tmp_path, monkeypatch, ranks):
    """Each pass with the last fit's potential, and fits as labels come; killed again and again, no
    label is lost or repeated.
    """
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "in"))
    log = tmp_path / "log"
    config = config_of(tmp_path / "in", log, wait=False)
    run(config, tmp_path / "run", ranks)
    events = read_lines(tmp_path / "run")
    assert passes_beside_labels(events) > 0
    assert_passes_have_the_last_fit(events)
    assert set(Counter(log.read_text().split()).values()) == {1}
    log.unlink()
    kills = killed_until_done(
        config, tmp_path / "killed", ranks, np.random.default_rng(ranks), tmp_path / "run"
    )
    assert kills >= 2
    _, _, state = read_run(tmp_path / "killed")
    events = read_lines(tmp_path / "killed")
    counts = Counter(log.read_text().split())
    assert set(counts.values()) == {1}
    assert len(counts) >= len(state.labelled)
    assert len(state.labelled) == len({q.key for q, _ in state.labelled})
    assert state.stopped
    assert [e["event"] for e in events if e["event"] != "opened"][-1] == "stopped"


@pytest.mark.slow
def test_they_wait_unless_asked_not_to(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "in"))
    run(config_of(tmp_path / "in", tmp_path / "log", wait=True), tmp_path / "run")
    assert passes_beside_labels(read_lines(tmp_path / "run")) == 0


def test_where_there_is_nothing_to_wait_for(tmp_path):
    explore = (
        "explore: {walkers: [{structure: Cu.extxyz}], temperature: 300, timestep: 0.003, "
        "steps: 400, MODE wait_for_labels: false}"
    )
    for mode, message in (
        ("", "needs labels that are computed elsewhere"),
        ("mode: batch,", "is for mode: on-the-fly"),
    ):
        config = small_config(tmp_path, explore=explore.replace("MODE", mode))
        done = snap_al("run", config, "--out", tmp_path / "run")
        assert done.returncode == 2
        assert message in done.stderr
