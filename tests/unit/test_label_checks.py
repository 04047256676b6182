"""snap_al.data.label_checks: Signs, units and placeholders of labels are noticed, and right labels
are left in peace.
"""

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from helpers.samples import rattled_copper
from hypothesis import given, settings
from hypothesis import strategies as st

from snap_al.data import Configuration, Label, LabelledConfiguration, Weights
from snap_al.data.compression import Compression
from snap_al.data.label_checks import check_labels
from snap_al.data.neighbours import Neighbours
from snap_al.data.pair_forces import compared_with_forces
from snap_al.data.pair_potential import terms_of
from snap_al.data.relatives import Relation, strained_and_displaced
from snap_al.fitsnap import read_deck, scrape
from snap_al.potential.calculator import LammpsCalculator

DECKS = ("Ta_Linear_JCP2014/Ta-example.in", "Ta_XYZ/Ta-example.in", "InP_JPCA2020/InP-example.in")


def scaled(configurations, kind, factor):
    """With all labels of a kind times a factor."""
    return [
        c.labelled(replace(c.label, **{kind: factor * getattr(c.label, kind)}))
        for c in configurations
    ]


def problems(configurations):
    """Kind and problem of what is wrong."""
    items = [LabelledConfiguration(c, Weights(1, 1, 1), c.group) for c in configurations]
    return [(f.kind, f.problem) for f in check_labels(items, "set") if f.problem != "unknown"]


def drawn(configurations, seed):
    order = np.random.default_rng(seed).choice(len(configurations), 10, replace=False)
    return [configurations[n] for n in order]


@pytest.fixture(scope="module")
def copper():
    return [rattled_copper(k, 0.03 + 0.01 * (k % 8)) for k in range(12)]


@pytest.fixture(scope="module")
def strained_silver():
    """Perfect crystals, strained: no forces."""
    rng, found = np.random.default_rng(4), []
    for k in range(12):
        atoms = bulk("Ag", cubic=True)
        strain = 0.01 * rng.standard_normal((3, 3))
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain + strain.T), scale_atoms=True)
        atoms.calc = EMT()
        label = Label(atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress())
        found.append(Configuration.from_atoms(atoms, f"silver {k}").labelled(label))
    return found


def test_terms_are_derivatives(alloy):
    terms = terms_of(alloy, ["Ag", "Cu"], 4.5)
    step, moved = 1e-5, []
    for sign in (1, -1):
        positions = alloy.positions.copy()
        positions[3, 1] += sign * step
        moved.append(terms_of(replace(alloy, positions=positions), ["Ag", "Cu"], 4.5).energies)
    np.testing.assert_allclose(
        terms.forces[:, 3, 1], -(moved[0] - moved[1]) / (2 * step), atol=1e-6
    )
    moved = []
    for sign in (1, -1):
        shear = np.eye(3)
        shear[1, 2] = shear[2, 1] = sign * step / 2
        strained = replace(alloy, cell=alloy.cell @ shear, positions=alloy.positions @ shear)
        moved.append(terms_of(strained, ["Ag", "Cu"], 4.5).energies)
    np.testing.assert_allclose(
        terms.stresses[:, 3], (moved[0] - moved[1]) / (2 * step) / alloy.volume, atol=1e-7
    )


def test_work_is_the_difference_of_energies(strained_silver):
    """Trapezoid rule between strained crystals, also when one of them is turned."""
    a, b = strained_silver[:2]
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    stress = a.label.stress[[[0, 5, 4], [5, 1, 3], [4, 3, 2]]]
    turned = turn @ stress @ turn.T
    other = replace(
        a,
        cell=a.cell @ turn.T,
        positions=a.positions @ turn.T,
        label=Label(
            a.label.energy, a.label.forces @ turn.T, turned[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
        ),
    )
    for first in (a, other):
        found = strained_and_displaced(first, b)
        assert found is not None
        curvature = found.stress_work[1] - found.stress_work[0]
        assert curvature > 0
        assert found.energy == b.label.energy - a.label.energy
        assert np.mean(found.stress_work) == pytest.approx(found.energy, abs=0.1 * curvature)


@pytest.mark.parametrize("factor", [-1, 10, 0.1, 160.2, 1602.0, 1.6e6, 1e-3])
@pytest.mark.parametrize("which", ["copper", "strained_silver"])
def test_stress(which, factor, request):
    configurations = request.getfixturevalue(which)
    assert problems(configurations) == []
    assert problems(scaled(configurations, "stress", factor)) == [
        ("stress", "sign" if factor == -1 else "unit")
    ]


def test_forces_of_the_other_sign(copper):
    assert problems(scaled(copper, "forces", -1)) == [("forces", "sign")]


@settings(max_examples=3, deadline=None)
@given(st.floats(-1e4, 1e4))
def test_any_zero_of_energy_will_do(zero):
    configurations = [rattled_copper(k, 0.05) for k in range(8)]
    moved = [
        c.labelled(replace(c.label, energy=c.label.energy + zero * len(c))) for c in configurations
    ]
    assert problems(moved) == []
    assert problems(scaled(moved, "stress", -1)) == [("stress", "sign")]


@pytest.mark.parametrize("kind", ["forces", "stress", "energy"])
def test_placeholders(copper, kind):
    assert problems(scaled(copper, kind, 0.0)) == [(kind, "placeholder")]


def test_only_the_diagonal_was_written(copper):
    cut = [c.labelled(replace(c.label, stress=np.r_[c.label.stress[:3], 0, 0, 0])) for c in copper]
    assert ("stress", "placeholder") in problems(cut)


def test_zero_forces_that_symmetry_asks_for(strained_silver):
    exact = scaled(strained_silver, "forces", 0.0)
    assert problems(exact) == []


def test_what_cannot_be_told_is_said(strained_silver):
    """One configuration has no relatives."""
    (found,) = check_labels(
        [LabelledConfiguration(strained_silver[0], Weights(1, 1, 1))], "one.xyz"
    )[:1]
    assert found.problem == "unknown"
    assert "one.xyz: sign and unit of stresses not checked: no strained relatives" in str(found)


def test_ratios_are_near_one(copper):
    found = compared_with_forces(copper)
    assert found.stress == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("deck", DECKS)
def test_published_decks_give_no_alarm(data, deck):
    items, _ = scrape(read_deck(data / deck))
    assert [str(f) for f in check_labels(items) if f.problem != "unknown"] == []
    configurations = [replace(i.configuration, group=i.group) for i in items]
    assert (
        [seed for seed in (0, 1, 2, 23, 95) if problems(drawn(configurations, seed))] == []
        # 23: both ends of a stacking fault; 95: stresses agree with energies, but not with small
        # forces
    )


def test_power_on_ten_frames_of_a_deck(data):
    items, _ = scrape(read_deck(data / DECKS[0]))
    configurations = [replace(i.configuration, group=i.group) for i in items]
    for factor in (-1, 160.2):
        found = [
            problems(scaled(drawn(configurations, seed), "stress", factor)) for seed in range(10)
        ]
        assert sum(any(kind == "stress" for kind, _ in f) for f in found) >= 8


def test_a_skewed_cell_costs_no_more_and_has_the_same_pairs(copper):
    """The same crystal in vectors that are sheared by thirty lattice vectors."""
    c = copper[0].configuration if isinstance(copper[0], LabelledConfiguration) else copper[0]
    shear = np.array([[1.0, 0.0, 0.0], [30.0, 1.0, 0.0], [0.0, -20.0, 1.0]])
    one, other = (
        np.sort(Neighbours.of(x, 5.0).distances) for x in (c, replace(c, cell=shear @ c.cell))
    )
    np.testing.assert_allclose(one, other, atol=1e-9)


def test_stresses_that_are_rounding_raise_no_alarm(copper):
    """Relaxed cells: forces predict stresses that are a billion times the labels, of either
    sign.
    """
    for factor in (1e-9, -1e-9):
        assert problems(scaled(copper, "stress", factor)) == []


def test_forces_are_blamed_where_stresses_agree_with_energies():
    """Strained and displaced silicon: only its forces have the other sign."""
    silicon = bulk("Si", cubic=True) * (2, 2, 2)
    calculator = LammpsCalculator(["pair_style sw", "pair_coeff * * Si.sw Si"], ["Si"])
    rng, found = np.random.default_rng(3), []
    for n in range(10):
        atoms = silicon.copy()
        strain = rng.uniform(-0.03, 0.03, (3, 3))
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + (strain + strain.T) / 2), scale_atoms=True)
        atoms.positions += 0.04 * rng.standard_normal(atoms.positions.shape)
        atoms.calc = calculator
        label = Label(atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress())
        found.append(Configuration.from_atoms(atoms, f"Si {n}").labelled(label))
    assert problems(found) == []
    assert problems(scaled(found, "forces", -1)) == [("forces", "sign")]
    assert problems(scaled(found, "stress", -1)) == [("stress", "sign")]


@pytest.mark.parametrize("per_atom", [1.6, 10.0, 32.0])
def test_the_usual_size_of_bulk_moduli(per_atom):
    """eV: potassium, copper, tungsten. GPa, kbar and the other sign are less likely than eV/Å³,
    without any energy.
    """
    dilated = Relation(
        n_atoms=4,
        volume=47.0,
        energy=np.nan,
        stress_work=(0.0, 4 * per_atom * 0.14**2),
        force_work=(0, 0),
        strain=0.08,
        shift=0.0,
        dilation=0.14,
        pressure=0.0,
    )
    found = Compression([dilated]).log_likelihood(np.array([1.0, 160.2, 1602.0, -1.0]))
    assert (found[0] > found[1:] + 1.0).all()
    assert not Compression([]).log_likelihood(np.ones(2)).any()
