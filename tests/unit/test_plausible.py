"""snap_al.loop.plausible: Whether a label can be what was asked for."""

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from helpers.samples import rattled_copper
from hypothesis import given
from hypothesis import strategies as st

from snap_al.data import Configuration, Label
from snap_al.label import AseLabeler, LabelChecks
from snap_al.loop.plausible import (
    KnownEnergies,
    implausible,
    strained,
    stress_derivative,
    stress_verdict,
)


def alloy(n_gold, seed=0):
    atoms = bulk("Cu", cubic=True) * (2, 1, 1)
    atoms.symbols[:n_gold] = "Au"
    atoms.rattle(0.05, seed=seed)
    atoms.calc = EMT()
    return Configuration.from_atoms(atoms), atoms.get_potential_energy()


@given(st.floats(-500, 500), st.floats(-500, 500))
def test_any_zero_of_energy_will_do(copper, gold):
    """Adding an energy to each atom of an element changes no verdict."""
    known, zero = KnownEnergies(), {"Cu": copper, "Au": gold}
    for n in (0, 2, 5, 8):
        c, energy = alloy(n, seed=n)
        known.add(c, Label(energy + sum(zero[s] for s in c.species)))
    c, energy = alloy(3, seed=9)
    shifted = energy + sum(zero[s] for s in c.species)
    assert known.away(c, shifted) < 0.5
    assert known.away(c, shifted + 8 * 20.0) == pytest.approx(20.0, abs=0.5)
    assert known.away(c, shifted - 8 * 20.0) == pytest.approx(20.0, abs=0.5)


def test_what_nothing_is_known_of_is_taken():
    known = KnownEnergies()
    assert known.away(*alloy(3)) == 0.0
    c, energy = alloy(0)
    known.add(c, Label(energy))
    assert known.away(*alloy(3)) == 0.0
    assert known.away(c, energy + 80.0) == pytest.approx(10.0)


def test_reasons():
    c, known = rattled_copper(1), KnownEnergies()
    known.add(c, c.label)
    assert implausible(c, c.label, known, LabelChecks()) == ""
    far = replace(c.label, forces=c.label.forces + 100.0)
    assert "above label.checks.max_force = 100" in implausible(c, far, known, LabelChecks())
    off = replace(c.label, energy=c.label.energy + 11.0 * len(c))
    assert "above label.checks.energy_window = 10" in implausible(c, off, known, LabelChecks())
    none = LabelChecks(max_force=None, energy_window=None)
    assert implausible(c, replace(off, forces=far.forces), known, none) == ""


@pytest.mark.parametrize(
    ("factor", "said"),
    [(1.0, "they agree"), (1.2, "Pulay"), (-1.0, "other sign"), (160.2, "another unit")],
)
def test_the_stress_is_the_energies_derivative(factor, said):
    labeler = AseLabeler("ase.calculators.emt.EMT")
    cells = strained(rattled_copper(2))
    here, up, down = (labeler.label(c) for c in cells)
    derivative = stress_derivative(cells[0], up, down)
    mean = float(np.mean(here.stress[:3]))
    assert derivative == pytest.approx(mean, rel=0.02)
    good, verdict = stress_verdict(factor * mean, derivative)
    assert said in verdict
    assert good == (0 < factor < 2)
