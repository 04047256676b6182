"""snap_al.descriptors.reference: Charges and spins of the reference potential: in rows, turned with
the cell, in MD, and in what is asked for.
"""

from dataclasses import replace

import ase.io
import numpy as np
import pytest
from helpers.samples import COPPER, orthogonal, rattled_copper

from snap_al.data import Configuration
from snap_al.descriptors import DescriptorEngine, ReferencePotential
from snap_al.errors import InputError
from snap_al.label.backend import decode_structure, encode_structure

CHARGED = ReferencePotential.parse(
    ["atom_style charge", "pair_style coul/dsf 0.2 6.0", "pair_coeff * *"]
)
SPIN = ReferencePotential.parse(
    [
        "atom_style spin",
        "pair_style spin/exchange 4.0",
        "pair_coeff * * exchange 4.0 0.2 0.28 2.5",
        "fix spins all nve/spin lattice moving",
    ]
)


def with_moments(seed=1):
    c = rattled_copper(seed, repeat=1)
    rng = np.random.default_rng(seed)
    spins = rng.standard_normal((4, 3))
    return replace(c, charges=np.array([0.5, -0.5, 0.7, -0.7]), spins=spins)


@pytest.fixture(scope="module", params=["charge", "spin"])
def engine(request):
    with DescriptorEngine(COPPER, CHARGED if request.param == "charge" else SPIN) as opened:
        yield opened


def test_reference_forces_are_gradients(engine):
    c, step = with_moments(), 1e-4
    reference = engine.rows(c).reference
    assert abs(reference[0]) > 1e-3
    for atom, axis in ((0, 0), (2, 1), (3, 2)):
        energies = []
        for sign in (1, -1):
            positions = c.positions.copy()
            positions[atom, axis] += sign * step
            energies.append(4 * engine.rows(replace(c, positions=positions)).reference[0])
        slope = -(energies[0] - energies[1]) / (2 * step)
        assert reference[1 + 3 * atom + axis] == pytest.approx(slope, abs=1e-5)


@pytest.mark.parametrize("mirror", [False, True])
def test_moments_turn_with_the_cell(engine, mirror):
    """Spins are axial: a mirror turns them round."""
    c, q = with_moments(), orthogonal(5, mirror)
    turned = replace(
        c, cell=c.cell @ q, positions=c.positions @ q, spins=np.linalg.det(q) * c.spins @ q
    )
    one, other = engine.rows(c).reference, engine.rows(turned).reference
    assert other[0] == pytest.approx(one[0], rel=1e-9)
    np.testing.assert_allclose(other[1:-6].reshape(-1, 3), one[1:-6].reshape(-1, 3) @ q, atol=1e-8)


def test_what_the_style_needs_must_be_there(engine):
    with pytest.raises(InputError, match=r"no (charges|spins), which atom_style"):
        engine.rows(rattled_copper(1, repeat=1))


def test_they_travel(tmp_path):
    """Through ASE, extended XYZ and the labels' files; a structure with other moments is another
    request.
    """
    c = with_moments()
    ase.io.write(tmp_path / "a.extxyz", c.to_atoms(), format="extxyz")
    back = Configuration.from_atoms(ase.io.read(tmp_path / "a.extxyz"))
    np.testing.assert_allclose(back.charges, c.charges, atol=1e-7)
    np.testing.assert_allclose(back.spins, c.spins, atol=1e-7)
    assert decode_structure(encode_structure(c)).key == c.key
    assert replace(c, charges=-c.charges).key != c.key
    collinear = Configuration.from_atoms(replace(c, spins=np.ones(4)).to_atoms())
    assert collinear.spins.shape == (4,)
