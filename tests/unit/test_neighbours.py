"""snap_al.sessions.neighbours: LAMMPS' neighbour lists are as long as a configuration needs."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list
from helpers.samples import COPPER

from snap_al.data import Configuration
from snap_al.descriptors import DescriptorEngine, ReferencePotential, SnapSettings
from snap_al.inference import fit_posterior
from snap_al.md import Outcome, Protocol, SegmentFiles, SegmentStart, StageSettings, run_segment
from snap_al.md.rules import EveryNth
from snap_al.parallel import SERIAL
from snap_al.potential import FittedPotential, Snap
from snap_al.potential.calculator import LammpsCalculator
from snap_al.sessions import box_of, most_neighbours


def random_atoms(seed):
    """Cells from very flat to large, skewed, some directions open; atoms also outside of them."""
    rng = np.random.default_rng(seed)
    lengths = rng.uniform(1.5, [4.0, 20.0, 40.0][seed % 3], 3)
    cell = np.diag(lengths) + np.tril(rng.uniform(-1, 1, (3, 3)), -1) * lengths
    n = int(rng.integers(1, 60))
    positions = rng.uniform(-0.5, 1.5, (n, 3)) @ cell
    return Atoms(f"Cu{n}", positions, cell=cell, pbc=rng.random(3) > 0.2)


@pytest.mark.parametrize("seed", range(24))
def test_the_bound_holds_and_is_not_far_off(seed):
    atoms, cutoff = random_atoms(seed), 5.0
    configuration = Configuration.from_atoms(atoms)
    first = neighbor_list("i", configuration.to_atoms(), cutoff)
    most = int(np.bincount(first, minlength=len(atoms)).max())
    bound = most_neighbours(box_of(configuration, vacuum=cutoff + 1.0), cutoff)
    assert most <= bound
    volume = abs(np.linalg.det(box_of(configuration, vacuum=cutoff + 1.0).lower))
    assert bound <= 8 * (2 * cutoff + volume ** (1 / 3)) ** 3 / volume * len(atoms) + len(atoms)


def dense_copper(edge):
    """Å; two atoms, body-centered."""
    return Configuration.from_atoms(bulk("Cu", "bcc", a=edge, cubic=True), "dense copper")


LONG = SnapSettings(elements=("Cu",), twojmax=2, rcutfac=14.0)


@pytest.mark.parametrize(("edge", "more_than"), [(2.2, 2000), (1.2, 12_000)])
def test_descriptors_of_dense_cells(edge, more_than):
    """More neighbours than LAMMPS has room for by itself, and more than FitSNAP makes room for.
    Energies do not depend on the cell that a crystal is written in, and the virial is their
    derivative."""
    dense = dense_copper(edge)
    assert len(neighbor_list("i", dense.to_atoms(), 14.0)) / 2 > more_than
    with DescriptorEngine(LONG, ReferencePotential()) as engine:
        once = engine.rows(dense)
        twice = engine.rows(Configuration.from_atoms(dense.to_atoms() * (2, 1, 1)))
        strained = [engine.rows(dense_copper(edge * (1 + s))).energy for s in (-1e-5, 1e-5)]
    np.testing.assert_allclose(once.energy, twice.energy, rtol=1e-10)
    volume = dense.volume
    slope = (
        2 * (strained[1] - strained[0])[0] / 2e-5
    )  # of the energy of both atoms, over the linear strain
    pressure = once.stress[:3].sum(axis=0) / 1.602176634e6  # bar to eV/Å³
    np.testing.assert_allclose(
        -slope / volume, pressure, rtol=1e-4, atol=1e-4 * np.abs(slope / volume).max()
    )


def test_dense_cells_in_md_and_in_a_calculator(tmp_path):
    """The same session goes on from a restart file."""
    rng = np.random.default_rng(0)
    n = 6
    posterior = fit_posterior(rng.standard_normal((20, n)), 1e-3 * rng.standard_normal(20))
    potential = FittedPotential(Snap(LONG), ReferencePotential(), posterior)
    potential.write(tmp_path)
    start = dense_copper(1.9)
    assert len(neighbor_list("i", start.to_atoms(), 14.0)) / 2 > 2000
    stage = StageSettings(
        ensemble="nve", steps=4, check_every=2, checkpoint_every=2, timestep=1e-7, temperature=1.0
    )
    first = SegmentStart(start, None, 0, 5, 2)
    for begin, outcome in (
        (first, Outcome.CHECKPOINT),
        (SegmentStart(start, tmp_path / "r", 2, None, 2), Outcome.FINISHED),
    ):
        result = run_segment(
            SERIAL,
            potential,
            tmp_path,
            Protocol.of([stage]),
            begin,
            EveryNth(1000),
            SegmentFiles(tmp_path / "r"),
        )
        assert result.outcome is outcome, result.reason
    atoms = start.to_atoms()
    atoms.calc = LammpsCalculator(potential.pair_commands(tmp_path), ["Cu"])
    with DescriptorEngine(LONG, ReferencePotential()) as engine:
        expected = 2 * float(engine.rows(start).energy[0] @ posterior.mean)
    assert atoms.get_potential_energy() == pytest.approx(expected, rel=1e-9)
    atoms.calc.close()


def test_usual_cells_keep_the_usual_room():
    """Rows of a session that has computed a dense cell before are those of a new one, bit for
    bit.
    """
    usual = Configuration.from_atoms(bulk("Cu", cubic=True) * (2, 2, 2))
    with DescriptorEngine(COPPER, ReferencePotential()) as engine:
        alone = engine.rows(usual).values
        engine.rows(dense_copper(0.5))
        np.testing.assert_array_equal(engine.rows(usual).values, alone)
