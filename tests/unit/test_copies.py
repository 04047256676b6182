"""snap_al.potential.snap_calculator: Calculators copied, pickled and sent to other processes: the
same results to the last bit, and sessions of their own.
"""

import copy
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.mep import NEB
from ase.optimize import BFGS
from helpers.samples import rattled_copper

from snap_al import FittedPotential, SnapCalculator
from snap_al.data import Configuration
from snap_al.descriptors import DescriptorEngine, ReferencePotential
from snap_al.potential.calculator import LammpsCalculator

EAM = ["pair_style eam/alloy", "pair_coeff * * Cu_mishin1.eam.alloy Cu"]
COPPER_ZBL = ReferencePotential.parse(["pair_style zbl 1.5 2.0", "pair_coeff 1 1 29 29"])
KINDS = (
    "with stds",
    "without stds",
    "with a reference potential",
    "a draw",
    "any LAMMPS potential",
)


def made(potential: FittedPotential, kind: str):
    if kind == "any LAMMPS potential":
        return LammpsCalculator(EAM, ["Cu"])
    if kind == "with a reference potential":
        return SnapCalculator(
            FittedPotential(potential.model, COPPER_ZBL, potential.posterior), stds=False
        )
    if kind == "a draw":
        return SnapCalculator(potential).draws(2, np.random.default_rng(0))[1]
    return SnapCalculator(potential, stds=kind == "with stds")


def results_of(atoms: Atoms) -> dict[str, np.ndarray]:
    """Computed anew, whatever was known."""
    atoms.calc.reset()
    atoms.get_potential_energy()
    return {name: np.array(value) for name, value in atoms.calc.results.items()}


def assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert {"energy", "forces", "stress"} <= set(one) == set(other)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_copied_and_pickled(copper_potential, kind):
    """Before the first call, after it, and after close; the original goes on as well, and each of
    them without the others.
    """
    atoms, other = rattled_copper(1).to_atoms(), rattled_copper(2).to_atoms()
    atoms.calc = made(copper_potential, kind)
    early = copy.deepcopy(atoms)
    expected = results_of(atoms)
    copies = [early, copy.deepcopy(atoms), pickle.loads(pickle.dumps(atoms)), other]
    other.calc = pickle.loads(pickle.dumps(atoms.calc))
    other.positions = atoms.positions
    other.cell = atoms.cell
    for copied in copies[1:3]:
        assert copied.get_potential_energy() == expected["energy"], "what was known is still known"
    for copied in copies:
        assert copied.calc is not atoms.calc
        assert_same(results_of(copied), expected)
    early.calc.close()
    assert_same(results_of(atoms), expected)
    atoms.calc.close()
    assert_same(results_of(copies[1]), expected)
    closed = pickle.loads(pickle.dumps(atoms))
    for each in (closed, atoms):
        assert_same(results_of(each), expected)
    assert atoms.copy().calc is None, "ASE's own copy has no calculator"
    for copied in (atoms, closed, *copies):
        copied.calc.close()


def test_draws_outlive_the_calculator(copper_potential):
    """They need nothing of it, not even files."""
    calculator = SnapCalculator(copper_potential)
    atoms = rattled_copper(1).to_atoms()
    (draw,) = calculator.draws(1, np.random.default_rng(3))
    atoms.calc = draw
    expected = results_of(atoms)
    calculator.close()
    del calculator
    draw.close()
    assert_same(results_of(atoms), expected)
    draw.close()


def test_no_files_are_left(copper_potential, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    atoms = rattled_copper(1).to_atoms()
    for kind in ("without stds", "a draw", "with a reference potential"):
        atoms.calc = made(copper_potential, kind)
        results_of(atoms)
        assert not list(tmp_path.iterdir())
        atoms.calc.close()


@pytest.mark.parametrize("start", ["spawn", "fork"])
def test_sent_to_a_process_pool(copper_potential, start):
    """Several calculators to several processes, more than once, from one that has been used and has
    LAMMPS open.
    """
    tasks = []
    for n, kind in enumerate(KINDS):
        atoms = rattled_copper(n).to_atoms()
        atoms.calc = made(copper_potential, kind)
        tasks.append(atoms)
    expected = [results_of(atoms) for atoms in tasks]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(start)) as pool:
        for _ in range(2):
            for found, known in zip(pool.map(results_of, tasks), expected, strict=True):
                assert_same(found, known)
    for atoms, known in zip(tasks, expected, strict=True):
        assert_same(results_of(atoms), known)
        atoms.calc.close()


def test_an_engine_of_descriptors(copper_potential):
    configuration = Configuration.from_atoms(rattled_copper(1).to_atoms())
    with DescriptorEngine(copper_potential.model.settings, ReferencePotential()) as engine:
        expected = engine.rows(configuration).values
        with pickle.loads(pickle.dumps(engine)) as copied:
            np.testing.assert_array_equal(copied.rows(configuration).values, expected)
        np.testing.assert_array_equal(engine.rows(configuration).values, expected)


def test_bands_with_one_calculator_and_with_one_each(copper_potential):
    """A vacancy's jump: images that share a calculator, and images with copies of it, come to the
    same band.
    """
    crystal = bulk("Cu", cubic=True, a=3.6) * (2, 2, 2)
    neighbour = 1 + int(np.argmin(crystal.get_distances(0, range(1, 32), mic=True)))
    start, end = crystal.copy(), crystal.copy()
    end.positions[neighbour] = crystal.positions[0]
    start, end = start[1:], end[1:]
    found = []
    for shared in (True, False):
        calculator = SnapCalculator(copper_potential, stds=False)
        images = [start.copy(), start.copy(), start.copy(), end.copy()]
        for image in images:
            image.calc = calculator if shared else copy.deepcopy(calculator)
        band = NEB(images, allow_shared_calculator=shared)
        band.interpolate(mic=True)
        BFGS(band, logfile=None).run(fmax=0.05, steps=5)
        found.append([image.get_potential_energy() for image in images])
        for image in images:
            image.calc.close()
    assert found[0] == found[1]
