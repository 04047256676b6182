"""snap_al.validation: Properties of crystals by any calculator against what is known, error bars
against what they are made of, and checks that can fail.
"""

import errno
import json
import subprocess
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import CalculationFailed, Calculator
from ase.calculators.emt import EMT
from helpers.samples import COPPER

from snap_al.data import Configuration
from snap_al.descriptors import Columns, DescriptorEngine, ReferencePotential, SnapSettings
from snap_al.errors import InputError, LabelError, LammpsError, UnexpectedError
from snap_al.inference import fit_posterior
from snap_al.label import AseLabeler, ImmediateBackend
from snap_al.parallel import SERIAL
from snap_al.potential import FittedPotential, Snap
from snap_al.potential.calculator import LammpsCalculator
from snap_al.potential.snap_calculator import SnapCalculator
from snap_al.tasks.stability import relaxed as relaxed_crystal
from snap_al.validation import (
    Conditions,
    Crystal,
    LabelCalculator,
    References,
    approach,
    compression,
    crystal_of,
    dimers,
    element_crystal,
    measure,
    names_of,
    npt,
    nve,
)
from snap_al.validation.curves import wall
from snap_al.validation.properties import (
    PROPERTIES,
    elastic,
    equation_of_state,
    lattice,
    phonons,
    surfaces,
    vacancy,
)

EMT_COPPER = {"C11": 172.6, "C12": 115.4, "C44": 89.9}
"""GPa, of ASE's EMT: second derivatives of its energies, in
test_elastic_constants_are_curvatures.
"""


def by_name(quantities):
    """No two have one name."""
    found = list(quantities)
    assert len({q.name for q in found}) == len(found)
    return {q.name: q.value for q in found}


def test_crystals():
    assert element_crystal("Cu").system == "cubic"
    assert len(element_crystal("Cu").atoms) == 4
    assert element_crystal("Ti").system == "hexagonal"
    turned = bulk("Cu") * (2, 1, 1)
    turned.rotate(30, (1, 1, 0), rotate_cell=True)
    assert len(crystal_of(turned).atoms) == 4, "any setting becomes the conventional cell"
    with pytest.raises(InputError, match="neither cubic nor hexagonal"):
        crystal_of(Atoms("Cu", cell=[2.5, 2.6, 2.7], pbc=True))
    with pytest.raises(InputError, match="is no crystal"):
        crystal_of(Atoms("Cu", cell=[5, 5, 5], pbc=False))
    with pytest.raises(InputError, match="give one with --structure"):
        element_crystal("Ga")
    with pytest.raises(InputError, match="chemical potentials"):
        names_of(["vacancy"], crystal_of(bulk("CuAu", "cesiumchloride", a=3.1)))
    with pytest.raises(InputError, match="did you mean 'elastic'"):
        names_of(["elastics"], element_crystal("Cu"))


def test_elastic_constants_are_curvatures():
    """From stresses here; from the energies' second differences there. Hexagonal with its inner
    atoms relaxed.
    """
    for crystal in (element_crystal("Cu"), crystal_of(bulk("Cu", "hcp", a=2.55))):
        relaxed = crystal.relaxed(EMT())
        found = by_name(elastic(EMT(), relaxed))
        for name, voigt in (
            ("C11", 0),
            ("C44", 3),
            *((("C33", 2),) if crystal.system == "hexagonal" else ()),
        ):
            assert found[name] == pytest.approx(_curvature(relaxed.atoms, voigt), rel=0.02), (
                crystal.system,
                name,
            )
        modulus = by_name(equation_of_state(EMT(), relaxed))["bulk modulus"]
        if crystal.system == "cubic":
            assert modulus == pytest.approx((found["C11"] + 2 * found["C12"]) / 3, rel=0.02)
            assert found == pytest.approx(EMT_COPPER, rel=0.01)


def _curvature(atoms, voigt, h=0.004):
    from ase.optimize import BFGS

    energies = []
    i, j = ((0, 0), (1, 1), (2, 2), (1, 2))[voigt]
    for e in (-h, 0.0, h):
        strain = np.zeros((3, 3))
        strain[i, j] += e / (1 if i == j else 2)
        strain[j, i] = strain[i, j]
        trial = atoms.copy()
        trial.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
        trial.calc = EMT()
        BFGS(trial, logfile=None).run(fmax=1e-4)
        energies.append(trial.get_potential_energy())
    return (energies[0] - 2 * energies[1] + energies[2]) / h**2 / atoms.get_volume() * 160.21766


def test_properties_of_a_published_potential():
    """Copper, EAM1 of Mishin et al., Phys. Rev. B 63, 224106 (2001): what they computed with it,
    and what is computed here.
    """
    copper = LammpsCalculator(
        ["pair_style eam/alloy", "pair_coeff * * Cu_mishin1.eam.alloy Cu"], ["Cu"]
    )
    relaxed = element_crystal("Cu").relaxed(copper)
    groups = (lattice, elastic, vacancy, surfaces)
    found = by_name(q for group in groups for q in group(copper, relaxed))
    copper.close()
    published = {
        "a": 3.615,
        "cohesive energy": 3.54,
        "C11": 169.9,
        "C12": 122.6,
        "C44": 76.2,
        "vacancy": 1.272,
        "vacancy jump": 0.689,
        "surface 111": 1.239,
        "surface 100": 1.345,
        "surface 110": 1.475,
    }
    for name, value in published.items():
        assert found[name] == pytest.approx(value, rel=0.015), name


def test_hexagonal():
    """Every group, of EMT copper as hcp: what is close-packed alike is nearly so in energy."""
    relaxed = crystal_of(bulk("Cu", "hcp", a=2.55)).relaxed(EMT())
    cubic = element_crystal("Cu").relaxed(EMT())
    found = by_name(q for group in PROPERTIES.values() for q in group(EMT(), relaxed))
    other = by_name(
        q for name in ("lattice", "eos", "vacancy") for q in PROPERTIES[name](EMT(), cubic)
    )
    assert set(found) >= {"a", "c", "C11", "C12", "C13", "C33", "C44", "surface 001", "surface 100"}
    assert {name.split()[1] for name in found if name.startswith("phonon")} == {
        "A",
        "H",
        "K",
        "L",
        "M",
    }
    assert found["a"] * np.sqrt(2) == pytest.approx(other["a"], rel=0.01)
    for name in ("cohesive energy", "volume", "bulk modulus", "vacancy"):
        assert found[name] == pytest.approx(other[name], rel=0.02), name
    assert all(v > 0 for v in found.values()), "stable, as EMT has it"


def test_phonons_against_ase(tmp_path):
    from ase.phonons import Phonons

    relaxed = element_crystal("Cu").relaxed(EMT())
    found = by_name(phonons(EMT(), relaxed))
    assert {name.split()[1] for name in found} == {"X", "L", "W"}
    ours = Phonons(
        bulk("Cu", a=relaxed.atoms.cell[0, 0]),
        EMT(),
        supercell=(5, 5, 5),
        delta=0.01,
        name=tmp_path / "ph",
    )
    ours.run()
    ours.read(acoustic=True)
    for point, fractions in (("X", [0.5, 0.0, 0.5]), ("L", [0.5, 0.5, 0.5])):
        expected = np.sort(ours.band_structure([fractions])[0]) / 4.135667e-3
        np.testing.assert_allclose(
            [found[f"phonon {point} {b}"] for b in (1, 2, 3)], expected, rtol=0.03
        )


@pytest.mark.parametrize(
    "more",
    [pytest.param((), id="few"), pytest.param(("phonons",), marks=pytest.mark.slow, id="all")],
)
def test_error_bars_cover_the_truth(copper_potential, tmp_path, more):
    """What is within the training set: nothing is further off than three stds, and most within
    two.
    """
    labeler = LabelCalculator(ImmediateBackend(AseLabeler("ase.calculators.emt.EMT"), tmp_path))
    names = ("lattice", "eos", "elastic", *more)
    found = measure(
        SnapCalculator(copper_potential, stds=False),
        element_crystal("Cu"),
        names,
        12,
        np.random.default_rng(0),
        SERIAL,
        References(labeler),
    )
    known = {p.name: p for p in found.properties if p.name != "cohesive energy"}
    assert not found.problems
    assert all(p.draws == 12 for p in known.values())
    assert all(abs(p.z) < 3.5 for p in known.values()), {p.name: p.z for p in known.values()}
    assert np.mean([abs(p.z) < 2 for p in known.values()]) > 0.7
    assert known["a"].std < 0.02
    again = measure(
        SnapCalculator(copper_potential, stds=False),
        element_crystal("Cu"),
        ("eos",),
        2,
        np.random.default_rng(0),
        SERIAL,
        References(table={"volume": known["volume"].value}),
    )
    assert {p.name: p.reference for p in again.properties} == {
        "volume": known["volume"].value,
        "bulk modulus": None,
    }
    assert again.properties[0].z == 0


@pytest.mark.parametrize(
    ("curve", "climbed", "top"),
    [
        ([0, 1, 2, 5, 12, 30], 12, 4),  # a wall
        ([0, -2, -3, -1, 4, 8, 20], 11, 5),  # a well first; far enough
        ([0, 1, 1, -50, 20, 40], 1, 1),  # a hole behind a small rise
        ([0, 3, -1, 50], 3, 1),  # a hole before the wall
        ([0, 0.2, -0.1, 5, 12], 12.1, 4),  # roughness
        ([0, -1, -5, -20], 0, 3),  # no wall at all
    ],
)
def test_walls(curve, climbed, top):
    assert wall(np.array(curve, dtype=float), 10.0) == (top, pytest.approx(climbed))


def test_a_labeler_is_asked_once(tmp_path):
    def calculator():
        return LabelCalculator(ImmediateBackend(AseLabeler("ase.calculators.emt.EMT"), tmp_path))

    cell = bulk("Cu", cubic=True)
    cell.calc = calculator()
    energy = cell.get_potential_energy()
    assert energy == pytest.approx(EMT().get_potential_energy(bulk("Cu", cubic=True)))
    (path,) = tmp_path.glob("*.json")
    stored = json.loads(path.read_text())
    stored["label"]["energy"] = 42.0
    path.write_text(json.dumps(stored))
    cell.calc = calculator()
    assert cell.get_potential_energy() == 42.0


def test_a_labeler_that_fails(tmp_path):
    cell = bulk("Cu", cubic=True)
    cell.calc = LabelCalculator(ImmediateBackend(AseLabeler("ase.calculators.emt.EMT"), tmp_path))
    cell.positions[1] = cell.positions[0]
    with pytest.raises(LabelError):
        cell.get_potential_energy()


FAILED = [
    LammpsError("lost atoms"),
    CalculationFailed("no SCF"),
    NotImplementedError("no EMT-potential for Sn"),
    ValueError("no minimum"),
    np.linalg.LinAlgError("did not converge"),
    ZeroDivisionError("division by zero"),
    FileNotFoundError(2, "no such file", "vasp"),
    subprocess.CalledProcessError(1, "vasp"),
]
FAULTS = [
    TypeError("of our own"),
    KeyError("of our own"),
    IndexError("of our own"),
    AttributeError("of our own"),
    AssertionError("of our own"),
    UnexpectedError("of our own"),
    OSError(errno.ENOSPC, "no space left on device"),
    MemoryError(),
]


class Broken(Calculator):
    """Raises an error whenever it is asked."""

    implemented_properties = ["energy", "forces", "stress"]  # noqa: RUF012 (as ASE has it)

    def __init__(self, error):
        super().__init__()
        self.error = error

    def calculate(self, *_, **__):
        raise self.error


def places(potential, error, monkeypatch):
    """What validate says of an error in a calculator, a labeler, a property, a relaxation."""

    def fails(*_):
        raise error

    def measured(labeler=None):
        crystal, rng = element_crystal("Cu"), np.random.default_rng(0)
        calculator = SnapCalculator(potential, stds=False)
        known = References(labeler)
        return measure(calculator, crystal, ("lattice",), 2, rng, SERIAL, known).problems

    def pushed():
        with DescriptorEngine(COPPER, ReferencePotential()) as engine:
            found = approach(potential, engine, element_crystal("Cu"), 300.0, Broken(error))
        return [] if np.isnan(found.reference).all() else ["has values"]

    def relaxed():
        task = SimpleNamespace(potential=potential, lammps=None, crystal=element_crystal("Cu"))
        return [relaxed_crystal(task)[1]]

    yield lambda: measured(Broken(error))
    yield pushed
    monkeypatch.setitem(PROPERTIES, "lattice", fails)
    yield measured
    monkeypatch.setattr(Crystal, "relaxed", fails)
    yield measured
    yield relaxed


@pytest.mark.parametrize("error", FAILED, ids=lambda e: type(e).__name__)
def test_a_calculation_that_failed_is_a_finding(copper_potential, error, monkeypatch):
    for place in places(copper_potential, error, monkeypatch):
        assert all(f"{type(error).__name__}: {error}" in text for text in place())


@pytest.mark.parametrize("error", FAULTS, ids=lambda e: type(e).__name__)
def test_a_fault_of_our_own_is_no_finding(copper_potential, error, monkeypatch):
    for place in places(copper_potential, error, monkeypatch):
        with pytest.raises(type(error)) as caught:
            place()
        assert caught.value is error


def test_no_two_checks_have_one_name():
    """They are keys of tables and of what was found before. A compound has the most pairs."""
    crystal = crystal_of(bulk("CuAu", "cesiumchloride", a=3.1))
    settings = SnapSettings(elements=("Cu", "Au"), twojmax=2, rcutfac=4.5)
    n = Columns.of(settings).n_distinct
    posterior = fit_posterior(np.eye(n), np.zeros(n))
    potential = FittedPotential(Snap(settings), ReferencePotential(), posterior)
    with DescriptorEngine(settings, ReferencePotential()) as engine:
        curves = [
            *dimers(potential, engine, crystal, 300.0, None),
            approach(potential, engine, crystal, 300.0, None),
            compression(potential, engine, crystal, None),
        ]
    names = [c.name for c in curves] + ["NVE", "NPT", "relaxation"]
    assert len(set(names)) == len(names) == 8
    assert names_of(["eos", "lattice", "eos"], crystal) == ["eos", "lattice"]


def made_of(slope: float) -> FittedPotential:
    """Attractive without end, or repulsive: only the constant part of the energy's growth with the
    neighbours' number differs.
    """
    n = Columns.of(COPPER).n_distinct
    posterior = fit_posterior(np.eye(n), np.zeros(n))
    mean = np.zeros(n)
    mean[1] = slope
    return FittedPotential(Snap(COPPER), ReferencePotential(), replace(posterior, mean=mean))


def test_holes_are_found(copper_potential):
    """Atoms that fall into each other, and a crystal that does: no wall, no pressure. The fitted
    one has both.
    """
    crystal = element_crystal("Cu").relaxed(EMT())
    for potential, expected in ((made_of(-1e-3), False), (made_of(+1e-1), True)):
        with DescriptorEngine(COPPER, ReferencePotential()) as engine:
            curves = [
                *dimers(potential, engine, crystal, 300.0, None),
                approach(potential, engine, crystal, 300.0, None),
                compression(potential, engine, crystal, None),
            ]
        assert [c.passed for c in curves] == [expected] * 3, [c.finding for c in curves]
    with DescriptorEngine(COPPER, ReferencePotential()) as engine:
        pushed = approach(copper_potential, engine, crystal, 300.0, EMT())
    near = pushed.x > 0.85 * pushed.x.max()
    np.testing.assert_allclose(pushed.value[near], pushed.reference[near], atol=0.5)
    assert pushed.std[-1] == 0, "the last point is what the others are next to"


def test_curves_have_the_std_of_a_difference(copper_potential):
    """Against draws: each point and the last by the same coefficients."""
    crystal = element_crystal("Cu").relaxed(EMT())
    with DescriptorEngine(COPPER, ReferencePotential()) as engine:
        (pair,) = dimers(copper_potential, engine, crystal, 300.0, None)
        rows = [
            engine.rows(Configuration.from_atoms(_dimer(r))).values[0] * 2
            for r in (pair.x[5], pair.x[-1])
        ]
    draws = copper_potential.posterior.sample(4000, np.random.default_rng(1)) @ (rows[0] - rows[1])
    assert pair.std[5] == pytest.approx(draws.std(), rel=0.05)


def _dimer(r):
    return Atoms("Cu2", positions=[[0, 0, 0], [r, 0, 0]], cell=[30, 30, 30], pbc=True)


def test_dynamics(copper_potential, tmp_path):
    copper_potential.write(tmp_path)
    crystal = element_crystal("Cu").relaxed(EMT())
    quiet = nve(copper_potential, tmp_path, crystal, Conditions(300.0, 0.002, 1), SERIAL)
    assert quiet.passed, quiet.finding
    assert quiet.temperature[50:].mean() == pytest.approx(300, rel=0.15)
    wild = nve(copper_potential, tmp_path, crystal, Conditions(300.0, 0.03, 1), SERIAL)
    assert not wild.passed, "a timestep of 30 fs does not conserve energy"
    held = npt(copper_potential, tmp_path, crystal, Conditions(300.0, 0.003, 1), 0.5, SERIAL)
    assert held.passed, held.finding
    made_of(-1e-3).write(tmp_path)
    fallen = npt(made_of(-1e-3), tmp_path, crystal, Conditions(300.0, 0.003, 1), 3.0, SERIAL)
    assert not fallen.passed, "atoms that fall into each other"


def test_every_group_has_properties():
    assert set(PROPERTIES) == {"lattice", "eos", "elastic", "vacancy", "surfaces", "phonons"}
