"""snap_al.potential.model: What the rest of the package needs of a model: of SNAP, and of one that
is not snap_al's.
"""

import numpy as np
import pytest
from helpers.samples import KINDS_OF_SNAP, rattled_copper, two_units

from snap_al.potential import Snap
from snap_al.potential.contract import validate_model


def alloy():
    atoms = rattled_copper(5, 0.1, repeat=1).to_atoms() * (2, 1, 1)
    atoms.symbols[::3] = "Ag"
    atoms.positions += 0.05 * np.random.default_rng(2).standard_normal(atoms.positions.shape)
    return atoms


@pytest.mark.parametrize("kind", KINDS_OF_SNAP)
def test_snap_keeps_the_contract(kind):
    validate_model(Snap(KINDS_OF_SNAP[kind]), alloy())


def test_another_model_keeps_the_contract():
    atoms = alloy()
    atoms.symbols[:] = "Cu"
    validate_model(two_units(), atoms, tolerance=1e-5)
