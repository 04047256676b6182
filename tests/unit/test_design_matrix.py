"""snap_al.descriptors.design_matrix: Rows with target, weight, mask and index; damping; what
vanishes by symmetry.
"""

from dataclasses import replace

import numpy as np
import pytest
from helpers.samples import COPPER, WEIGHTS, rattled_copper

from snap_al.data import Configuration, Damping, Label, LabelledConfiguration, Weights
from snap_al.data.rows import Kind
from snap_al.descriptors import (
    CachedEngine,
    DescriptorEngine,
    DesignMatrix,
    ReferencePotential,
    Rows,
)
from snap_al.errors import InputError, RunError
from snap_al.parallel import SERIAL
from snap_al.units import ASE_STRESS_TO_ROWS


def matrix_of(engine, *items):
    matrix = DesignMatrix(engine, SERIAL)
    matrix.append(list(items))
    return matrix


def test_rows_say_what_they_are(copper_engine):
    one, two = rattled_copper(1, repeat=1), rattled_copper(2, repeat=1)
    rows = matrix_of(
        copper_engine,
        LabelledConfiguration(one, WEIGHTS, "a"),
        LabelledConfiguration(two, Weights(1, 2, 3), "b"),
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
    rows = matrix_of(
        copper_engine, LabelledConfiguration(c.labelled(Label(forces=c.label.forces)), WEIGHTS)
    ).slabs()[0]
    assert set(rows.used().index["kind"]) == {Kind.FORCE}


def test_damping_follows_its_formula(copper_engine):
    base, hot = rattled_copper(1, 0.02), rattled_copper(2, 0.25)
    damping = Damping(force=2.0, energy=0.3)
    rows = matrix_of(
        copper_engine,
        *(LabelledConfiguration(c, Weights(100, 1, 1), damping=damping) for c in (base, hot)),
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
    matrix = matrix_of(
        copper_engine, *(LabelledConfiguration(c, WEIGHTS) for c in (perfect, rattled))
    )
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


class Counting:
    """An engine that says how often it was asked."""

    def __init__(self, engine):
        self._engine, self.columns, self.asked = engine, engine.columns, 0
        self.fingerprint = engine.fingerprint

    def rows(self, configuration):
        self.asked += 1
        return self._engine.rows(configuration)


def test_rows_in_files_are_those_in_memory(copper_engine, tmp_path, monkeypatch):
    """Also when they are many small arrays; nothing is left behind."""
    monkeypatch.setattr("snap_al.descriptors.slabs.SLAB_BYTES", 5000)
    items = [LabelledConfiguration(rattled_copper(k, repeat=1), WEIGHTS) for k in range(7)]
    memory, files = (
        matrix_of(copper_engine, *items),
        DesignMatrix(copper_engine, SERIAL, tmp_path / "scratch"),
    )
    files.append(items)
    assert len(files.slabs()) > 2
    one, other = Rows.joined(memory.slabs()), Rows.joined(files.slabs())
    assert np.array_equal(one.values, other.values)
    assert np.array_equal(one.index, other.index)
    assert list((tmp_path / "scratch").iterdir()) == []


def test_rows_on_disk_are_not_computed_again(copper_engine, tmp_path):
    counting = Counting(copper_engine)
    items = [LabelledConfiguration(rattled_copper(k, repeat=1), WEIGHTS) for k in range(3)]
    first = matrix_of(CachedEngine(counting, tmp_path), *items)
    again = matrix_of(CachedEngine(counting, tmp_path), *items)
    assert counting.asked == 3
    assert np.array_equal(Rows.joined(first.slabs()).values, Rows.joined(again.slabs()).values)
    one, *_ = tmp_path.rglob("*.npz")
    one.write_bytes(one.read_bytes()[:500])
    damaged = matrix_of(CachedEngine(counting, tmp_path), *items)
    assert counting.asked == 4
    assert np.array_equal(Rows.joined(first.slabs()).values, Rows.joined(damaged.slabs()).values)


def test_other_settings_have_other_rows_on_disk(copper_engine, tmp_path):
    c = rattled_copper(1, repeat=1)
    CachedEngine(copper_engine, tmp_path).rows(c)
    with DescriptorEngine(
        COPPER.model_copy(update={"rcutfac": 4.0}), ReferencePotential()
    ) as other:
        assert not np.array_equal(
            CachedEngine(other, tmp_path).rows(c).values, copper_engine.rows(c).values
        )


def test_what_cannot_be_computed_is_left_out(copper_engine):
    """Coincident atoms and an unknown element, among good ones; with their reasons."""
    good = [rattled_copper(k, repeat=1) for k in range(3)]
    coincident = replace(good[0], positions=np.zeros((4, 3)), name="a.json")
    unknown = replace(good[1], species=("Au",) * 4, name="b.json")
    matrix = DesignMatrix(copper_engine, SERIAL)
    items = [
        LabelledConfiguration(c, WEIGHTS, "warm")
        for c in (good[0], coincident, good[1], unknown, good[2])
    ]
    left_out = matrix.append(items, strict=False)
    assert len(left_out) == 2
    assert "left out: a.json: atoms 0 and 1 coincide (group warm)" in left_out[0]
    assert "b.json: element Au has no type" in left_out[1]
    assert sorted(matrix.items) == [0, 2, 4]
    rows = Rows.joined(matrix.slabs())
    assert sorted(set(rows.index["configuration"].tolist())) == [0, 2, 4]
    assert np.array_equal(
        rows.values[rows.index["configuration"] == 4], copper_engine.rows(good[2]).values
    )
    with pytest.raises(InputError, match=r"a\.json"):
        matrix.append([LabelledConfiguration(rattled_copper(7, repeat=1), WEIGHTS), *items])
    assert np.array_equal(Rows.joined(matrix.slabs()).values, rows.values)
    others = [LabelledConfiguration(rattled_copper(k, repeat=1), WEIGHTS) for k in (8, 7)]
    matrix.append(others)  # numbers that the refused ones had had
    for number, item in zip((5, 6), others, strict=True):
        assert np.array_equal(
            matrix.rows_of(number).values, copper_engine.rows(item.configuration).values
        )


def test_a_full_disk_is_no_bad_configuration(copper_engine, tmp_path, monkeypatch):
    """Not even when bad configurations are left out."""

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    matrix = DesignMatrix(copper_engine, SERIAL, tmp_path / "rows")
    with pytest.raises(RunError, match="no room for the design matrix"):
        matrix.append([LabelledConfiguration(rattled_copper(1, repeat=1), WEIGHTS)], strict=False)


def test_a_cache_that_cannot_be_used_costs_nothing_else(copper_engine, tmp_path):
    (tmp_path / "descriptors").write_text("a file")
    c = rattled_copper(1, repeat=1)
    rows = CachedEngine(copper_engine, tmp_path / "descriptors").rows(c)
    assert np.array_equal(rows.values, copper_engine.rows(c).values)


def test_rows_on_disk_know_the_files_of_the_reference_potential(tmp_path):
    """Another table under the same name is another reference potential."""
    c, found = rattled_copper(1, repeat=1), []
    for scale in (1.0, 5.0):
        r = np.linspace(1.0, 5.0, 50)
        lines = "\n".join(
            f"{k} {x} {scale * (5 - x) ** 2} {2 * scale * (5 - x)}" for k, x in enumerate(r, 1)
        )
        (tmp_path / "ref.table").write_text(f"# table\n\nCU\nN 50\n\n{lines}\n")
        lines_of = ["pair_style table linear 50", f"pair_coeff * * {tmp_path / 'ref.table'} CU 4.9"]
        with DescriptorEngine(COPPER, ReferencePotential.parse(lines_of)) as engine:
            found.append(CachedEngine(engine, tmp_path / "cache").rows(c).reference[0])
    assert found[1] == pytest.approx(5 * found[0])


def test_the_same_structure_is_computed_once(copper_engine):
    """In two groups, with two labels; the rows are equal and the targets are their own."""
    counting = Counting(copper_engine)
    c = rattled_copper(1, repeat=1)
    other = c.labelled(replace(c.label, energy=c.label.energy + 4.0))
    matrix = matrix_of(
        counting, LabelledConfiguration(c, WEIGHTS, "a"), LabelledConfiguration(other, WEIGHTS, "b")
    )
    one, two = matrix.rows_of(0), matrix.rows_of(1)
    assert counting.asked == 1
    assert np.array_equal(one.values, two.values)
    assert two.targets[0] == pytest.approx(one.targets[0] + 1.0)
