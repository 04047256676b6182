"""snap_al.descriptors.engine: Rows of one configuration: derivatives of the energy, in the
configuration's own axes, whatever those are.
"""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from helpers.samples import orthogonal
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from snap_al.data import Configuration
from snap_al.descriptors import DescriptorEngine, ReferencePotential, SnapSettings
from snap_al.errors import InputError
from snap_al.sessions.box import VOIGT
from snap_al.units import ASE_STRESS_TO_ROWS


@pytest.fixture(scope="module")
def coefficients(engine):
    return np.random.default_rng(1).standard_normal(engine.columns.n_distinct) * 0.01


def energy(engine, configuration, coefficients):
    rows = engine.rows(configuration)
    return len(configuration) * float(rows.energy[0] @ coefficients + rows.reference[0])


def all_of(engine, configuration, coefficients):
    rows = engine.rows(configuration)
    values = rows.values @ coefficients + rows.reference
    return (
        values[0] * len(configuration),
        values[1:-6].reshape(-1, 3),
        values[-6:] / ASE_STRESS_TO_ROWS,
    )


def moved(c, cell=None, positions=None):
    return Configuration(
        c.cell if cell is None else cell,
        c.positions if positions is None else positions,
        c.species,
        c.pbc,
    )


def test_forces_are_the_energys_gradient(engine, alloy, coefficients):
    _, forces, _ = all_of(engine, alloy, coefficients)
    h = 1e-4
    for atom, axis in ((0, 0), (1, 1), (4, 2), (7, 0)):
        step = np.zeros_like(alloy.positions)
        step[atom, axis] = h
        e = [
            energy(engine, moved(alloy, positions=alloy.positions + s * step), coefficients)
            for s in (1, -1)
        ]
        assert (e[1] - e[0]) / (2 * h) == pytest.approx(
            forces[atom, axis], abs=1e-5 * np.abs(forces).max()
        )


def test_stress_is_the_energys_strain_derivative(engine, alloy, coefficients):
    _, _, stress = all_of(engine, alloy, coefficients)
    h = 1e-4
    for k, (i, j) in enumerate(VOIGT):
        strain = np.zeros((3, 3))
        strain[i, j] += h / 2
        strain[j, i] += h / 2
        e = [
            energy(
                engine,
                moved(
                    alloy,
                    alloy.cell @ (np.eye(3) + s * strain),
                    alloy.positions @ (np.eye(3) + s * strain),
                ),
                coefficients,
            )
            for s in (1, -1)
        ]
        assert (e[0] - e[1]) / (2 * h) / alloy.volume == pytest.approx(
            stress[k], abs=1e-5 * np.abs(stress).max()
        )


@given(seed=st.integers(0, 10**6), mirror=st.booleans())
@hypothesis_settings(max_examples=25, deadline=None)
def test_orientation_does_not_matter(engine, alloy, coefficients, seed, mirror):
    """Rotated, and mirrored into a left-handed cell: same energy, rotated forces and stress."""
    q = orthogonal(seed, mirror)
    turned = moved(alloy, alloy.cell @ q, alloy.positions @ q)
    e0, f0, s0 = all_of(engine, alloy, coefficients)
    e1, f1, s1 = all_of(engine, turned, coefficients)
    full = np.zeros((3, 3))
    for k, (i, j) in enumerate(VOIGT):
        full[i, j] = full[j, i] = s0[k]
    expected = q.T @ full @ q
    assert e1 == pytest.approx(e0, rel=1e-10)
    np.testing.assert_allclose(f1, f0 @ q, atol=1e-9 * np.abs(f0).max())
    np.testing.assert_allclose(s1, [expected[i, j] for i, j in VOIGT], atol=1e-9 * np.abs(s0).max())


def test_supercell_of_a_tiny_cell(copper_engine):
    """A cell far smaller than the cutoff sees its own images."""
    primitive = Configuration(
        np.array([[0, 1.8, 1.8], [1.8, 0, 1.8], [1.8, 1.8, 0.0]]), np.zeros((1, 3)), ("Cu",)
    )
    repeated = Configuration.from_atoms(primitive.to_atoms() * (3, 3, 3))
    np.testing.assert_allclose(
        copper_engine.rows(primitive).energy,
        copper_engine.rows(repeated).energy,
        rtol=1e-12,
        atol=1e-12,
    )


def test_open_boundary_is_that_of_a_wide_vacuum(copper_engine):
    atoms = Atoms("Cu3", [[0, 0, 0], [2.2, 0.3, 0.1], [0.5, 2.1, 0.4]])
    free = copper_engine.rows(Configuration.from_atoms(atoms)).values[:-6]
    atoms.set_cell([40, 40, 40])
    atoms.pbc = True
    np.testing.assert_allclose(
        free, copper_engine.rows(Configuration.from_atoms(atoms)).values[:-6], atol=1e-10
    )


def test_a_session_has_no_memory(engine, alloy):
    """Bit for bit: what was computed before must not matter, or a resumed run would differ."""
    first = engine.rows(alloy)
    engine.rows(
        Configuration.from_atoms(Atoms("CuAg", [[0, 0, 0], [2.5, 0, 0]], cell=[9, 8, 7], pbc=True))
    )
    again = engine.rows(alloy)
    engine.close()
    fresh = engine.rows(alloy)
    for other in (again, fresh):
        assert np.array_equal(first.values, other.values)
        assert np.array_equal(first.reference, other.reference)


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (Atoms("Au", cell=[4, 4, 4], pbc=True), "element Au has no type"),
        (Atoms("Cu", [[np.nan, 0, 0]], cell=[4, 4, 4], pbc=True), "NaN"),
        (Atoms("Cu", cell=[4, 4, 0], pbc=True), "no volume"),
        (Atoms(cell=[4, 4, 4], pbc=True), "no atoms"),
    ],
)
def test_what_cannot_be_computed_is_refused(engine, atoms, message):
    with pytest.raises(InputError, match=message):
        engine.rows(Configuration.from_atoms(atoms, "bad one"))


def test_reference_that_lammps_refuses(alloy):
    reference = ReferencePotential.parse(["pair_style zbl 5.0 4.0", "pair_coeff * * 29 29"])
    settings = SnapSettings(elements=("Cu", "Ag"), twojmax=2, rcutfac=4.0)
    with (
        DescriptorEngine(settings, reference) as engine,
        pytest.raises(InputError, match=r"LAMMPS refused .*zbl 5\.0 4\.0"),
    ):
        engine.rows(alloy)


def test_atoms_rows_make_the_energy_row(engine, alloy):
    """Their mean, in the atoms' order, each zero outside its element's columns; after other
    computes on the session too.
    """
    rows = engine.rows(alloy)
    atoms = engine.atom_rows(alloy)
    np.testing.assert_allclose(
        atoms.mean(axis=0), rows.energy[0], rtol=1e-10, atol=1e-12 * np.abs(atoms).max()
    )
    np.testing.assert_array_equal(engine.rows(alloy).values, rows.values)
    order = np.random.default_rng(0).permutation(len(alloy))
    turned = replace(
        alloy, positions=alloy.positions[order], species=tuple(alloy.species[k] for k in order)
    )
    np.testing.assert_allclose(
        engine.atom_rows(turned), atoms[order], rtol=1e-9, atol=1e-10 * np.abs(atoms).max()
    )


def test_one_component_alone(alloy):
    """LAMMPS' module has the array of a compute with one column as a vector."""
    settings = SnapSettings(elements=("Cu", "Ag"), twojmax=0, rcutfac=4.5)
    with DescriptorEngine(settings, ReferencePotential()) as engine:
        rows, atoms, _ = engine.rows_with_atoms(alloy)
        np.testing.assert_allclose(atoms.mean(axis=0), rows.energy.ravel(), rtol=1e-9)
        np.testing.assert_allclose(engine.atom_rows(alloy), atoms, rtol=1e-12)
