"""snap_al.sessions.box: Boxes of LAMMPS: coincident atoms against all pairs, and time in proportion
to the number of atoms.
"""

import numpy as np
import pytest
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st

from snap_al.data import Configuration
from snap_al.sessions import Box, box_of, wrapped


def slow(box: Box, distance: float) -> tuple[int, int] | None:
    """Every pair, one after another."""
    fractional = box.positions @ np.linalg.inv(box.lower)
    for i in range(len(fractional)):
        apart = fractional[i] - fractional
        apart -= np.round(apart)
        near = np.sum((apart @ box.lower) ** 2, axis=1) < distance**2
        near[i] = False
        if near.any():
            return i, int(np.argmax(near))
    return None


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 40),
    distance=st.sampled_from([0.01, 0.3, 1.0, 5.0]),
    stretch=st.tuples(*[st.sampled_from([0.5, 3.0, 40.0])] * 3),
    tilt=st.sampled_from([0.0, 0.4, 3.0]),
    whole=st.booleans(),
)
def test_coincident_as_by_all_pairs(seed, n, distance, stretch, tilt, whole):
    """Any shape of the cell, atoms on its faces and several cells away, pairs exactly at the
    distance.
    """
    rng = np.random.default_rng(seed)
    lower = np.diag(stretch) + np.tril(
        rng.uniform(-tilt, tilt, (3, 3)) * np.array(stretch)[None, :], -1
    )
    fractions = rng.integers(-6, 12, (n, 3)) / 4 if whole else rng.uniform(-2, 3, (n, 3))
    box = Box(lower, fractions @ lower, np.eye(3))
    assert box.coincident(distance) == slow(box, distance)


@pytest.mark.parametrize("repeat", [1, 2, 5])
def test_across_faces_and_in_crystals(repeat):
    crystal = bulk("Cu", cubic=True) * (repeat, repeat, repeat)
    assert box_of(Configuration.from_atoms(crystal), 0.0).coincident(0.01) is None
    crystal.append("Cu")
    crystal.positions[-1] = crystal.positions[0] + crystal.cell.array.sum(axis=0) - 0.004
    box = box_of(Configuration.from_atoms(crystal), 0.0)
    assert box.coincident(0.01) == (0, len(crystal) - 1) == slow(box, 0.01)
    assert box.coincident(0.005) is None


def test_pairs_that_are_looked_at_grow_as_atoms_do():
    """No wall time: 55,296 atoms would be 1.5e9 pairs, more than memory and this test's patience
    have.
    """
    crystal = bulk("Cu", cubic=True) * (24, 24, 24)
    crystal.rattle(0.1, seed=1)
    box = box_of(Configuration.from_atoms(crystal), 0.0)
    assert box.coincident(0.01) is None
    crystal.positions[40000] = crystal.positions[123] + 0.003
    assert box_of(Configuration.from_atoms(crystal), 0.0).coincident(0.01) == (123, 40000)


def test_wrapped():
    edges = np.array([10.8, 3.0, 1.0])
    found = wrapped(np.array([[-1e-18, 3.0, -1e-300], [10.8, -0.5, 2.25]]), edges)
    np.testing.assert_array_equal(found, [[0.0, 0.0, 0.0], [0.0, 2.5, 0.25]])
