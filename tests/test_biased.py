"""snap_al.md.bias: Biased exploration: the bias is the gradient it says, a set share of the forces,
and finds what unbiased MD finds late.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from ase.build import bulk
from helpers.samples import COPPER, WEIGHTS, rattled_copper
from scipy.spatial import cKDTree

from snap_al.data import Configuration, LabelledConfiguration
from snap_al.descriptors import Columns, DescriptorEngine, DesignMatrix, ReferencePotential
from snap_al.errors import InputError
from snap_al.inference import fit_posterior
from snap_al.md import (
    BiasSettings,
    Outcome,
    Protocol,
    SegmentFiles,
    SegmentStart,
    StageSettings,
    WhenUncertain,
    run_segment,
)
from snap_al.md.bias import Bias
from snap_al.md.boxes import create
from snap_al.md.rules import Verdict
from snap_al.parallel import SERIAL
from snap_al.potential import FittedPotential, Snap, StdMonitor, element_covariance
from snap_al.sessions import LammpsSession

CRYSTAL = bulk("Cu", cubic=True) * (3, 3, 3)
ZBL = ReferencePotential.parse(["pair_style zbl 1.5 2.0", "pair_coeff * * 29 29"])


@pytest.fixture(scope="module", params=["alone", "with a reference potential"])
def fitted(request, tmp_path_factory):
    reference = ReferencePotential() if request.param == "alone" else ZBL
    with DescriptorEngine(COPPER, reference) as engine:
        matrix = DesignMatrix(engine, SERIAL)
        matrix.append([LabelledConfiguration(rattled_copper(k), WEIGHTS) for k in range(12)])
    rows = matrix.slabs()[0].used()
    potential = FittedPotential(
        Snap(COPPER), reference, fit_posterior(rows.values, rows.targets, rows.weights)
    )
    folder = tmp_path_factory.mktemp("potential")
    potential.write(folder)
    return potential, folder


def explored(fitted, out, start, rule, *, tau, seed=1, of="std", **stage):
    potential, folder = fitted
    bias = None if tau is None else BiasSettings(tau=tau, of=of)
    shared = {
        "ensemble": "nvt",
        "timestep": 0.003,
        "check_every": 10,
        "guards": {"max_force_std": 1e3},
        "bias": bias,
    }
    protocol = Protocol.of([StageSettings(**{**shared, **stage})])
    begin = (
        start
        if isinstance(start, SegmentStart)
        else SegmentStart(Configuration.from_atoms(start, "s"), None, 0, seed, 10)
    )
    return run_segment(SERIAL, potential, folder, protocol, begin, rule, SegmentFiles(out))


def std_of_atoms(potential, atoms):
    """sqrt(Σ var(E_i)), eV."""
    columns = Columns.of(potential.model.settings)
    covariance = element_covariance(columns, potential.posterior, 0)
    with potential.engine() as engine:
        rows = engine.atom_rows(Configuration.from_atoms(atoms))
    return np.sqrt(np.einsum("ik,kl,il->", rows, covariance, rows))


@pytest.mark.parametrize("of", ["std", "variance"])
def test_the_bias_is_the_gradient_of_the_atoms_std(fitted, of):
    """By finite differences of what numpy has; its share of the forces is τ, but for a reference
    potential's part.
    """
    potential, folder = fitted
    atoms = CRYSTAL.copy()
    atoms.rattle(0.1, seed=3)
    bias, monitor = (
        Bias(BiasSettings(tau=0.25, of=of)),
        StdMonitor(potential.model.settings, potential.posterior),
    )
    with LammpsSession(SERIAL) as session:
        create(session, potential, Configuration.from_atoms(atoms))
        session.commands(bias.pair_commands(potential, folder))
        monitor.attach(session)
        bias.begin(session, monitor)
        session.commands(["run 0 post no"])
        order = np.argsort(session.atoms()["id"])
        force = (session.forces() - monitor.forces(session))[order]
        own = monitor.forces(session)
    if not potential.reference.styles:
        assert np.linalg.norm(force, axis=1).mean() == pytest.approx(
            0.25 * np.linalg.norm(own, axis=1).mean(), rel=1e-6
        )
        for atom, axis in ((0, 0), (50, 2)):
            values = []
            for sign in (1, -1):
                moved = atoms.copy()
                moved.positions[atom, axis] += sign * 1e-3
                std = std_of_atoms(potential, moved)
                values.append(std if of == "std" else std**2)
            slope = bias.strength * (values[0] - values[1]) / 2e-3
            assert force[atom, axis] == pytest.approx(slope, abs=2e-3 * np.abs(force).max())


def test_segments_under_bias_repeat_and_go_on(fitted, tmp_path):
    never = WhenUncertain(1e9)
    arguments = {"tau": 0.2, "temperature": 600, "steps": 60, "checkpoint_every": 30}
    first = explored(fitted, tmp_path / "a", CRYSTAL, never, **arguments)
    assert (first.outcome, first.step) == (Outcome.CHECKPOINT, 30)
    start = SegmentStart(Configuration.from_atoms(CRYSTAL, "s"), tmp_path / "a", 30, None, 10)
    ends = [explored(fitted, tmp_path / name, start, never, **arguments) for name in "bc"]
    assert ends[0].outcome is Outcome.FINISHED
    assert np.array_equal(ends[0].frame.positions, ends[1].frame.positions)


def test_more_is_uncertain_the_larger_the_share(fitted, tmp_path):
    mean = [
        np.mean(
            [
                c.force_std
                for c in explored(
                    fitted,
                    tmp_path / "r",
                    CRYSTAL,
                    WhenUncertain(1e9),
                    tau=tau,
                    temperature=300,
                    steps=600,
                ).checks[20:]
            ]
        )
        for tau in (None, 0.3)
    ]
    assert mean[1] > 1.15 * mean[0]


def test_quadratic_snap_has_no_bias(fitted):
    potential, folder = fitted
    quadratic = potential.model.settings.model_copy(update={"quadraticflag": True})
    with pytest.raises(InputError, match="quadraticflag has no variance"):
        Bias(BiasSettings()).pair_commands(
            FittedPotential(Snap(quadratic), potential.reference, potential.posterior), folder
        )


@dataclass(frozen=True)
class Happened:
    """An atom has left its site (jump), all have left theirs (melt), or two are nearer than 1.95 Å
    (dimer).
    """

    start: np.ndarray
    kind: str

    def __call__(self, frame):
        atoms = frame.session.atoms()
        cell, _ = frame.session.lower_cell()
        if self.kind == "dimer":
            edges = np.diag(cell)
            inside = np.mod(atoms["x"], edges) % edges
            return Verdict(len(cKDTree(inside, boxsize=edges).query_pairs(1.95)) > 0)
        moved = (atoms["x"][np.argsort(atoms["id"])] - self.start) @ np.linalg.inv(cell)
        moved = (moved - np.round(moved)) @ cell
        distance = np.linalg.norm(moved - moved.mean(axis=0), axis=1)
        return Verdict(
            distance.max() > 1.8 if self.kind == "jump" else np.sqrt(np.mean(distance**2)) > 1.0
        )


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "temperature"), [("jump", 900), ("melt", 1500), ("dimer", 900)])
def test_what_is_rare_is_found_in_a_third_of_the_steps(fitted, tmp_path, kind, temperature):
    """Five seeds, 6000 steps at most, which is what a miss counts; τ = 0.3, and nothing flies
    apart.
    """
    start = CRYSTAL.copy()
    if kind == "jump":
        del start[0]
    steps = {}
    for tau in (None, 0.3):
        results = [
            explored(
                fitted,
                tmp_path / "r",
                start,
                Happened(start.positions, kind),
                tau=tau,
                seed=seed,
                temperature=temperature,
                steps=6000,
                checkpoint_every=6000,
            )
            for seed in range(1, 6)
        ]
        assert all(r.outcome in (Outcome.NOVEL, Outcome.FINISHED) for r in results), [
            r.reason for r in results
        ]
        steps[tau] = [r.step for r in results]
    print(
        f"\n{kind} at {temperature} K: unbiased {steps[None]}, biased {steps[0.3]}, ratio "
        f"{np.sum(steps[None]) / np.sum(steps[0.3]):.1f}"
    )
    assert np.sum(steps[None]) >= 3 * np.sum(steps[0.3])
