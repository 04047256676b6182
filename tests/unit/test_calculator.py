"""snap_al.potential.calculator: A LAMMPS potential as an ASE calculator: derivatives by finite
differences, whatever the cell, and laws.
"""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ase.calculators.calculator import CalculatorSetupError
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress

from snap_al.errors import LammpsError
from snap_al.label import AseLabeler
from snap_al.potential.calculator import LammpsCalculator

NICKEL_HYDROGEN = {
    "elements": ["Ni", "H"],
    "commands": ["pair_style eam/alloy", "pair_coeff * * NiAlH_jea.eam.alloy Ni H"],
}


@pytest.fixture(scope="module")
def calculator():
    made = LammpsCalculator(**NICKEL_HYDROGEN)
    yield made
    made.close()


def sheared(seed: int) -> Atoms:
    """A turned, sheared, rattled cell, left-handed for odd seeds, with hydrogen in it."""
    rng = np.random.default_rng(seed)
    atoms = bulk("Ni", cubic=True) * (2, 2, 2)
    atoms.append("H")
    atoms.positions[-1] = (1.7, 0.1, 0.0)
    atoms.rotate(37.0, (1, 2, 3), rotate_cell=True)
    atoms.set_cell(atoms.cell @ (np.eye(3) + rng.uniform(-0.05, 0.05, (3, 3))), scale_atoms=True)
    if seed % 2:
        atoms = Atoms(
            atoms.symbols,
            positions=atoms.positions * [1, 1, -1],
            cell=atoms.cell.array * [1, 1, -1],
            pbc=True,
        )
    atoms.rattle(0.08, seed=seed)
    return atoms


@pytest.mark.parametrize("seed", [0, 1])
def test_derivatives(calculator, seed):
    atoms = sheared(seed)
    atoms.calc = calculator
    few = [0, 7, len(atoms) - 1]
    assert np.allclose(
        atoms.get_forces()[few], calculate_numerical_forces(atoms, eps=1e-4, iatoms=few), atol=1e-6
    )
    assert np.allclose(atoms.get_stress(), calculate_numerical_stress(atoms, eps=1e-5), atol=1e-7)


def test_an_open_boundary_and_back(calculator):
    slab = fcc111("Ni", (2, 2, 4), vacuum=8.0)
    slab.rattle(0.05, seed=1)
    slab.calc = calculator
    few = [0, 15]
    assert np.allclose(
        slab.get_forces()[few], calculate_numerical_forces(slab, eps=1e-4, iatoms=few), atol=1e-6
    )
    stress = slab.get_stress()
    slab.cell[2] *= 2
    assert np.allclose(slab.get_stress(), stress / 2, atol=1e-12), (
        "per volume of the cell, whatever the vacuum"
    )
    assert np.allclose(slab.get_stress(), calculate_numerical_stress(slab, eps=1e-5), atol=1e-7)
    periodic = sheared(0)
    periodic.calc = calculator
    first = periodic.get_potential_energy()
    double = periodic * (2, 1, 1)
    double.calc = calculator
    assert double.get_potential_energy() == pytest.approx(2 * first, rel=1e-12)


def test_errors_are_plain_and_leave_it_usable(calculator):
    with pytest.raises(CalculatorSetupError, match="Cu: the potential is for Ni, H"):
        calculator.get_potential_energy(bulk("Cu", cubic=True))
    with pytest.raises(LammpsError):
        LammpsCalculator(
            ["pair_style eam/alloy", "pair_coeff * * nowhere.eam Ni"], ["Ni"]
        ).get_potential_energy(bulk("Ni", cubic=True))
    atoms = sheared(0)
    atoms.calc = calculator
    assert np.isfinite(atoms.get_potential_energy())


def test_as_a_labeler():
    from snap_al.data import Configuration

    labeler = AseLabeler("snap_al.potential.calculator.LammpsCalculator", NICKEL_HYDROGEN)
    label = labeler.label(Configuration.from_atoms(sheared(1)))
    assert label.forces.shape == (33, 3)
    assert label.stress.shape == (6,)
