"""snap_al.potential.network: A network is a model like others, and LAMMPS computes it."""

import json

import numpy as np
import pytest
from helpers.networks import in_lammps, network_of, same_bits
from helpers.samples import CHEM, COPPER, INNER, PLAIN, QUADRATIC, ZBL
from unit.test_derivatives import MIXED, skewed

from snap_al.data import Configuration
from snap_al.descriptors import DescriptorEngine, ReferencePotential
from snap_al.errors import InputError
from snap_al.potential.contract import validate_model
from snap_al.potential.network import Network

SMALL = CHEM.model_copy(update={"twojmax": (2, 2)})
KINDS = {
    "chem": SMALL,
    "plain": PLAIN,
    "inner": INNER,
    "one twojmax each": SMALL.model_copy(update={"twojmax": (1, 2)}),
    "one": COPPER,
}


def alloy(elements=("Cu", "Ag")):
    """In an orthogonal cell."""
    atoms = skewed().to_atoms()
    atoms.set_cell([7.3, 3.7, 3.6], scale_atoms=True)
    atoms.positions += 0.05 * np.random.default_rng(2).standard_normal(atoms.positions.shape)
    if len(elements) == 1:
        atoms.symbols[:] = elements[0]
    return atoms


@pytest.mark.parametrize("kind", KINDS)
def test_it_keeps_the_contract(kind):
    atoms = alloy(KINDS[kind].elements)
    validate_model(network_of(KINDS[kind], atoms), atoms)


def predicted(model, reference, atoms, coefficients):
    with model.engine(reference) as engine:
        rows = engine.rows(Configuration.from_atoms(atoms))
    values = rows.values @ coefficients + rows.reference
    return values[0] * len(atoms), values[1:-6].reshape(-1, 3)


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize(
    ("kind", "reference"),
    [("chem", ZBL), ("plain", ReferencePotential())],
    ids=["chem and zbl", "plain alone"],
)
def test_lammps_computes_the_same(kind, reference, ranks, tmp_path):
    """Coefficients of 1 eV: the skip goes through tanh, and what that costs is seen."""
    settings, atoms = KINDS[kind], alloy()
    model = network_of(settings, atoms, sizes=(7, 5))
    coefficients = np.random.default_rng(4).standard_normal(model.columns.n_distinct)
    for ending, text in model.files(coefficients).items():
        (tmp_path / f"a{ending}").write_text(text)
    style, tail = model.pair_style(lambda ending: f"a{ending}")
    lines = reference.commands((style, (tail,)))
    energy, forces = in_lammps(atoms, list(settings.elements), lines, tmp_path, ranks)
    expected, expected_forces = predicted(model, reference, atoms, coefficients)
    assert abs(energy - expected) / len(atoms) < 2e-9
    np.testing.assert_allclose(forces, expected_forces, atol=2e-10 * np.abs(forces).max())


def test_reference_and_vanishing_rows_are_those_of_snap():
    atoms = alloy()
    crystal = alloy()
    crystal.positions = crystal.get_scaled_positions().round(0) @ crystal.cell.array
    crystal.positions += np.arange(len(atoms))[:, None] * [0.9, 0.0, 0.0]
    with DescriptorEngine(CHEM, ZBL) as plain, network_of(CHEM, atoms).engine(ZBL) as engine:
        for each in (atoms, crystal):
            configuration = Configuration.from_atoms(each)
            expected, _, of_atoms = plain.rows_with_atoms(configuration)
            found, _, energies = engine.rows_with_atoms(configuration)
            np.testing.assert_allclose(found.reference, expected.reference, rtol=1e-10, atol=1e-9)
            np.testing.assert_allclose(energies, of_atoms, rtol=1e-10)
            assert np.array_equal(found.vanishing, expected.vanishing)


def test_what_is_stored_gives_the_same_bits():
    model = network_of(CHEM, alloy())
    again = Network.restored(json.loads(json.dumps(model.stored())))
    assert again.settings == model.settings
    assert same_bits(again.hidden, model.hidden)
    with model.engine(ZBL) as one, again.engine(ZBL) as other:
        assert one.fingerprint == other.fingerprint


def test_an_atom_without_neighbours_has_no_energy_with_bzeroflag():
    alone = Configuration(np.eye(3) * 20.0, np.zeros((1, 3)), ("Cu",))
    with network_of(PLAIN, alloy()).engine(ReferencePotential()) as engine:
        assert np.abs(engine.atom_rows(alone)).max() < 1e-12


def test_names_of_columns():
    model = network_of(CHEM, alloy())
    names = model.column_names()
    assert len(names) == model.columns.n_distinct
    assert names[0] == "Cu:constant"
    assert [names[k] for k in model.columns_named(["unit 2"])] == ["Cu:unit 2", "Ag:unit 2"]
    assert model.columns_named([3, "Ag:constant"]) == (3, names.index("Ag:constant"))
    assert len(model.columns_named(["Ag"])) == len(names) // 2
    with pytest.raises(InputError, match="'unit 9' is no column"):
        model.columns_named(["unit 9"])


def test_layers_that_do_not_fit():
    model = network_of(CHEM, alloy())
    with pytest.raises(InputError, match="quadraticflag"):
        Network(QUADRATIC, model.hidden)
    with pytest.raises(InputError, match="layers of 1 elements"):
        Network(CHEM, model.hidden[:1])
    with pytest.raises(InputError, match="other components"):
        Network(MIXED, model.hidden)
    with pytest.raises(InputError, match="takes one for all"):
        Network(CHEM, (model.hidden[0], network_of(CHEM, alloy(), sizes=(6, 4)).hidden[1]))
    stored = model.stored()
    stored["hidden"][0]["biases"][0][0] = float("nan")
    with pytest.raises(InputError, match="not finite"):
        Network.restored(stored)
