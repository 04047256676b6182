"""snap_al.loop.compositions: Energy stds of single atoms where compositions do not vary, and
energies whose zero a model without constants cannot have.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from snap_al.data import Configuration, Label, LabelledConfiguration, Weights
from snap_al.descriptors import DescriptorEngine, ReferencePotential, SnapSettings
from snap_al.errors import InputError
from snap_al.inference import fit_settings, row_std
from snap_al.loop.training import TrainingSet
from snap_al.parallel import SERIAL
from snap_al.potential import FittedPotential, Snap
from snap_al.potential.snap_calculator import SnapCalculator
from snap_al.potential.variance import element_root, std_mod

L10 = Atoms("AuCu", cell=[2.8, 2.8, 3.9], pbc=True, scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5]])
CRYSTALS = {
    "L1_0": L10 * (2, 2, 2),
    "NaCl": bulk("CuAu", "rocksalt", a=5.6, cubic=True) * (2, 2, 1),
    "CsCl": bulk("CuAu", "cesiumchloride", a=3.1) * (2, 2, 2),
    "copper": bulk("Cu", cubic=True) * (2, 2, 1),
}


def labelled(crystal, seed, shift=0.0):
    """Strained and rattled, by EMT; shift: eV added for each atom."""
    rng = np.random.default_rng(seed)
    atoms = crystal.copy()
    atoms.set_cell(
        atoms.cell.array @ (np.eye(3) + 0.02 * rng.standard_normal((3, 3))), scale_atoms=True
    )
    atoms.positions += 0.05 * rng.standard_normal(atoms.positions.shape)
    atoms.calc = EMT()
    energy = atoms.get_potential_energy() + shift * len(atoms)
    label = Label(energy, atoms.get_forces(), atoms.get_stress())
    configuration = Configuration.from_atoms(atoms, f"frame {seed}").labelled(label)
    return LabelledConfiguration(configuration, Weights(100.0, 1.0, 1e-5))


def fitted(crystal, bzeroflag=False, shift=0.0, n=10):
    elements = tuple(sorted(set(crystal.get_chemical_symbols())))
    settings = SnapSettings(elements=elements, twojmax=4, rcutfac=4.8, bzeroflag=bzeroflag)
    with DescriptorEngine(settings, ReferencePotential()) as engine:
        training = TrainingSet(SimpleNamespace(fit=fit_settings()), engine, SERIAL)
        training.add([labelled(crystal, k, shift) for k in range(n)])
        return FittedPotential(Snap(settings), ReferencePotential(), training.fit())


@pytest.mark.parametrize("bzeroflag", [False, True])
@pytest.mark.parametrize("name", CRYSTALS)
def test_no_atom_is_less_certain_than_its_cell(name, bzeroflag):
    crystal = CRYSTALS[name].copy()
    potential = fitted(crystal, bzeroflag)
    crystal.calc = SnapCalculator(potential)
    whole = crystal.calc.get_property("energy_std", crystal)
    atoms = crystal.calc.get_property("energies_std", crystal)
    assert atoms.max() < 3.0 * whole
    assert (atoms > 0).all()


def test_only_what_the_cells_energy_does_not_have_is_left_out():
    """Rows of whole cells are what they were: the shares of all atoms' references add up to zero at
    the composition.
    """
    crystal = CRYSTALS["NaCl"]
    potential = fitted(crystal)
    p, species = potential.posterior, crystal.get_chemical_symbols()
    numbers = np.array([potential.elements.index(s) for s in species])
    np.testing.assert_allclose(
        p.atom_reference[numbers].mean(axis=0), 0.0, atol=1e-9 * np.abs(p.atom_reference).max()
    )
    with DescriptorEngine(potential.model.settings, ReferencePotential()) as engine:
        rows = engine.atom_rows(Configuration.from_atoms(crystal))
        columns = engine.columns
    assert row_std(rows, p.covariance).max() > 10.0 * p.atom_energy_std(rows, numbers).max()
    components = rows[
        0, columns.block(numbers[0])
    ]  # what LAMMPS evaluates: constant and components of one atom
    expected = np.linalg.norm(components @ element_root(columns, p, int(numbers[0])))
    assert p.atom_energy_std(rows, numbers)[0] == pytest.approx(expected, rel=1e-9)
    assert f"variable snap_std_limit equal {1.5 * p.atom_std:.6g}" in std_mod(
        potential.model.settings, p
    )


def test_compositions_that_vary_leave_nothing_out():
    crystal = CRYSTALS["NaCl"]
    settings = SnapSettings(elements=("Au", "Cu"), twojmax=2, rcutfac=4.8)
    with DescriptorEngine(settings, ReferencePotential()) as engine:
        training = TrainingSet(SimpleNamespace(fit=fit_settings()), engine, SERIAL)
        other = crystal.copy()
        other.symbols[0] = "Au" if other.symbols[0] == "Cu" else "Cu"
        training.add([labelled(crystal, 1), labelled(other, 2)])
        assert not len(training.fit().atom_reference)


def test_energies_whose_zero_a_model_without_constants_cannot_have_are_refused():
    with pytest.raises(InputError, match=r"cannot be met: with bzeroflag: 1.*eshift: \{Cu: 1000\d"):
        fitted(CRYSTALS["copper"], bzeroflag=True, shift=-1e4)
    assert fitted(CRYSTALS["copper"], shift=-1e4).posterior.atom_std > 0
