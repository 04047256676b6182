"""snap_al.loop.driver: Whole runs, as a user starts them: killed and gone on with, on two ranks,
with labels that fail.
"""

import html
import json
import re
import shutil
import subprocess
import sys
import time
import zipfile

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from helpers.calls import begun, snap_al
from helpers.journals import read_lines
from helpers.optional import BIN
from helpers.runs import kill, run
from helpers.samples import rattled_copper, small_config

from snap_al.data import Configuration
from snap_al.fitsnap import write_json
from snap_al.inference import row_std
from snap_al.loop import Journal
from snap_al.md import scripts_folder
from snap_al.potential import FittedPotential

BROKEN = "label: {calculator: ase.calculators.calculator.Calculator}"
"""ASE's base class: it can be made, and computes nothing."""


@pytest.fixture(scope="module", params=[1, 2])
def uninterrupted(request, tmp_path_factory):
    """How many ranks, the config, what it comes to, and its folder. Figures are drawn once."""
    ranks = request.param
    folder = tmp_path_factory.mktemp(f"ranks{ranks}")
    config = small_config(folder)
    return ranks, config, run(config, folder / "run", ranks, draws=ranks == 1), folder / "run"


def test_a_run_learns_and_leaves_everything(uninterrupted):
    _, _, (_, events), folder = uninterrupted
    metrics = json.loads((folder / "metrics.json").read_text())
    assert 3 < metrics["labels"] <= 12
    assert metrics["stopped"]
    assert set(metrics["wall_seconds"]) == {"md", "std", "label", "fit", "total"}
    kinds = [e["event"] for e in events]
    assert {"started", "submitted", "labelled", "fitted", "explored", "stopped"} <= set(kinds)
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
    process = begun("run", config, "--out", folder, ranks=ranks)
    journal, wanted = folder / "journal.jsonl", {"labelled": 2, "fitted": 2, "explored": 1}[after]
    while process.poll() is None:
        seen = journal.read_text().count(f'"event":"{after}"') if journal.exists() else 0
        if seen >= wanted:
            break
        time.sleep(0.002)
    kill(process, folder)
    before = json.dumps(read_lines(folder))
    assert '"stopped"' not in before, "it was over before it could be killed"
    assert run(config, folder, ranks) == expected


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


@pytest.mark.parametrize("rule", ["every", "std", "grade", "flare", "hal"])
def test_other_rules_for_when_to_label(tmp_path, rule):
    """Each buys labels of its own, and a run that was stopped and goes on is the one that was
    not.
    """
    limits = {
        "every": "every: 100",
        "std": "force_std: 0.03",
        "flare": "flare_factor: 0.3",
        "hal": "hal_ratio: 0.02",
        "grade": "max_grade: 1.2",
    }
    query = f"query: {{rule: {rule}, {limits[rule]}}}"
    posterior = (
        "fit: {posterior: " + {"std": "committee", "grade": "embedded"}.get(rule, "bayes") + "}"
    )
    config = small_config(tmp_path, query=query, stop="stop: {max_labels: 6}", fit=posterior)
    expected = run(config, tmp_path / "whole")
    small_config(tmp_path, query=query, stop="stop: {max_labels: 4}", fit=posterior)
    run(config, tmp_path / "parts")
    small_config(tmp_path, query=query, stop="stop: {max_labels: 6}", fit=posterior)
    files, events = run(config, tmp_path / "parts")
    assert files == expected[0]
    assert [e for e in events if e["event"] != "stopped"] == [
        e for e in expected[1] if e["event"] != "stopped"
    ]
    bought = [e["step"] for e in events if e["event"] == "labelled" and e["walker"] >= 0]
    assert len(bought) == 3
    if rule == "every":
        assert bought == [100, 200, 300]


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
    """Every label fails: the message says why, exit code 3; with another labeler the same folder
    works.
    """
    config = small_config(tmp_path, label=BROKEN)
    done = snap_al("run", config, "--out", tmp_path / "run")
    assert done.returncode == 3
    assert "labels in a row failed" in done.stderr
    assert "Traceback" not in done.stderr
    run(small_config(tmp_path), tmp_path / "run")


def test_a_labeler_that_raises_on_two_ranks(tmp_path):
    config = small_config(tmp_path, label=BROKEN)
    done = snap_al("run", config, "--out", tmp_path / "run", ranks=2, timeout=500)
    assert done.returncode == 3
    assert done.stderr.count("labels in a row failed") == 1


FLAKY = """
import os
from ase.calculators.emt import EMT

class Flaky(EMT):
    def calculate(self, *args, **kwargs):
        if os.path.exists({flag!r}):
            raise RuntimeError("licence server not found")
        super().calculate(*args, **kwargs)
"""


def test_a_mended_labeler_goes_on_with_nothing_lost(uninterrupted, tmp_path):
    """The same command, after the labeler works again, ends as a run that never failed."""
    ranks, _, _, expected = uninterrupted
    (tmp_path / "flaky.py").write_text(FLAKY.format(flag=str(tmp_path / "broken")))
    (tmp_path / "broken").touch()
    config = small_config(tmp_path, label="label: {calculator: flaky.Flaky}")
    environment = {"PYTHONPATH": str(tmp_path)}
    done = snap_al("run", config, "--out", tmp_path / "run", ranks=ranks, env=environment)
    assert done.returncode == 3
    assert "licence server not found" in done.stderr
    (tmp_path / "broken").unlink()
    run(config, tmp_path / "run", ranks, env=environment)
    assert (tmp_path / "run" / "potential.snapcoeff").read_bytes() == (
        expected / "potential.snapcoeff"
    ).read_bytes()


def test_a_mended_config_is_taken(tmp_path):
    """Before anything was computed, a config may be corrected in the same folder."""
    wrong = small_config(tmp_path, label="label: {calculator: ase.calculators.emt.ETM}")
    assert snap_al("run", wrong, "--out", tmp_path / "run").returncode == 2
    assert (
        snap_al("run", small_config(tmp_path, label=BROKEN), "--out", tmp_path / "run").returncode
        == 3
    )
    run(small_config(tmp_path), tmp_path / "run")


def test_a_second_start_touches_nothing(uninterrupted, tmp_path):
    _, config, _, folder = uninterrupted
    other = tmp_path / "run"
    shutil.copytree(folder, other)
    with Journal(other / "journal.jsonl"):
        before = {p: p.stat().st_mtime_ns for p in other.rglob("*")}
        done = snap_al("run", config, "--out", other)
        assert done.returncode == 2
        assert "another snap-al is running" in done.stderr
        assert json.loads(snap_al("status", other, "--json").stdout)["running"] is True
        assert before == {p: p.stat().st_mtime_ns for p in other.rglob("*")}


def test_changed_input_files_are_noticed(uninterrupted, tmp_path):
    config = small_config(tmp_path, stop="stop: {max_labels: 3}")
    run(config, tmp_path / "run")
    (tmp_path / "Cu.extxyz").write_text(
        (tmp_path / "Cu.extxyz").read_text().replace("3.61", "3.62")
    )
    done = snap_al("run", config, "--out", tmp_path / "run")
    assert done.returncode == 2
    assert "explore.walkers.0.structure" in done.stderr


def test_a_ramp_that_always_fails_at_the_same_place_ends(tmp_path):
    (tmp_path / "fails.in").write_text(
        "timestep ${timestep}\nfix ensemble all nve\nvariable s equal step\nfix stop all halt 1 "
        "v_s > 30 error hard\n"
    )
    explore = (
        "explore: {walkers: [{structure: Cu.extxyz, supercell: [2, 2, 2]}], script: fails.in, "
        "timestep: 0.003, steps: 100, "
        "checkpoint_every: 20, guards: {max_retries: 2}}"
    )
    done = snap_al(
        "run", small_config(tmp_path, explore=explore), "--out", tmp_path / "run", timeout=500
    )
    assert done.returncode == 3
    assert "every walker was given up" in done.stderr
    assert "Fix halt" in done.stderr


def test_one_starting_configuration_is_enough(tmp_path):
    """Leaving the only one out says nothing about novelty: tolerance and gain decide, and the run
    learns.
    """
    start = (
        "start: {structures: [{structure: Cu.extxyz, supercell: [2, 2, 2], count: 1, "
        "displacement: [0.05, 0.05]}]}"
    )
    run(small_config(tmp_path, start=start), tmp_path / "run")
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["labels"] >= 2


def test_a_rank_without_atoms(tmp_path):
    """Two atoms at one end of a long cell, on two ranks."""
    ase.io.write(
        tmp_path / "pair.extxyz", Atoms("Cu2", [[1, 1, 1], [1, 1, 3.4]], cell=[5, 5, 16], pbc=True)
    )
    start = "start: {structures: [{structure: pair.extxyz, count: 3, displacement: [0.05, 0.1]}]}"
    explore = (
        "explore: {walkers: [{structure: pair.extxyz}], ensemble: nvt, temperature: 300, "
        "timestep: 0.0005, steps: 40, "
        "guards: {max_force_std: 1.0e9, max_temperature_ratio: 1.0e9}}"
    )
    config = small_config(
        tmp_path,
        start=start,
        explore=explore,
        query="query: {force_std: 1.0e-6, novelty_quantile: 0}",
    )
    done = snap_al("run", config, "--out", tmp_path / "run", ranks=2, timeout=500)
    assert done.returncode == 0, done.stderr


def test_a_log_that_cannot_be_opened_ends_the_job(uninterrupted, tmp_path):
    """It is the disk's failure and not the walker's, which goes on from where it was once that is
    mended.
    """
    ranks, config, expected, _ = uninterrupted
    (tmp_path / "run" / "walkers" / "0" / "segment-0000.log").mkdir(parents=True)
    done = snap_al("run", config, "--out", tmp_path / "run", ranks=ranks, fresh=True)
    assert "segment-0000.log" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == (3 if ranks == 1 else 75)
    (tmp_path / "run" / "walkers" / "0" / "segment-0000.log").rmdir()
    assert run(config, tmp_path / "run", ranks) == expected


def test_walkers_side_by_side(tmp_path):
    """Three walkers on two ranks: two groups of one rank each."""
    walkers = ", ".join(["{structure: Cu.extxyz, supercell: [2, 2, 2]}"] * 3)
    explore = (
        f"explore: {{walkers: [{walkers}], temperature: 400, ensemble: nvt, timestep: "
        f"0.003, steps: 60, check_every: 20}}"
    )
    config = small_config(tmp_path, explore=explore)
    run(config, tmp_path / "run", 2)
    summary = json.loads(snap_al("status", tmp_path / "run", "--json").stdout)
    assert [w["step"] for w in summary["walkers"]] == [60] * 3
    seen = [
        json.loads((tmp_path / "run" / "walkers" / str(n) / "segment-0000.json").read_text())[0][
            "force_std"
        ]
        for n in range(3)
    ]
    assert len(set(seen)) == 3, "walkers must differ by their velocities"


def test_walkers_by_stages_and_in_batches(tmp_path):
    """Four walkers, two temperatures and two strains, through two stages; labels are asked for at
    the end of each, together.
    """
    explore = (
        "explore: {mode: batch, timestep: 0.003, check_every: 10, ensemble: nvt, "
        "checkpoint_every: 40, "
        "walkers: [{structure: Cu.extxyz, supercell: [2, 2, 2], vary: {temperature: [500, 900], "
        "strain: {from: -0.03, to: 0.03, count: 2}}}], stages: [{steps: 60}, {steps: 40, "
        "temperature: [900, 300]}]}"
    )
    config = small_config(
        tmp_path,
        explore=explore,
        query="query: {force_std: 0.03, batch: 3}",
        stop="stop: {max_labels: 20}",
    )
    first = run(config, tmp_path / "run", 2)
    events = first[1]
    summary = json.loads(snap_al("status", tmp_path / "run", "--json").stdout)
    assert [w["step"] for w in summary["walkers"]] == [100] * 4
    assert len({w["name"] for w in summary["walkers"]}) == 4
    asked = [e for e in events if e["event"] == "chosen"]
    assert asked
    assert all(len(e["kept"]) <= 3 for e in asked)
    steps = []
    for event in events:
        if event["event"] == "explored":
            steps = [w["step"] for w in event["walkers"]]
        if event["event"] == "chosen":
            assert set(steps) <= {60, 100}, "candidates are pooled to the end of the stage"
    assert first == run(config, tmp_path / "again", 2)


def alike(folder, query, stop, temperature="[600, 1200]", steps=600):
    """Four walkers from one structure."""
    walkers = ", ".join(["{structure: Cu.extxyz, supercell: [2, 2, 2]}"] * 4)
    explore = (
        f"explore: {{walkers: [{walkers}], temperature: {temperature}, ensemble: nvt, timestep: "
        f"0.003, steps: {steps}, "
        f"check_every: 10, checkpoint_every: {steps // 4}}}"
    )
    return small_config(
        folder, explore=explore, query=f"query: {{{query}}}", stop=f"stop: {{{stop}}}"
    )


def test_one_label_does_for_walkers_alike(tmp_path):
    """They stop together; not all are labelled, and all go on; the same again."""
    config = alike(tmp_path, "force_std: 0.03, novelty_quantile: 0.3", "max_labels: 8", steps=300)
    first = run(config, tmp_path / "run", 2)
    chosen = [e for e in first[1] if e["event"] == "chosen"]
    assert any(e["dropped"] for e in chosen)
    assert all(e["kept"] for e in chosen)
    assert first == run(config, tmp_path / "again", 2)


@pytest.mark.parametrize(
    ("stop", "temperature", "reason"),
    [
        ("nothing_novel_frames: 60", "300", "nothing novel in"),
        ("max_labels: 6", "[600, 1200]", "label budget"),
        ("model_limited: true", "[600, 1200]", "model-limited"),
    ],
)
def test_a_tolerance_of_its_own_and_when_to_stop(tmp_path, stop, temperature, reason):
    tolerance = "force_std: 0.01, min_gain: 0.9" if "model" in stop else "force_std: auto"
    _, events = run(alike(tmp_path, tolerance, stop, temperature), tmp_path / "run", 2)
    if "model" in stop:
        assert events[-1]["reason"].startswith(reason)
        return
    assert all(e["tolerance"] >= e["novelty"] > 0 for e in events if e["event"] == "fitted")
    assert events[-1]["reason"].startswith(reason)


def test_every_walker_given_up(tmp_path):
    """A guard that nothing passes: the run ends with exit code 3 and says what to do; labels and
    fit are kept.
    """
    explore = (
        "explore: {walkers: [{structure: Cu.extxyz, supercell: [2, 2, 2]}], temperature: 300, "
        "timestep: 0.003, steps: 100, "
        "guards: {max_force_std: 1.0e-9, max_retries: 2}}"
    )
    done = snap_al("run", small_config(tmp_path, explore=explore), "--out", tmp_path / "run")
    assert done.returncode == 3
    assert "every walker was given up" in done.stderr
    assert (tmp_path / "run" / "potential.snapcoeff").exists()
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["labels"] == 3


def plain(script, folder, cwd, **variables):
    """A script of lammps_inputs/ with nothing but a run's files and the scripts that it
    includes.
    """
    for name in {script, "nvt.in"}:
        shutil.copy(scripts_folder() / name, cwd)
    for path in folder.glob("potential*"):
        shutil.copy(path, cwd)
    defaults = {
        "timestep": 0.002,
        "temperature_start": 300,
        "temperature_stop": 300,
        "temperature_damping": 0.2,
        "seed": 1,
    }
    given = [
        str(x) for name, value in {**defaults, **variables}.items() for x in ("-var", name, value)
    ]
    done = subprocess.run(
        [str(BIN / "lmp"), "-in", script, *given], cwd=cwd, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:]
    return done.stdout


def frames_of(path):
    """(frames, atoms, columns) of a LAMMPS dump, atoms by id."""
    found = []
    for part in path.read_text().split("ITEM: TIMESTEP\n")[1:]:
        rows = np.array(
            [line.split() for line in part.split("ITEM: ATOMS")[1].splitlines()[1:]], dtype=float
        )
        found.append(rows[np.argsort(rows[:, 0])])
    return np.array(found)


def test_std_in_plain_lammps(uninterrupted, tmp_path):
    """A run that is halted by its std; its trajectory coloured again by rerun; both as Python has
    them.
    """
    _, _, _, folder = uninterrupted
    ase.io.write(
        tmp_path / "copper.data",
        bulk("Cu", cubic=True) * (3, 3, 3),
        format="lammps-data",
        masses=True,
    )
    plain("std_halt.in", folder, tmp_path, data="copper.data", steps=200, temperature_stop=900)
    watched = frames_of(tmp_path / "std.dump")
    assert watched.shape == (3, 108, 6)
    potential = FittedPotential.read(folder)
    cell = bulk("Cu", cubic=True) * (3, 3, 3)
    cell.positions = watched[-1][:, 2:5]
    with potential.engine() as engine:
        rows = engine.atom_rows(Configuration.from_atoms(cell))
    assert np.allclose(watched[-1][:, 5], row_std(rows, potential.posterior.covariance), rtol=1e-3)
    shutil.copy(tmp_path / "std.dump", tmp_path / "traj.dump")
    plain(
        "std_rerun.in", folder, tmp_path, data="copper.data", trajectory="traj.dump", elements="Cu"
    )
    assert np.allclose(frames_of(tmp_path / "std.dump")[:, :, 5], watched[:, :, 5], rtol=1e-3)
    limit = float(watched[1:, :, 5].max()) * 0.98
    log = plain(
        "std_halt.in",
        folder,
        tmp_path,
        data="copper.data",
        limit=limit,
        steps=5000,
        temperature_stop=2500,
    )
    assert "halt" in log.lower()
    assert len(frames_of(tmp_path / "std.dump")) < 50
    assert (tmp_path / "halted.data").exists()


def test_biased_md_in_plain_lammps(uninterrupted, tmp_path):
    """A bias toward uncertainty makes the summed std larger than none does."""
    _, _, _, folder = uninterrupted
    ase.io.write(
        tmp_path / "copper.data",
        bulk("Cu", cubic=True) * (2, 2, 2),
        format="lammps-data",
        masses=True,
    )
    sums = []
    for strength in (1e-9, 2.0):
        log = plain(
            "biased.in",
            folder,
            tmp_path,
            data="copper.data",
            elements="Cu",
            strength=strength,
            limit=1e9,
            steps=400,
        )
        rows = [
            line.split()
            for line in log.splitlines()
            if re.match(r"\s*(100|200|300|400)\s+\d", line)
        ]
        sums.append(np.mean([np.sqrt(float(row[4])) for row in rows]))
    assert sums[1] > 1.02 * sums[0], sums


def test_plain_lammps_runs_the_files(uninterrupted, tmp_path):
    """lammps_inputs/run.in with nothing but the run's own files, as examples/copper says."""
    _, _, _, folder = uninterrupted
    for name in ("run.in", "nvt.in"):
        shutil.copy(scripts_folder() / name, tmp_path)
    for path in folder.glob("potential.*"):
        shutil.copy(path, tmp_path)
    ase.io.write(
        tmp_path / "copper.data",
        bulk("Cu", cubic=True) * (3, 3, 3),
        format="lammps-data",
        masses=True,
    )
    variables = {
        "data": "copper.data",
        "steps": 200,
        "timestep": 0.002,
        "temperature_start": 300,
        "temperature_stop": 300,
        "temperature_damping": 0.2,
        "seed": 1,
    }
    arguments = [str(x) for name, value in variables.items() for x in ("-var", name, value)]
    done = subprocess.run(
        [str(BIN / "lmp"), "-in", "run.in", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    rows = [
        line.split() for line in done.stdout.splitlines() if re.match(r"\s*(0|100|200)\s+\d", line)
    ]
    assert [row[0] for row in rows] == ["0", "100", "200"]
    assert 50 < float(rows[-1][1]) < 600


def test_the_wheel_carries_the_scripts(tmp_path):
    root = scripts_folder().parent
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(tmp_path),
        str(root),
    ]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for script in scripts_folder().glob("*.in"):
        assert f"snap_al/lammps_inputs/{script.name}" in names
    assert "snap_al/config/templates/copper.yaml" in names


def test_a_slab(tmp_path):
    """Open along z: explored, labelled and fitted as a slab; npt, which has no pressure to keep
    there, is refused.
    """
    slab = bulk("Cu", cubic=True) * (2, 2, 2)
    slab.cell[2] *= 2.5
    slab.pbc = (True, True, False)
    slab.positions[:, 2] += 5.0
    structure = "structures: [{structure: slab.extxyz, count: 3, displacement: [0.04, 0.06]}]"
    explore = (
        "explore: {walkers: [{structure: slab.extxyz}], temperature: 300, timestep: 0.002, steps: "
        "60, "
        "check_every: 20, checkpoint_every: 60, ensemble: ENSEMBLE}"
    )
    for ensemble in ("nvt", "npt"):
        config = small_config(
            tmp_path / "in",
            start=f"start: {{{structure}}}",
            explore=explore.replace("ENSEMBLE", ensemble),
            query="query: {force_std: 5.0}",
        )
        ase.io.write(tmp_path / "in" / "slab.extxyz", slab, format="extxyz")
        done = snap_al("run", config, "--out", tmp_path / ensemble)
        if ensemble == "npt":
            assert done.returncode == 2
            assert "is open along c, where npt has no pressure to keep" in done.stderr
        else:
            assert done.returncode == 0, done.stderr
    queries = [json.loads(p.read_text()) for p in (tmp_path / "nvt" / "queries").glob("*.json")]
    assert all(q["pbc"] == [True, True, False] for q in queries)


def test_a_run_with_a_deck(tmp_path):
    """Relative to the config, which is elsewhere than the run: it ends well, its status is shown,
    and changed training files are noticed."""
    folder = tmp_path / "in"
    config = small_config(folder, descriptor="fitsnap: Cu.in", stop="stop: {max_labels: 4}")
    (folder / "JSON" / "warm").mkdir(parents=True)
    for k in range(3):
        (folder / "JSON" / "warm" / f"{k}.json").write_text(write_json(rattled_copper(k, repeat=1)))
    (folder / "Cu.in").write_text(
        "[BISPECTRUM]\nnumTypes = 1\ntwojmax = 4\nrcutfac = 4.5\ntype = Cu\n[PATH]\ndataPath = "
        "JSON\n"
        "[GROUPS]\ngroup_sections = name training_size testing_size eweight fweight vweight\n"
        "group_types = str float float float float float\nwarm = 1.0 0.0 100 1 1e-8\n"
    )
    done = snap_al("run", "in/config.yaml", "--out", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert snap_al("status", tmp_path / "run").returncode == 0
    path = folder / "JSON" / "warm" / "0.json"
    path.write_text(write_json(rattled_copper(9, repeat=1)))
    done = snap_al("run", config, "--out", tmp_path / "run")
    assert done.returncode == 2
    assert "fitsnap, its training set" in done.stderr


def test_what_looks_wrong_in_labels_stays_with_the_run(tmp_path):
    """Stresses of the other sign in a file: on stderr, in journal, log, metrics and page."""
    frames = []
    for k in range(12):
        atoms = rattled_copper(k, 0.03 + 0.01 * (k % 8)).to_atoms()
        atoms.calc.results["stress"] = -atoms.calc.results["stress"]
        frames.append(atoms)
    ase.io.write(tmp_path / "train.extxyz", frames)
    training = "training: [{path: train.extxyz}]"
    config = small_config(tmp_path, start=training, stop="stop: {max_labels: 1}")
    done = snap_al("run", config, "--out", tmp_path / "run", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("warning: ") == 1
    (event,) = [e for e in read_lines(tmp_path / "run") if e["event"] == "opened"]
    (text,) = event["warnings"]
    assert "train.extxyz: stresses have the other sign" in text
    assert f"warning: {text}" in done.stderr
    assert f"warning: {text}" in (tmp_path / "run" / "run.log").read_text()
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["warnings"] == [text]
    assert json.loads(done.stdout)["warnings"] == [text]
    assert snap_al("report", tmp_path / "run").returncode == 0
    page = html.unescape((tmp_path / "run" / "report.html").read_text())
    assert f'<li class="bad">{text}</li>' in page


def test_spins_need_a_script_that_moves_them(tmp_path):
    reference = (
        "reference: ['atom_style spin', 'pair_style spin/exchange 4.0', 'pair_coeff * * "
        "exchange 4.0 0.1 0.2 2.5']"
    )
    said = snap_al(
        "run", small_config(tmp_path, reference=reference), "--out", tmp_path / "run"
    ).stderr
    assert "needs a script with `fix … nve/spin`" in said
