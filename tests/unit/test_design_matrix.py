"""Rows with target, weight, mask and index; damping; what vanishes by symmetry."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import WEIGHTS, rattled_copper

from snap_al.data import Configuration, Damping, Label, Weights
from snap_al.descriptors import DesignMatrix, Kind, LabelledConfiguration, Rows
from snap_al.errors import InputError
from snap_al.parallel import SERIAL
from snap_al.units import ASE_STRESS_TO_ROWS


def matrix_of(engine, *items):
    matrix = DesignMatrix(engine, SERIAL)
    matrix.append(list(items))
    return matrix


def test_rows_say_what_they_are(copper_engine):
    one, two = rattled_copper(1, repeat=1), rattled_copper(2, repeat=1)
    rows = matrix_of(
        copper_engine, LabelledConfiguration(one, WEIGHTS, "a"), LabelledConfiguration(two, Weights(1, 2, 3), "b")
    ).slabs()[0]
    assert len(rows.targets) == 2 * (1 + 12 + 6)
    second = rows.index["configuration"] == 1
    forces = second & (rows.index["kind"] == Kind.FORCE)
    assert (rows.index["group"][second] == 1).all()
    np.testing.assert_allclose(rows.targets[forces], two.label.forces.ravel())
    np.testing.assert_array_equal(rows.index["atom"][forces], np.repeat(np.arange(4), 3))
    np.testing.assert_allclose(rows.targets[second][0], two.label.energy / 4)
    np.testing.assert_allclose(rows.targets[second][-6:], two.label.stress * ASE_STRESS_TO_ROWS)
    np.testing.assert_array_equal(rows.weights[second], [1] + [2] * 12 + [3] * 6)


def test_labels_that_are_missing_are_masked(copper_engine):
    c = rattled_copper(1, repeat=1)
    rows = matrix_of(copper_engine, LabelledConfiguration(c.labelled(Label(forces=c.label.forces)), WEIGHTS)).slabs()[0]
    assert set(rows.used().index["kind"]) == {Kind.FORCE}


def test_damping_follows_its_formula(copper_engine):
    base, hot = rattled_copper(1, 0.02), rattled_copper(2, 0.25)
    damping = Damping(force=2.0, energy=0.3)
    rows = matrix_of(
        copper_engine, *(LabelledConfiguration(c, Weights(100, 1, 1), damping=damping) for c in (base, hot))
    ).slabs()[0]
    here = rows.index["configuration"] == 1
    excess = (hot.label.energy - base.label.energy) / len(hot)
    assert excess > 0.1
    assert rows.weights[here][0] == pytest.approx(100 / (1 + (excess / 0.3) ** 2))
    size2 = np.sum(hot.label.forces**2, axis=1)
    np.testing.assert_allclose(rows.weights[here][1:-6:3], 1 / (1 + size2 / 4.0))


def test_rows_that_vanish_by_symmetry_are_masked(copper_engine):
    """A perfect crystal's forces and shear stresses are zero whatever the coefficients are."""
    perfect = rattled_copper(1, displacement=0.0)
    rattled = rattled_copper(2)
    matrix = matrix_of(copper_engine, *(LabelledConfiguration(c, WEIGHTS) for c in (perfect, rattled)))
    rows = Rows.joined(matrix.slabs())
    first = rows.index["configuration"] == 0
    kept = rows.index[first & rows.mask]
    assert list(kept["kind"]) == [Kind.ENERGY] + [Kind.STRESS] * 3
    assert list(kept["component"][1:]) == [0, 1, 2]
    assert rows.mask[~first].all()


def test_growing_is_the_same_as_having_it_all(copper_engine):
    items = [LabelledConfiguration(rattled_copper(k, repeat=1), WEIGHTS) for k in range(5)]
    whole, grown = matrix_of(copper_engine, *items), DesignMatrix(copper_engine, SERIAL)
    for item in items:
        grown.append([item])
    assert np.array_equal(whole.slabs()[0].values, grown.slabs()[0].values)
    assert np.array_equal(whole.slabs()[0].index, grown.slabs()[0].index)


def test_a_bad_configuration_costs_no_others(copper_engine):
    matrix = matrix_of(copper_engine, LabelledConfiguration(rattled_copper(1, repeat=1), WEIGHTS))
    bad = replace(rattled_copper(2, repeat=1), species=("Au",) * 4, name="file.xyz, frame 7")
    with pytest.raises(InputError, match=r"file.xyz, frame 7: element Au has no type"):
        matrix.append([LabelledConfiguration(bad, WEIGHTS)])
    assert len(matrix.items) == 1
    assert len(matrix.slabs()[0].targets) == 19


def test_hash_is_of_what_is_asked_for():
    c = rattled_copper(1, repeat=1)
    assert c.key == c.labelled(Label()).key
    nudged = c.positions.copy()
    nudged[0, 0] = np.nextafter(nudged[0, 0], 9.0)
    assert c.key != replace(c, positions=nudged).key
    assert Configuration.from_atoms(c.to_atoms()).key == c.key
