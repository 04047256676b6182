"""snap_al.md.segment: Segments: stds as the rows give them, dynamics that do not feel the watching,
and why a segment ends.
"""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from helpers.samples import COPPER, WEIGHTS, rattled_copper

from snap_al.data import Configuration, LabelledConfiguration
from snap_al.descriptors import DescriptorEngine, DesignMatrix, ReferencePotential
from snap_al.errors import InputError
from snap_al.inference import atom_force_std, fit_posterior, square_root
from snap_al.md import (
    EveryNth,
    Outcome,
    Protocol,
    SegmentFiles,
    SegmentStart,
    StageSettings,
    WhenAboveNoise,
    WhenExtrapolating,
    WhenNovel,
    WhenRelative,
    WhenUncertain,
    run_segment,
)
from snap_al.parallel import SERIAL
from snap_al.potential import FittedPotential, Snap, StdMonitor, element_covariance
from snap_al.sessions import LammpsSession, check_script

NEVER = WhenNovel(1e3, 1e3, 0.0, 1.0)
START = Configuration.from_atoms(bulk("Cu", cubic=True) * (2, 2, 2), "start")


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    with DescriptorEngine(COPPER, ReferencePotential()) as engine:
        matrix = DesignMatrix(engine, SERIAL)
        matrix.append([LabelledConfiguration(rattled_copper(k), WEIGHTS) for k in range(4)])
    rows = matrix.slabs()[0].used()
    potential = FittedPotential(
        Snap(COPPER), ReferencePotential(), fit_posterior(rows.values, rows.targets, rows.weights)
    )
    folder = tmp_path_factory.mktemp("potential")
    potential.write(folder)
    return potential, folder


def segment(fitted, out, *, start=None, rule=NEVER, stages=({},), trajectory=None, **shared):
    potential, folder = fitted
    defaults = {"timestep": 0.002, "steps": 60, "temperature": (300, 600), **shared}
    protocol = Protocol.of([StageSettings(**{**defaults, **stage}) for stage in stages])
    start = start or SegmentStart(START, None, 0, 11, protocol.at(0).stage.check_every)
    return run_segment(
        SERIAL, potential, folder, protocol, start, rule, SegmentFiles(out, trajectory=trajectory)
    )


def test_stds_are_those_of_the_rows(fitted, tmp_path):
    """The monitor's largest stds at the last step, from the frame's own design rows."""
    potential, _ = fitted
    result = segment(fitted, tmp_path / "r")
    with DescriptorEngine(COPPER, ReferencePotential()) as engine:
        rows = engine.rows(result.frame)
    expected = atom_force_std(rows.forces, square_root(potential.posterior.covariance)).max()
    assert result.checks[-1].force_std == pytest.approx(expected, rel=1e-8)


def test_stds_of_several_elements(alloy, engine):
    """Chem, quadratic, inner switching: every atom's energy std by its element's block, and its
    force std by the rows of compute snap."""
    n = engine.columns.n_distinct
    rng = np.random.default_rng(0)
    posterior = fit_posterior(rng.standard_normal((2 * n, n)), rng.standard_normal(2 * n))
    monitor = StdMonitor(engine.settings, posterior)
    from snap_al.md.boxes import create

    with LammpsSession(SERIAL) as session:
        create(
            session, FittedPotential(Snap(engine.settings), ReferencePotential(), posterior), alloy
        )
        session.commands([f"pair_style zero {engine.settings.max_cutoff + 1.0}", "pair_coeff * *"])
        monitor.attach(session)
        session.command("run 0")
        found, forces = monitor.energy_std(session), monitor.force_std(session)
        components, types = session.per_atom("snap_al_b"), session.atoms()["type"]
        order = np.argsort(session.atoms()["id"])
    for b, t, std in zip(components, types, found, strict=True):
        row = np.concatenate([[1.0], b])
        assert std**2 == pytest.approx(
            row @ element_covariance(engine.columns, posterior, t - 1) @ row, rel=1e-9
        )
    expected = atom_force_std(engine.rows(alloy).forces, square_root(posterior.covariance))
    assert forces[order] == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("ensemble", ["nvt", "npt"])
def test_watching_does_not_disturb(fitted, tmp_path, ensemble):
    """Bit for bit the same trajectory whether it is looked at every 5 steps or once."""
    often = segment(fitted, tmp_path / "a", ensemble=ensemble, check_every=5)
    once = segment(fitted, tmp_path / "b", ensemble=ensemble, check_every=60)
    assert len(often.checks) == 12
    assert np.array_equal(often.frame.positions, once.frame.positions)
    assert often.checks[-1].temperature == once.checks[-1].temperature


def test_the_ramp_reaches_its_end(fitted, tmp_path):
    result = segment(
        fitted,
        tmp_path / "r",
        steps=1500,
        temperature=(100, 900),
        timestep=0.003,
        ensemble="nvt",
        check_every=50,
    )
    temperatures = [c.temperature for c in result.checks]
    assert result.outcome is Outcome.FINISHED
    assert np.mean(temperatures[-5:]) == pytest.approx(870, rel=0.2)
    assert np.mean(temperatures[:3]) < 300


@pytest.mark.parametrize("ensemble", ["nvt", "npt"])
def test_a_chain_of_segments_is_exact(fitted, tmp_path, ensemble):
    """Going on from a checkpoint gives the same bits every time it is done."""
    protocol = {"ensemble": ensemble, "checkpoint_every": 30}
    first = segment(fitted, tmp_path / "a", **protocol)
    assert (first.outcome, first.step) == (Outcome.CHECKPOINT, 30)
    ends = []
    for name in ("b", "c"):
        start = SegmentStart(START, tmp_path / "a", 30, None, 10)
        ends.append(segment(fitted, tmp_path / name, start=start, **protocol))
    assert ends[0].outcome is Outcome.FINISHED
    assert np.array_equal(ends[0].frame.positions, ends[1].frame.positions)
    assert (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()


def test_it_stops_at_the_first_novel_frame(fitted, tmp_path):
    all_checks = segment(fitted, tmp_path / "a").checks
    limit = sorted(c.force_std for c in all_checks)[-2]
    first = next(c for c in all_checks if c.force_std > limit)
    result = segment(fitted, tmp_path / "b", rule=WhenNovel(limit, 0.0, 0.0, 1.0))
    assert (result.outcome, result.step) == (Outcome.NOVEL, first.step)
    assert (
        segment(fitted, tmp_path / "c", rule=WhenNovel(0.0, 1e3, 0.0, 1.0)).outcome
        is Outcome.FINISHED
    )
    assert (
        segment(fitted, tmp_path / "d", rule=WhenNovel(0.0, 0.0, 0.999, 1.0)).outcome
        is Outcome.FINISHED
    )


def test_expected_gain_is_that_of_the_frames_own_rows(fitted, tmp_path):
    """What the monitor says a label would leave of the std, by a dense update with the frame's
    force rows.
    """
    potential, _ = fitted
    p = potential.posterior
    result = segment(fitted, tmp_path / "r")
    with DescriptorEngine(COPPER, ReferencePotential()) as engine:
        rows = engine.rows(result.frame).forces
    q = rows @ p.whitening
    after = atom_force_std(rows, square_root(p.with_information(q.T @ q))).max()
    gain = 1 - after / result.checks[-1].force_std
    assert 0 < gain < 1
    for offset, outcome in ((-1e-6, Outcome.NOVEL), (1e-6, Outcome.FINISHED)):
        only_last = WhenNovel(0.0, 0.0, gain + offset, 1.0)
        assert segment(fitted, tmp_path / "s", rule=only_last, check_every=60).outcome is outcome


def test_far_beyond_use(fitted, tmp_path):
    guards = {"max_force_std": 1e-6}
    result = segment(fitted, tmp_path / "r", guards=guards)
    assert result.outcome is Outcome.BEYOND_USE
    assert "max_force_std" in result.reason
    assert not (tmp_path / "r").exists()


def test_an_exploding_temperature(fitted, tmp_path):
    result = segment(
        fitted,
        tmp_path / "r",
        timestep=0.05,
        steps=2000,
        temperature=(2000, 2000),
        guards={"max_force_std": 1e9},
    )
    assert result.outcome in (Outcome.BEYOND_USE, Outcome.FAILED)
    assert result.reason


def test_lost_atoms_are_lammps_own_message(fitted, tmp_path):
    """A script of the user's own that opens the boundary and shoots the atoms out."""
    script = tmp_path / "shoot.in"
    script.write_text(
        "timestep ${timestep}\nchange_box all boundary f f f\nvelocity all set 500 0 0\nfix move "
        "all nve\n"
    )
    result = segment(
        fitted,
        tmp_path / "r",
        script=script,
        guards={"max_force_std": 1e9, "max_temperature_ratio": 1e9},
    )
    assert result.outcome is Outcome.FAILED
    assert "Lost atoms" in result.reason


def test_scripts_that_cannot_be_used(fitted, tmp_path):
    with pytest.raises(InputError, match="no LAMMPS script"):
        segment(fitted, tmp_path / "r", script=tmp_path / "none.in")
    quitting = tmp_path / "quit.in"
    quitting.write_text("fix 1 all nve\n quit 1\n")
    with pytest.raises(InputError, match=r"quit.in:2: `quit`"):
        check_script(quitting)
    wrong = tmp_path / "wrong.in"
    wrong.write_text("fix 1 all no_such_fix\n")
    result = segment(fitted, tmp_path / "r", script=wrong)
    assert result.outcome is Outcome.FAILED
    assert "no_such_fix" in result.reason


def test_paths_with_spaces(fitted, tmp_path):
    folder = tmp_path / "a folder"
    folder.mkdir()
    potential, _ = fitted
    potential.write(folder)
    first = segment((potential, folder), folder / "a restart", checkpoint_every=10)
    start = SegmentStart(START, folder / "a restart", 10, None, 10)
    assert segment((potential, folder), folder / "b", start=start, checkpoint_every=10).step == 20
    assert first.step == 10


def test_nothing_is_left_to_do(fitted, tmp_path):
    segment(fitted, tmp_path / "a")
    start = replace(SegmentStart(START, tmp_path / "a", 60, None, 10))
    assert segment(fitted, tmp_path / "b", start=start).outcome is Outcome.FINISHED


SLAB = replace(START, cell=START.cell @ np.diag([1, 1, 3.0]), pbc=(True, True, False), name="slab")
WIRE = replace(
    START, cell=START.cell @ np.diag([3.0, 1, 3.0]), pbc=(False, True, False), name="wire"
)
CLUSTER = replace(START, cell=np.zeros((3, 3)), pbc=(False, False, False), name="cluster")


@pytest.mark.parametrize("structure", [SLAB, WIRE, CLUSTER])
def test_open_boundaries(fitted, tmp_path, structure):
    """The frame is open where the start is, its stds are those of its rows, and its energy is
    conserved without a thermostat as that of a bulk is."""
    nve = tmp_path / "nve.in"
    nve.write_text("timestep ${timestep}\nfix ensemble all nve\n")
    start = SegmentStart(structure, None, 0, 5, 20)
    guards = {"max_temperature_ratio": 100, "max_force_std": 1e3}
    result = segment(
        fitted,
        tmp_path / "r",
        start=start,
        script=str(nve),
        temperature=(50, 50),
        steps=20,
        check_every=20,
        guards=guards,
    )
    assert result.outcome is Outcome.FINISHED, result.reason
    assert result.frame.pbc == structure.pbc
    potential, _ = fitted
    with DescriptorEngine(COPPER, ReferencePotential()) as engine:
        rows = engine.rows(result.frame)
    expected = atom_force_std(rows.forces, square_root(potential.posterior.covariance)).max()
    assert result.checks[-1].force_std == pytest.approx(expected, rel=1e-7)
    bulk_std = (
        segment(fitted, tmp_path / "bulk", script=str(nve), temperature=(50, 50))
        .checks[0]
        .force_std
    )
    assert result.checks[0].force_std > 1.5 * bulk_std  # a surface is not what was fitted


def test_charges_stay_with_their_atoms(tmp_path, fitted):
    """A segment with a charged reference potential, resumed once: forces of the frame are those of
    its rows' session.
    """
    potential, _ = fitted
    reference = ReferencePotential.parse(
        ["atom_style charge", "pair_style coul/dsf 0.2 6.0", "pair_coeff * *"]
    )
    charged = replace(potential, reference=reference)
    charged.write(tmp_path / "files")
    charges = np.where(np.arange(32) % 2 == 0, 0.05, -0.05)
    start = SegmentStart(replace(START, charges=charges), None, 0, 5, 20)
    both = (charged, tmp_path / "files")
    first = segment(both, tmp_path / "r", start=start, steps=60, checkpoint_every=40)
    assert first.outcome is Outcome.CHECKPOINT, first.reason
    again = SegmentStart(start.configuration, tmp_path / "r", 40, None, 20)
    second = segment(both, tmp_path / "r2", start=again, steps=60, checkpoint_every=40)
    assert second.outcome is Outcome.FINISHED, second.reason
    np.testing.assert_array_equal(second.frame.charges, charges)


def test_spins_come_back_with_the_frame(tmp_path, fitted):
    """A spin reference potential in MD: spins of the frame are those that were set, on the atoms
    that had them.
    """
    potential, _ = fitted
    reference = ReferencePotential.parse(
        [
            "atom_style spin",
            "pair_style spin/exchange 4.0",
            "pair_coeff * * exchange 4.0 0.02 0.28 2.5",
        ]
    )
    magnetic = replace(potential, reference=reference)
    magnetic.write(tmp_path / "files")
    spins = np.random.default_rng(0).standard_normal((32, 3))
    start = SegmentStart(replace(START, spins=spins), None, 0, 5, 20)
    result = segment((magnetic, tmp_path / "files"), tmp_path / "r", start=start, steps=20)
    assert result.outcome is Outcome.FINISHED, result.reason
    np.testing.assert_allclose(result.frame.spins, spins, atol=1e-12)


def test_moments_that_only_the_labeler_needs_stay_with_the_frame(fitted, tmp_path):
    moments = np.where(np.arange(32) % 2 == 0, 2.0, -2.0)
    start = SegmentStart(replace(START, spins=moments), None, 0, 5, 20)
    result = segment(fitted, tmp_path / "r", start=start, steps=20)
    np.testing.assert_array_equal(result.frame.spins, moments)


def last_frame(fitted, folder):
    """One frame of a trajectory that every rule here sees bit for bit, its rows by atoms, and its
    forces.
    """
    potential, _ = fitted
    frame = segment(fitted, folder / "last").frame
    with DescriptorEngine(COPPER, ReferencePotential()) as engine:
        rows, atoms = engine.rows(frame), engine.atom_rows(frame)
    stds = atom_force_std(rows.forces, square_root(potential.posterior.covariance))
    forces = (rows.forces @ potential.posterior.mean).reshape(-1, 3)
    return stds, np.linalg.norm(forces, axis=1), atoms


@pytest.mark.parametrize("rule", ["std", "flare", "hal", "grade"])
def test_published_rules_stop_at_what_the_rows_say(fitted, tmp_path, rule):
    """Each at its own number of the last frame, a little below and a little above."""
    stds, forces, atoms = last_frame(fitted, tmp_path)
    shares = np.random.default_rng(0).standard_normal((atoms.shape[1],) * 2)
    made = {
        "std": (stds.max(), WhenUncertain),
        "flare": (stds.max() / 0.03, lambda limit: WhenAboveNoise(0.03, limit)),
        "hal": ((stds / (forces + 0.2)).max(), lambda limit: WhenRelative(limit, 0.2)),
        "grade": (np.abs(atoms @ shares).max(), lambda limit: WhenExtrapolating(shares, limit)),
    }
    value, of = made[rule]
    for factor, outcome in ((1 - 1e-6, Outcome.NOVEL), (1 + 1e-6, Outcome.FINISHED)):
        result = segment(fitted, tmp_path / rule, rule=of(value * factor), check_every=60)
        assert (result.outcome, result.step) == (outcome, 60)


def test_every_nth_step_whatever_it_is_looked_at(fitted, tmp_path):
    """Also where looks do not fall on multiples of n, and n is less than their distance."""
    assert segment(fitted, tmp_path / "a", rule=EveryNth(25), check_every=10).step == 30
    assert segment(fitted, tmp_path / "b", rule=EveryNth(3), check_every=10).step == 10
    assert (
        segment(fitted, tmp_path / "c", rule=EveryNth(61), check_every=10).outcome
        is Outcome.FINISHED
    )


def test_stages_follow_each_other(fitted, tmp_path):
    """A segment ends with its stage; the next goes on from its last frame, with its own ramp."""
    stages = [{"ensemble": "nvt", "steps": 30}, {"ensemble": "nve", "steps": 20, "timestep": 0.001}]
    first = segment(fitted, tmp_path / "a", stages=stages)
    assert (first.outcome, first.step, first.reason) == (Outcome.CHECKPOINT, 30, "end of stage 0")
    start = SegmentStart(START, tmp_path / "a", 30, None, 10)
    second = segment(fitted, tmp_path / "b", stages=stages, start=start)
    assert (second.outcome, second.step) == (Outcome.FINISHED, 50)
    protocol = Protocol.of(
        [StageSettings(steps=30, timestep=0.002), StageSettings(steps=20, timestep=0.001)]
    )
    assert protocol.picoseconds(20, 50) == pytest.approx(10 * 0.002 + 20 * 0.001)
    assert [protocol.at(s).number for s in (0, 29, 30, 50)] == [0, 0, 1, 1]
    assert protocol.at(40).temperature_at(40) == 300.0


@pytest.mark.parametrize("ensemble", ["nve", "langevin", "deform", "shear", "relax"])
def test_every_shipped_script_runs_and_repeats(fitted, tmp_path, ensemble):
    """To the bit, also the thermostat's random numbers; and does what it says."""
    ends = [
        segment(fitted, tmp_path / n, ensemble=ensemble, temperature=300, steps=100) for n in "ab"
    ]
    assert ends[0].outcome is Outcome.FINISHED
    assert np.array_equal(ends[0].frame.positions, ends[1].frame.positions)
    cell, time = START.cell, 100 * 0.002
    if ensemble == "deform":
        assert ends[0].frame.cell[2, 2] == pytest.approx(cell[2, 2] * np.exp(0.01 * time), rel=1e-6)
    if ensemble == "shear":
        assert ends[0].frame.cell[1, 0] == pytest.approx(0.01 * time * cell[1, 1], rel=1e-6)
    if ensemble == "relax":
        assert ends[0].checks[-1].temperature < 0.5 * ends[0].checks[0].temperature


def test_scripts_take_variables_they_know(fitted, tmp_path):
    faster = segment(
        fitted, tmp_path / "a", ensemble="deform", variables={"strain_rate": -0.1, "axis": "x"}
    )
    assert faster.frame.cell[0, 0] == pytest.approx(
        START.cell[0, 0] * np.exp(-0.1 * 0.12), rel=1e-6
    )
    with pytest.raises(InputError, match="no variable 'strainrate'"):
        segment(fitted, tmp_path / "b", ensemble="deform", variables={"strainrate": 1})


def test_swaps_keep_what_there_is_of_each_element(alloy, engine, tmp_path):
    rng = np.random.default_rng(0)
    n = engine.columns.n_distinct
    posterior = fit_posterior(rng.standard_normal((2 * n, n)), 1e-4 * rng.standard_normal(2 * n))
    potential = FittedPotential(Snap(engine.settings), ReferencePotential(), posterior)
    potential.write(tmp_path)
    stage = StageSettings(
        ensemble="swap",
        steps=40,
        timestep=0.0005,
        variables={"swap_every": 2, "swaps": 5},
        guards={"max_force_std": 1e9},
    )
    start = SegmentStart(alloy, None, 0, 5, 20)
    result = run_segment(
        SERIAL,
        potential,
        tmp_path,
        Protocol.of([stage]),
        start,
        NEVER,
        SegmentFiles(tmp_path / "r"),
    )
    assert result.outcome is Outcome.FINISHED, result.reason
    assert sorted(result.frame.species) == sorted(alloy.species)
    assert result.frame.species != alloy.species


@pytest.mark.parametrize(
    ("guard", "value", "word"),
    [
        ("min_distance", 2.5, "nearer than guards.min_distance"),
        ("max_pressure", 1.0, "over guards.max_pressure"),
        ("max_drift", 1e-9, "over guards.max_drift"),
    ],
)
def test_guards(fitted, tmp_path, guard, value, word):
    """Off unless given; each ends the segment with its number."""
    assert segment(fitted, tmp_path / "a", ensemble="nve").outcome is Outcome.FINISHED
    result = segment(fitted, tmp_path / "b", ensemble="nve", guards={guard: value})
    assert result.outcome is Outcome.BEYOND_USE
    assert word in result.reason


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (
            ["fix 1 all nve", "fix 2 all nosuch 3"],
            [
                "stage 0, after step 0",
                "Unrecognized fix style 'nosuch'",
                "line 2: fix 2 all nosuch 3",
            ],
        ),
        (
            ["timestep ${nope}", "fix 1 all nve"],
            ["illegal variable nope", "line 1: timestep ${nope}"],
        ),
        (
            ["fix 1 all nve", "region r block 0 5 0 5 0 5", "fix 2 all evaporate 10 2 r 4932"],
            ["number of atoms went from 32 to"],
        ),
        (["fix 1 all nve", "fix 2 all deform 1 x erate -50 remap x"], ["box dimension"]),
        (["fix 1 all nve", "velocity all set 1e5 0 0"], ["Lost atoms"]),
    ],
)
def test_a_bad_script_is_shown_with_its_line(fitted, tmp_path, lines, words):
    script = tmp_path / "own.in"
    script.write_text("\n".join(lines) + "\n")
    result = segment(fitted, tmp_path / "r", script=script)
    assert result.outcome is Outcome.FAILED
    assert all(word in result.reason for word in words), result.reason


def test_a_trajectory_has_each_atoms_stds(fitted, tmp_path):
    """Beside the atoms, as the frame's own rows give them; begun anew by the same segment."""
    for _ in range(2):
        result = segment(
            fitted, tmp_path / "r", trajectory=tmp_path / "t.extxyz", trajectory_every=20
        )
    frames = ase.io.read(tmp_path / "t.extxyz", ":")
    assert [f.info["step"] for f in frames] == [20, 40, 60]
    potential, _ = fitted
    with DescriptorEngine(COPPER, ReferencePotential()) as engine:
        rows, atoms = engine.rows(result.frame), engine.atom_rows(result.frame)
    root = square_root(potential.posterior.covariance)
    assert np.allclose(frames[-1].arrays["force_std"], atom_force_std(rows.forces, root), rtol=1e-4)
    assert np.allclose(
        frames[-1].arrays["energy_std"], np.linalg.norm(atoms @ root, axis=1), rtol=1e-4
    )


def test_a_screen_brings_the_look_forward(fitted, tmp_path):
    """The energy stds at every step, in one run: where one passes the ratio to the last look's,
    there is a look at that very step, the trajectory being the one that nobody looked at."""
    quiet = segment(
        fitted, tmp_path / "a", ensemble="nve", temperature=900, steps=60, check_every=20
    )
    every = segment(
        fitted,
        tmp_path / "b",
        ensemble="nve",
        temperature=900,
        steps=60,
        check_every=1,
        screen_every=1,
    )
    stds = {c.step: c.energy_std for c in every.checks}
    ratio = 1.02
    expected, limit = [], np.inf
    for step in range(1, 61):
        if step % 20 == 0 or stds[step] > limit:
            expected.append(step)
            limit = ratio * stds[step]
    screened = segment(
        fitted,
        tmp_path / "c",
        ensemble="nve",
        temperature=900,
        steps=60,
        check_every=20,
        screen_every=1,
        screen_ratio=ratio,
    )
    assert screened.outcome is Outcome.FINISHED, screened.reason
    assert [c.step for c in screened.checks] == expected
    assert len(expected) > 3
    assert np.array_equal(screened.frame.positions, quiet.frame.positions)
    assert [c.energy_std for c in screened.checks] == pytest.approx(
        [stds[s] for s in expected], rel=1e-12
    )


def test_what_fails_within_a_run_fails_the_segment(fitted, tmp_path, monkeypatch):
    """A screen that raises, inside LAMMPS' own run."""

    def broken(self, session):
        raise ValueError("no memory for rows")

    monkeypatch.setattr(StdMonitor, "energy_std", broken)
    with pytest.raises(ValueError, match="no memory for rows"):
        segment(fitted, tmp_path / "r", screen_every=1)


def test_a_script_that_halts_by_itself(fitted, tmp_path):
    script = tmp_path / "halts.in"
    script.write_text(
        "fix 1 all nve\nvariable s equal step\nfix stop all halt 1 v_s == 25 error soft\n"
    )
    result = segment(fitted, tmp_path / "r", script=script)
    assert result.outcome is Outcome.FAILED
    assert "it ended MD at step 25" in result.reason


INTERRUPTED = """
import os, signal, sys, threading, time
sys.path[:0] = sys.argv[2].split(":")
from test_md import START, NEVER
from snap_al.md import Protocol, SegmentFiles, SegmentStart, StageSettings, run_segment
from snap_al.parallel import SERIAL
from snap_al.potential import FittedPotential
from pathlib import Path

folder = Path(sys.argv[1])
stage = StageSettings(timestep=0.002, steps=10**6, checkpoint_every=10**6, ensemble="nvt")
threading.Timer(2.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    run_segment(SERIAL, FittedPotential.read(folder), folder, Protocol.of([stage]),
                SegmentStart(START, None, 0, 1, 10), NEVER, SegmentFiles(folder / "r"))
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_interrupt_in_md_is_one(fitted):
    """Not lost in LAMMPS' callback, after which nothing would be watched."""
    here = Path(__file__).parent
    command = [sys.executable, "-c", INTERRUPTED, str(fitted[1]), f"{here}:{here.parent}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.stdout.strip() == "interrupted", done.stderr
