"""snap_al.loop.explore: Walkers of every kind, killed at any instant, on any number of ranks; a
rank that dies; errors of one rank alone.
"""

import os
import signal

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from helpers.calls import begun, snap_al
from helpers.odd import PATIENCE, ranks_of, until
from helpers.runs import killed_until_done, result_of, run
from helpers.samples import small_config

from snap_al.config import read_run

BUDGET = "max_labels: 60"


def alloy_config(folder, mode, walkers=3, steps=60):
    """Langevin, Monte-Carlo swaps with a bias, and NPT, one after another; two copies and a
    strained one.
    """
    atoms = bulk("Cu", cubic=True) * (2, 2, 2)
    atoms.symbols[::4] = "Ag"
    atoms.set_cell(atoms.cell.array * 1.03, scale_atoms=True)
    folder.mkdir(parents=True, exist_ok=True)
    ase.io.write(folder / "CuAg.extxyz", atoms)
    vary = {1: "", 3: ", vary: {temperature: [400, 600, 800]}"}[walkers]
    stages = (
        f"{{ensemble: langevin, steps: {steps}}}, {{ensemble: swap, steps: {steps}, bias: {{tau: "
        f"0.2}}, "
        f"variables: {{swap_every: 5, swaps: 2}}}}, {{ensemble: npt, steps: {steps}, "
        f"screen_every: 1, screen_ratio: 1.1}}"
    )
    return small_config(
        folder,
        descriptor="descriptor: {elements: [Cu, Ag], twojmax: 4, rcutfac: 4.5}",
        start=(
            "start: {structures: [{structure: CuAg.extxyz, count: 4, displacement: [0.04, 0.06]}]}"
        ),
        explore=f"explore: {{mode: {mode}, walkers: [{{structure: CuAg.extxyz{vary}}}], "
        f"temperature: 500, timestep: 0.002, check_every: 10, checkpoint_every: 40, "
        f"trajectory_every: 20, stages: [{stages}], "
        f"guards: {{max_retries: 3}}}}",
        query="query: {force_std: 0.1, batch: 3}",
        stop=f"stop: {{{BUDGET}}}",
    )


@pytest.mark.parametrize(
    ("mode", "ranks", "walkers"),
    [
        ("on-the-fly", 1, 3),
        pytest.param("on-the-fly", 2, 1, marks=pytest.mark.slow),
        ("batch", 2, 3),
        pytest.param("batch", 1, 3, marks=pytest.mark.slow),
        pytest.param("on-the-fly", 2, 3, marks=pytest.mark.slow),
    ],
)
def test_killed_again_and_again(tmp_path, mode, ranks, walkers):
    """To the bit what an uninterrupted run is, whatever thermostat, swaps or bias a walker has."""
    config = alloy_config(tmp_path / "in", mode, walkers)
    expected = run(config, tmp_path / "whole", ranks)
    outcomes = [w["outcome"] for e in expected[1] if e["event"] == "explored" for w in e["walkers"]]
    assert "novel" in outcomes or mode == "batch"
    assert expected[1][-1]["reason"] == "every walker is at the end of its protocol", expected[1][
        -1
    ]
    kills = killed_until_done(
        config, tmp_path / "killed", ranks, np.random.default_rng(ranks), tmp_path / "whole"
    )
    assert kills >= 2
    assert result_of(tmp_path / "killed") == expected


@pytest.mark.parametrize("walkers", [1, 3])
def test_a_rank_that_dies_ends_the_job(tmp_path, walkers):
    """One rank of two gets kill -9 in the middle of MD: non-zero exit, and the same command goes
    on. With one walker that both ranks share; with three, which have a rank each.
    """
    config = alloy_config(tmp_path / "in", "on-the-fly", walkers)
    folder = tmp_path / "run"
    process = begun("run", config, "--out", folder, ranks=2, fresh=walkers == 1)
    until(lambda: list(folder.glob("walkers/*/*.log")))
    os.kill(max(ranks_of(folder)), signal.SIGKILL)
    process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    run(config, folder, 2)


ONE_RANK = (
    "timestep ${timestep}\nfix 1 all nve\nregion left block INF 1.0 INF INF INF INF\ngroup "
    "left region left\n"
)


def test_an_error_of_one_rank_alone(tmp_path):
    """Coordinates that are no numbers, on the left half of the box: the job ends, says where, and
    each new start goes on, until the walker is given up."""
    (tmp_path / "left.in").write_text(ONE_RANK + "velocity left set 1e308 0 0\ntimestep 1e9\n")
    explore = (
        "explore: {walkers: [{structure: Cu.extxyz, supercell: [4, 2, 2]}], script: left.in, "
        "timestep: 0.003, steps: 100, "
        "guards: {max_retries: 1, max_force_std: 1.0e9, max_temperature_ratio: 1.0e9}}"
    )
    config = small_config(tmp_path, explore=explore)
    messages = []
    for _ in range(2):
        done = snap_al("run", config, "--out", tmp_path / "run", ranks=2)
        assert done.returncode not in (0, None)
        messages.append(done.stderr)
    assert "walker 0 (" in messages[0]
    assert "stage 0, after step 0" in messages[0]
    assert "Traceback" not in messages[0]
    done = snap_al("run", config, "--out", tmp_path / "run", ranks=2)
    assert done.returncode == 3
    assert "every walker was given up" in done.stderr


def test_other_walkers_go_on(tmp_path):
    """Of three on two ranks one has a box that collapses; it is given up with LAMMPS' words, and
    the others end.
    """
    (tmp_path / "own.in").write_text(
        "timestep ${timestep}\nfix 1 all nvt temp ${temperature_start} ${temperature_stop} 0.1\n"
        "variable hot equal ${temperature_start}>700\n"
        'if "${hot} > 0" then "fix 2 all deform 1 x erate -50 remap x"\n'
    )
    explore = (
        "explore: {walkers: [{structure: Cu.extxyz, supercell: [2, 2, 2], vary: {temperature: "
        "[300, 400, 800]}}], "
        "script: own.in, timestep: 0.003, steps: 100, guards: {max_retries: 1, max_force_std: "
        "1.0e9, max_temperature_ratio: 1.0e9}}"
    )
    done = snap_al(
        "run", small_config(tmp_path, explore=explore), "--out", tmp_path / "run", ranks=2
    )
    assert done.returncode == 0, done.stderr
    _, _, state = read_run(tmp_path / "run")
    assert [w.status.value for w in state.walkers] == ["finished", "finished", "given up"]
    reason = state.walkers[2].reason
    assert "walker 2 (" in reason
    assert "stage 0" in reason


@pytest.mark.parametrize(("ranks", "walkers"), [(3, 2), (2, 3), (5, 3), (3, 5)])
def test_ranks_and_walkers_that_do_not_divide(tmp_path, ranks, walkers):
    explore = (
        f"explore: {{walkers: [{{structure: Cu.extxyz, supercell: [2, 2, 2], vary: {{seeds: "
        f"{walkers}}}}}], ensemble: nvt, "
        "temperature: 300, timestep: 0.003, steps: 20, check_every: 10}"
    )
    config = small_config(tmp_path, explore=explore, query="query: {force_std: 10.0}")
    _, events = run(config, tmp_path / "run", ranks)
    assert [w["outcome"] for e in events if e["event"] == "explored" for w in e["walkers"]] == [
        "finished"
    ] * walkers
