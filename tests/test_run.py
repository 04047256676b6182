"""Whole runs, as a user starts them: killed and gone on with, on two ranks, with labels that fail."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from conftest import BIN, small_config, snap_al

from snap_al.config import read_run
from snap_al.md import scripts_folder

FILES = ("potential.snapcoeff", "potential_variance.snapcoeff", "posterior.npz", "predictions.npz")


BROKEN = "label: {calculator: ase.calculators.calculator.Calculator}"
"""ASE's base class: it can be made, and computes nothing."""


def result_of(folder):
    """What a run comes to, without the times: files to the bit, journal, metrics."""
    _, events, _ = read_run(folder)
    timeless = [_timeless(e) for e in events if e["event"] != "opened"]
    return {name: _content(folder / name) for name in FILES}, timeless


def _content(path):
    if path.suffix != ".npz":
        return path.read_bytes()
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name].tobytes() for name in stored.files}


def _timeless(event):
    if isinstance(event, dict):
        return {k: _timeless(v) for k, v in event.items() if k not in ("time", "seconds", "std_seconds")}
    return [_timeless(e) for e in event] if isinstance(event, list) else event


def run(config, out, ranks=1, **kwargs):
    done = snap_al("run", config, "--out", out, ranks=ranks, **kwargs)
    assert done.returncode == 0, done.stdout + done.stderr
    return result_of(out)


@pytest.fixture(scope="module", params=[1, 2])
def uninterrupted(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(f"ranks{request.param}")
    config = small_config(folder)
    return request.param, config, run(config, folder / "run", request.param), folder / "run"


def test_a_run_learns_and_leaves_everything(uninterrupted):
    _, _, (_, events), folder = uninterrupted
    metrics = json.loads((folder / "metrics.json").read_text())
    assert 3 < metrics["labels"] <= 12
    assert metrics["stopped"]
    assert set(metrics["wall_seconds"]) == {"md", "std", "label", "fit", "total"}
    kinds = [e["event"] for e in events]
    assert {"started", "labelled", "fitted", "swapped", "explored", "stopped"} <= set(kinds)
    for name in ("std_along_walkers", "parity", "learning_curve"):
        assert (folder / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert "fit 1" in (folder / "run.log").read_text()


def test_the_same_again_is_the_same(uninterrupted, tmp_path):
    ranks, config, expected, _ = uninterrupted
    assert run(config, tmp_path / "run", ranks) == expected


def test_a_finished_run_has_nothing_to_do(uninterrupted):
    ranks, config, expected, folder = uninterrupted
    labels = {p: p.stat().st_mtime_ns for p in (folder / "labels").iterdir()}
    assert run(config, folder, ranks) == expected
    assert labels == {p: p.stat().st_mtime_ns for p in (folder / "labels").iterdir()}


@pytest.mark.parametrize("after", ["labelled", "fitted", "explored"])
def test_killed_and_gone_on_with(uninterrupted, tmp_path, after):
    """kill -9 of every process at the n-th event of a kind; then the same command again."""
    ranks, config, expected, _ = uninterrupted
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "snap_al", "run", str(config), "--out", str(folder)]
    if ranks > 1:
        command = [str(BIN / "mpirun"), "-n", str(ranks), *command]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    journal, wanted = folder / "journal.jsonl", {"labelled": 2, "fitted": 2, "explored": 1}[after]
    while process.poll() is None:
        seen = journal.read_text().count(f'"event":"{after}"') if journal.exists() else 0
        if seen >= wanted:
            break
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    _wait_for_orphans(folder)
    before = json.dumps(result_events(folder))
    assert '"stopped"' not in before, "it was over before it could be killed"
    assert run(config, folder, ranks) == expected


def result_events(folder):
    return read_run(folder)[1]


def _wait_for_orphans(folder):
    """mpirun's ranks are children of a proxy in a group of its own; they end when it is gone."""
    for line in subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True).stdout.splitlines():
        if str(folder) in line:
            os.kill(int(line.split()[0]), signal.SIGKILL)
    time.sleep(0.2)


def test_another_config_is_refused_and_named(uninterrupted, tmp_path):
    _, config, _, folder = uninterrupted
    other = config.with_name("other.yaml")
    other.write_text(config.read_text().replace("force_std: 0.05", "force_std: 0.07"))
    done = snap_al("run", other, "--out", folder)
    assert done.returncode == 2
    assert "run of another config" in done.stderr
    assert "query.force_std" in done.stderr


def test_a_larger_budget_goes_on(tmp_path):
    config = small_config(tmp_path, stop="stop: {max_labels: 4}")
    run(config, tmp_path / "run")
    first = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert (first["labels"], first["stopped"]) == (4, "label budget of 4 spent")
    small_config(tmp_path)
    run(config, tmp_path / "run")
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["labels"] > 4


def test_status(uninterrupted):
    _, _, _, folder = uninterrupted
    screen = snap_al("status", folder).stdout
    assert "stopped:" in screen
    assert "400/400" in screen
    summary = json.loads(snap_al("status", folder, "--json").stdout)
    assert summary["running"] is False
    assert summary["walkers"][0]["status"] == "finished"


def test_json_is_all_that_is_printed(uninterrupted):
    ranks, config, _, folder = uninterrupted
    done = snap_al("run", config, "--out", folder, "--json", ranks=ranks)
    assert json.loads(done.stdout) == json.loads((folder / "metrics.json").read_text())


def test_a_labeler_that_raises_ends_the_run_and_loses_nothing(tmp_path):
    """Every label fails: the message says why, exit code 3; another labeler is another config."""
    config = small_config(tmp_path, label=BROKEN)
    done = snap_al("run", config, "--out", tmp_path / "run")
    assert done.returncode == 3
    assert "labels in a row failed" in done.stderr
    assert "Traceback" not in done.stderr
    assert snap_al("run", small_config(tmp_path), "--out", tmp_path / "run").returncode == 2


def test_a_labeler_that_raises_on_two_ranks(tmp_path):
    config = small_config(tmp_path, label=BROKEN)
    done = snap_al("run", config, "--out", tmp_path / "run", ranks=2, timeout=60)
    assert done.returncode == 3
    assert done.stderr.count("labels in a row failed") == 1


def test_walkers_side_by_side(tmp_path):
    """Three walkers on two ranks: two groups of one rank each."""
    walkers = ", ".join(["{structure: Cu.extxyz, supercell: [2, 2, 2]}"] * 3)
    explore = f"explore: {{walkers: [{walkers}], temperature: 400, ensemble: nvt, timestep: 0.003, steps: 60, check_every: 20}}"
    config = small_config(tmp_path, explore=explore)
    run(config, tmp_path / "run", 2)
    summary = json.loads(snap_al("status", tmp_path / "run", "--json").stdout)
    assert [w["step"] for w in summary["walkers"]] == [60] * 3
    seen = [
        json.loads((tmp_path / "run" / "walkers" / str(n) / "segment-0000.json").read_text())[0]["force_std"]
        for n in range(3)
    ]
    assert len(set(seen)) == 3, "walkers must differ by their velocities"


def test_every_walker_given_up(tmp_path):
    """A guard that nothing passes: the run ends with exit code 3 and says what to do; labels and fit are kept."""
    explore = (
        "explore: {walkers: [{structure: Cu.extxyz, supercell: [2, 2, 2]}], temperature: 300, timestep: 0.003, steps: 100, "
        "guards: {max_force_std: 1.0e-9, max_retries: 2}}"
    )
    done = snap_al("run", small_config(tmp_path, explore=explore), "--out", tmp_path / "run")
    assert done.returncode == 3
    assert "every walker was given up" in done.stderr
    assert (tmp_path / "run" / "potential.snapcoeff").exists()
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["labels"] == 3


def test_plain_lammps_runs_the_files(uninterrupted, tmp_path):
    """lammps_inputs/run.in with nothing but the run's own files, as examples/copper says."""
    _, _, _, folder = uninterrupted
    for name in ("run.in", "nvt.in"):
        shutil.copy(scripts_folder() / name, tmp_path)
    for path in folder.glob("potential.*"):
        shutil.copy(path, tmp_path)
    ase.io.write(tmp_path / "copper.data", bulk("Cu", cubic=True) * (3, 3, 3), format="lammps-data", masses=True)
    variables = {"data": "copper.data", "steps": 200, "timestep": 0.002, "temperature_start": 300, "temperature_stop": 300,
                 "temperature_damping": 0.2, "seed": 1}  # fmt: skip
    arguments = [str(x) for name, value in variables.items() for x in ("-var", name, value)]
    done = subprocess.run([str(BIN / "lmp"), "-in", "run.in", *arguments], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    rows = [line.split() for line in done.stdout.splitlines() if re.match(r"\s*(0|100|200)\s+\d", line)]
    assert [row[0] for row in rows] == ["0", "100", "200"]
    assert 50 < float(rows[-1][1]) < 600


def test_the_wheel_carries_the_scripts(tmp_path):
    root = scripts_folder().parent
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(root)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for script in scripts_folder().glob("*.in"):
        assert f"snap_al/lammps_inputs/{script.name}" in names
    assert "snap_al/config/templates/copper.yaml" in names
