"""snap_al.potential.snap_calculator: SnapCalculator: the calculator contract for each kind of SNAP,
its stds against the rows', draws against the posterior, ASE's own tools.
"""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ase.calculators.calculator import CalculatorSetupError
from ase.calculators.emt import EMT
from ase.eos import calculate_eos
from ase.filters import FrechetCellFilter
from ase.mep import NEB
from ase.optimize import BFGS
from ase.phonons import Phonons
from helpers.samples import KINDS_OF_SNAP, ZBL, rattled_copper

from snap_al import SnapCalculator
from snap_al.data import Configuration
from snap_al.descriptors import Columns
from snap_al.errors import InputError
from snap_al.inference import fit_posterior
from snap_al.potential import FittedPotential, Snap
from snap_al.potential.calculator import LammpsCalculator
from snap_al.potential.contract import validate_calculator


@pytest.fixture(scope="module", params=list(KINDS_OF_SNAP))
def made_up(request):
    """Coefficients that mean nothing: laws hold for any."""
    settings = KINDS_OF_SNAP[request.param]
    rng, n = np.random.default_rng(0), Columns.of(settings).n_distinct
    return FittedPotential(
        Snap(settings),
        ZBL,
        fit_posterior(rng.standard_normal((3 * n, n)), rng.standard_normal(3 * n)),
    )


@pytest.fixture(scope="module")
def copper(copper_potential, tmp_path_factory):
    """The folder."""
    folder = tmp_path_factory.mktemp("copper")
    copper_potential.write(folder)
    return folder


def test_contract(made_up, alloy):
    for stds in (True, False):
        calculator = SnapCalculator(made_up, stds=stds)
        validate_calculator(calculator, alloy.to_atoms())
        calculator.close()


def test_contract_finds_what_is_wrong(alloy):
    class Wrong(EMT):
        def calculate(self, *args, **kwargs):
            super().calculate(*args, **kwargs)
            self.results["forces"] = self.results["forces"] * 1.01

    with pytest.raises(AssertionError, match="forces against energies"):
        validate_calculator(Wrong(), alloy.to_atoms())


def test_same_as_the_rows_and_as_lammps(made_up, alloy, tmp_path):
    made_up.write(tmp_path)
    calculator, atoms = SnapCalculator(tmp_path), alloy.to_atoms()
    atoms.calc = calculator
    energy, n = atoms.get_potential_energy(), len(atoms)
    results = calculator.results
    with made_up.engine() as engine:
        rows = engine.rows(alloy)
    p = made_up.posterior.predict(
        rows.values, kinds=np.repeat(np.array([0, 1, 2], dtype=np.int8), [1, 3 * n, 6])
    )
    assert energy == pytest.approx(n * (p.mean + rows.reference)[0], rel=1e-12)
    assert results["energy_std"] == pytest.approx(n * p.total_std[0], rel=1e-12)
    np.testing.assert_allclose(results["forces_std"].ravel(), p.total_std[1:-6])
    assert results["energies"].sum() == pytest.approx(energy, rel=1e-10)
    assert results["energies_std"].shape == (n,)
    plain = LammpsCalculator(made_up.pair_commands(tmp_path), made_up.elements)
    atoms.calc = plain
    assert atoms.get_potential_energy() == pytest.approx(energy, rel=1e-9)
    np.testing.assert_allclose(
        atoms.get_forces(), results["forces"], atol=1e-8 * np.abs(results["forces"]).max()
    )
    np.testing.assert_allclose(
        atoms.get_stress(), results["stress"], atol=1e-8 * np.abs(results["stress"]).max()
    )
    for each in (plain, calculator):
        each.close()


def test_draws_scatter_as_the_stds_say(copper):
    """The stds of forces over draws are those that the posterior gives, up to the noise floor and
    the draws' number.
    """
    calculator, atoms = SnapCalculator(copper), rattled_copper(99).to_atoms()
    atoms.calc = calculator
    atoms.get_forces()
    forces = []
    for draw in calculator.draws(120, np.random.default_rng(0)):
        atoms.calc = draw
        forces.append(atoms.get_forces())
        assert "forces_std" not in draw.results
    ratio = np.std(forces, axis=0) / calculator.results["forces_std"]
    assert np.median(ratio) == pytest.approx(1.0, abs=0.1)
    assert (ratio > 0.5).all()


def test_slabs_have_the_same_stress_by_both_ways(made_up):
    slab = fcc111("Cu", (2, 2, 4), vacuum=6.0)
    slab.rattle(0.05, seed=1)
    found = []
    for stds in (True, False):
        slab.calc = SnapCalculator(made_up, stds=stds)
        found.append(slab.get_stress())
        slab.calc.close()
    np.testing.assert_allclose(found[0], found[1], atol=1e-8 * (1 + np.abs(found[0]).max()))


def test_without_a_cell_and_with_other_elements(copper):
    calculator = SnapCalculator(copper)
    pair = Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 2.4]], calculator=calculator)
    assert pair.get_forces()[0] == pytest.approx(-pair.get_forces()[1])
    assert "stress" not in calculator.results
    with pytest.raises(CalculatorSetupError, match="Al: the potential is for Cu"):
        calculator.get_potential_energy(bulk("Al"))
    assert np.isfinite(calculator.get_potential_energy(bulk("Cu"))), "an error leaves it usable"
    with pytest.raises(InputError, match="no fitted potential here"):
        SnapCalculator(copper / "nowhere")


def test_in_optimisers_eos_phonons_and_neb(copper, tmp_path):
    """ASE's own tools, next to the truth that the potential was fitted to."""
    lattice = {}
    for name, calculator in (("snap", SnapCalculator(copper, stds=False)), ("emt", EMT())):
        cell = bulk("Cu", cubic=True)
        cell.calc = calculator
        BFGS(FrechetCellFilter(cell, mask=[1, 1, 1, 0, 0, 0]), logfile=None).run(
            fmax=1e-4, steps=50
        )
        eos = calculate_eos(cell, eps=0.02, npoints=5)
        phonons = Phonons(
            bulk("Cu", a=cell.cell[0, 0]),
            calculator,
            supercell=(3, 3, 3),
            delta=0.02,
            name=tmp_path / name,
        )
        phonons.run()
        phonons.read(acoustic=True)
        lattice[name] = (
            cell.cell[0, 0],
            eos.fit(warn=False)[2] * 160.2,
            1e3 * phonons.band_structure([[0.5, 0.5, 0]])[0].max(),
        )
    for k, tolerance in enumerate((0.005, 0.1, 0.1)):
        assert lattice["snap"][k] == pytest.approx(lattice["emt"][k], rel=tolerance), k
    images = _vacancy_jump(lattice["snap"][0], SnapCalculator(copper))
    energies = [i.get_potential_energy() for i in images]
    assert energies[1] > energies[0], "the middle of the jump is its barrier"
    assert energies[0] == pytest.approx(energies[2], abs=1e-3), "and the two ends are alike"


def _vacancy_jump(a, calculator):
    crystal = bulk("Cu", cubic=True, a=a) * (2, 2, 2)
    start, end = crystal.copy(), crystal.copy()
    neighbour = int(np.argsort(crystal.get_distances(0, range(len(crystal)), mic=True))[1])
    end.positions[neighbour] = crystal.positions[0]
    ends = [start[[i for i in range(32) if i != 0]], end[[i for i in range(32) if i != 0]]]
    images = [ends[0].copy(), ends[0].copy(), ends[1].copy()]
    for image in images:
        image.calc = calculator
    band = NEB(images, allow_shared_calculator=True, method="improvedtangent")
    band.interpolate(mic=True)
    for image in (images[0], images[-1]):
        BFGS(image, logfile=None).run(fmax=0.03, steps=40)
    assert BFGS(band, logfile=None).run(fmax=0.05, steps=60), "the band has converged"
    return images


def test_left_handed_cells_and_names(copper):
    calculator = SnapCalculator(copper)
    left = bulk("Cu", cubic=True) * (2, 1, 1)
    left.rattle(0.1, seed=3)
    energy = calculator.get_potential_energy(left)
    left = Atoms(
        left.symbols,
        positions=left.positions * [1, 1, -1],
        cell=left.cell.array * [1, 1, -1],
        pbc=True,
    )
    assert calculator.get_potential_energy(left) == pytest.approx(energy, rel=1e-10)
    assert calculator.get_property("energy_std", left) > 0
    assert Configuration.from_atoms(left).label.energy is None
