"""snap_al.descriptors.derivatives: Derivatives atom by atom: their sums are the rows of SNAP, and
each is a difference of components.
"""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from helpers.samples import CHEM, INNER, PLAIN, QUADRATIC, rattled_copper

from snap_al.data import Configuration
from snap_al.data.rows import ENERGY, FORCES, STRESS
from snap_al.descriptors import Columns, DescriptorEngine, ReferencePotential, derivatives
from snap_al.descriptors.derivatives import DerivativesEngine, used_components
from snap_al.errors import InputError
from snap_al.units import BAR_PER_EV_PER_A3

CELLS = {
    "triclinic": (True, True, True),
    "one open axis": (True, False, True),
    "open": (False, False, False),
}
MIXED = CHEM.model_copy(update={"twojmax": (4, 2)})
SETTINGS = {"chem": CHEM, "plain": PLAIN, "inner": INNER, "one twojmax each": MIXED}


def skewed(pbc=(True, True, True), repeat=1) -> Configuration:
    atoms = rattled_copper(5, 0.1, repeat=1).to_atoms() * (2, repeat, 1)
    atoms.symbols[::3] = "Ag"
    atoms.set_cell(atoms.cell @ [[1, 0.2, 0.1], [0.2, 1, 0], [0.1, 0.3, 1]], scale_atoms=True)
    rng = np.random.default_rng(3)
    atoms.positions += 3.0 + 0.05 * rng.standard_normal(atoms.positions.shape)
    atoms.pbc = pbc
    return Configuration.from_atoms(atoms)


def linear_rows(settings, engine, configuration):
    """Rows over all columns, from derivatives."""
    found, columns = engine.derivatives(configuration), Columns.of(settings)
    n, width = len(configuration), columns.n_all // columns.n_elements
    full = np.zeros((1 + 3 * n + 6, columns.n_all))
    forces = np.zeros((n, 3, columns.n_all))
    for i in range(n):
        block = found.elements[i] * width + int(columns.has_constant) + engine.kept
        full[ENERGY, block] += found.components[i] / n
        full[STRESS, block] += found.virial[i] * BAR_PER_EV_PER_A3 / engine.volume(configuration)
        for a, j in enumerate(found.neighbours[i]):
            forces[j][:, block] += found.forces[i, a]
        if columns.has_constant:
            full[ENERGY, found.elements[i] * width] += 1.0 / n
    full[FORCES] = forces.reshape(3 * n, -1)
    return columns.keep_distinct(full)


@pytest.mark.parametrize("kind", SETTINGS)
@pytest.mark.parametrize("cell", CELLS)
def test_sums_are_the_rows_of_snap(kind, cell):
    settings, configuration = SETTINGS[kind], skewed(CELLS[cell])
    with (
        DescriptorEngine(settings, ReferencePotential()) as plain,
        DerivativesEngine(settings) as engine,
    ):
        expected = plain.rows(configuration).values
        found = linear_rows(settings, engine, configuration)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())
        components = engine.components(configuration)
        np.testing.assert_allclose(
            components, engine.derivatives(configuration).components, rtol=1e-10, atol=1e-10
        )


@pytest.mark.parametrize("cell", CELLS)
def test_clusters_of_a_large_cell(cell, monkeypatch):
    configuration = skewed(CELLS[cell], repeat=2)
    with DescriptorEngine(CHEM, ReferencePotential()) as plain, DerivativesEngine(CHEM) as engine:
        expected = plain.rows(configuration).values
        monkeypatch.setattr(derivatives, "ALL_AT_ONCE", 3)
        monkeypatch.setattr(derivatives, "AT_ONCE", 5)
        found = linear_rows(CHEM, engine, configuration)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())


def test_each_is_a_difference_of_components():
    configuration, h = skewed(), 1e-4
    with DerivativesEngine(CHEM) as engine:
        found = engine.derivatives(configuration)
        for j, axis in ((0, 0), (3, 2)):
            step = np.zeros_like(configuration.positions)
            step[j, axis] = h
            there, here = (
                engine.components(replace(configuration, positions=configuration.positions + s))
                for s in (step, -step)
            )
            by_j = np.where((found.neighbours == j)[:, :, None], found.forces[:, :, axis], 0.0).sum(
                axis=1
            )
            np.testing.assert_allclose(
                -(there - here) / (2 * h), by_j, atol=1e-6 * np.abs(found.forces).max()
            )


def test_elements_use_their_own_components():
    assert used_components(CHEM).all()
    copper, silver = used_components(MIXED)
    assert copper.all()
    assert 0 < silver.sum() < len(silver)


def test_what_cannot_be_computed():
    with pytest.raises(InputError, match="quadraticflag"):
        DerivativesEngine(QUADRATIC)
    configuration = skewed()
    positions = configuration.positions.copy()
    positions[1] = positions[0]
    with (
        DerivativesEngine(CHEM) as engine,
        pytest.raises(InputError, match="atoms 0 and 1 coincide"),
    ):
        engine.derivatives(replace(configuration, positions=positions))


def test_a_copy_opens_a_session_of_its_own():
    with DerivativesEngine(PLAIN) as engine:
        first = engine.derivatives(skewed())
        copy = pickle.loads(pickle.dumps(engine))
    with copy:
        assert np.array_equal(copy.derivatives(skewed()).forces, first.forces)
