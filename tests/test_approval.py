"""snap_al.loop.approval: A dry run, and a person's yes before labels are paid for."""

import json
import time

import pytest
from helpers.calls import begun, snap_al
from helpers.odd import PATIENCE, until
from helpers.runs import kill, result_of, run
from helpers.samples import small_config

from snap_al.loop.approval import Approval


def test_a_dry_run_says_all_and_does_nothing(tmp_path):
    config = small_config(
        tmp_path,
        label="label: {backend: local, at_once: 3, threads: 2}",
        explore="explore: {walkers: [{structure: Cu.extxyz, supercell: [2, 2, 2]}], temperature: "
        "[300, 900], timestep: 0.003, steps: 60}",
    )
    done = snap_al("run", config, "--out", tmp_path / "run", "--dry-run", ranks=2)
    assert done.returncode == 0, done.stderr
    assert "1 walkers; on 2 ranks, 1 at the same time, 2 ranks each" in done.stdout
    assert "32 atoms" in done.stdout
    assert "60 steps, 0.18 ps, 300 to 900 K" in done.stdout
    assert "backend local, 3 at once, 2 cores each" in done.stdout
    assert "3 to begin with, 12 at most" in done.stdout
    assert not (tmp_path / "run").exists()
    run(config, tmp_path / "run")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*")}
    found = json.loads(
        snap_al("run", config, "--out", tmp_path / "run", "--dry-run", "--json").stdout
    )
    labels = json.loads((tmp_path / "run" / "metrics.json").read_text())["labels"]
    assert (found["labels"], found["labels_left"], found["starting_labels"]) == (
        labels,
        12 - labels,
        0,
    )
    assert found["core_seconds_at_most"] == pytest.approx(
        found["core_seconds_of_a_label"] * (12 - labels)
    )
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*")} == before


def test_a_dry_run_refuses_what_a_run_would(tmp_path):
    config = small_config(tmp_path, label="label: {calculator: my_codes.Vasp}")
    done = snap_al("run", config, "--out", tmp_path / "run", "--dry-run")
    assert done.returncode == 2
    assert "my_codes.Vasp cannot be imported" in done.stderr


@pytest.mark.parametrize("ranks", [1, 2])
def test_nothing_is_labelled_without_a_yes(tmp_path, ranks):
    """Killed while it waits, told no, told yes: and the run is the one that asks nobody."""
    stop = "stop: {max_labels: 5}"
    expected = run(small_config(tmp_path / "in", stop=stop), tmp_path / "free", ranks)
    config = small_config(tmp_path / "in", label="label: {approve: true}", stop=stop)
    out = tmp_path / "run"

    def started():
        return begun("run", config, "--out", out, ranks=ranks)

    def asked():
        """Whether a batch waits for an answer."""
        return bool(Approval(out / "approve").waiting())

    driver = started()
    until(asked)
    (batch,) = (out / "approve").glob("*.json")
    assert len(json.loads(batch.read_text())) == 3
    time.sleep(1)  # in which 3 labels would be computed many times over
    assert not list((out / "labels").glob("*.json"))
    assert "3 labels wait for your yes" in snap_al("status", out).stdout
    kill(driver, out)
    driver = started()
    assert snap_al("approve", out, "--no").stdout.count("no: 32 atoms, starting set") == 3
    _, said = driver.communicate(timeout=PATIENCE)
    assert driver.returncode == 3
    assert "were not approved. Nothing was paid for" in said
    assert not list((out / "labels").glob("*.json"))
    driver = started()
    while driver.poll() is None:
        until(lambda: asked() or driver.poll() is not None)
        snap_al("approve", out)
    assert driver.returncode == 0, driver.communicate()
    assert result_of(out)[0] == expected[0]
    assert len(list((out / "labels").glob("*.json"))) == 5
    assert "nothing is asked for" in snap_al("approve", out).stdout


def test_asking_may_begin_and_end_in_a_run_that_is_there(tmp_path):
    """It changes no label."""
    run(
        small_config(tmp_path, label="label: {approve: false}", stop="stop: {max_labels: 4}"),
        tmp_path / "run",
    )
    config = small_config(tmp_path, label="label: {approve: true}", stop="stop: {max_labels: 4}")
    run(config, tmp_path / "run")
