"""snap_al.validation.slabs: Surfaces against slabs that are made in other ways, from coordinates
however rounded; what does not depend on rounding.
"""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import (
    bcc100,
    bcc110,
    bcc111,
    bulk,
    diamond100,
    diamond111,
    fcc100,
    fcc110,
    fcc111,
    hcp0001,
    hcp10m10,
)
from ase.calculators.emt import EMT
from ase.neighborlist import neighbor_list
from ase.optimize import BFGS

from snap_al.errors import RunError
from snap_al.potential.calculator import LammpsCalculator
from snap_al.validation import crystal_of, element_crystal, slab
from snap_al.validation.crystal import neighbour_of_first
from snap_al.validation.properties import FACES, J_PER_M2, SLAB, surfaces

COMMANDS = {
    "Fe": ("bcc", ["pair_style eam/fs", "pair_coeff * * Fe_mm.eam.fs Fe"]),
    "Si": ("diamond", ["pair_style sw", "pair_coeff * * Si.sw Si"]),
    "Mg": ("hcp", ["pair_style eam/fs", "pair_coeff * * Mg_mm.eam.fs Mg"]),
}
FACES_OF_ASE = {
    ("Cu", (1, 0, 0)): fcc100,
    ("Cu", (1, 1, 0)): fcc110,
    ("Cu", (1, 1, 1)): fcc111,
    ("Fe", (1, 0, 0)): bcc100,
    ("Fe", (1, 1, 0)): bcc110,
    ("Fe", (1, 1, 1)): bcc111,
    ("Si", (1, 0, 0)): diamond100,
    ("Si", (1, 1, 1)): diamond111,
    ("Mg", (0, 0, 1)): hcp0001,
    ("Mg", (1, 0, 0)): hcp10m10,
}
WITHIN = {
    "cubic": {
        (1, 0, 0): ((0, 1, 0), (0, 0, 1)),
        (1, 1, 0): ((1, -1, 0), (0, 0, 1)),
        (1, 1, 1): ((1, -1, 0), (0, 1, -1)),
    },
    "hexagonal": {
        (0, 0, 1): ((1, 0, 0), (0, 1, 0)),
        (1, 0, 0): ((0, 1, 0), (0, 0, 1)),
        (1, 1, 0): ((1, -1, 0), (0, 0, 1)),
    },
}
"""Vectors of the conventional lattice that lie within each plane."""
THICK = 16.0
"""Å, of slabs that ours are compared with."""
CASES = [
    (e, f) for e in ("Cu", "Fe", "Si", "Mg") for f in FACES["hexagonal" if e == "Mg" else "cubic"]
]


@pytest.fixture(scope="module")
def relaxed():
    """By element: its crystal, relaxed, and a calculator."""
    found = {"Cu": (element_crystal("Cu").relaxed(EMT()), EMT())}
    for element, (_, commands) in COMMANDS.items():
        calculator = LammpsCalculator(commands, [element])
        found[element] = (element_crystal(element).relaxed(calculator), calculator)
    return found


def surface_energy(slab_atoms, crystal, calculator):
    """J/m², of both faces' mean."""
    bulk_atoms, trial = crystal.atoms.copy(), slab_atoms.copy()
    bulk_atoms.calc = trial.calc = calculator
    area = np.linalg.norm(np.cross(*trial.cell.array[:2]))
    excess = trial.get_potential_energy() - len(trial) * bulk_atoms.get_potential_energy() / len(
        bulk_atoms
    )
    return excess / (2 * area) * J_PER_M2


def cut_out(crystal, face):
    """All atoms of a large block of the crystal that lie in a prism over the plane, from the middle
    of the widest gap to the middle of another; the slow, obvious way."""
    cell = crystal.atoms.cell.array
    first, second = np.array(WITHIN[crystal.system][face]) @ cell
    normal = np.cross(first, second) / np.linalg.norm(np.cross(first, second))
    block = crystal.atoms * (12, 12, 12)
    positions = (
        block.positions
        - block.positions.mean(axis=0)
        + 0.01 * crystal.atoms.cell.array.sum(axis=0) / np.pi
    )
    heights = np.unique(np.round(positions @ normal, 6))
    heights = heights[abs(heights) < 15]
    gaps = np.diff(heights)
    ends = [0.5 * (heights[k] + heights[k + 1]) for k in np.flatnonzero(gaps > gaps.max() - 1e-3)]
    low = ends[0]
    high = next(end for end in ends if end > low + THICK)
    axes = np.array([first, second, normal * (high - low)])
    inside = (positions - low * normal) @ np.linalg.inv(axes)
    inside -= [1 / np.e, 1 / np.pi, 0]  # no atom lies on a side of the prism
    chosen = np.all((inside >= [-0.5, -0.5, 0]) & (inside < [0.5, 0.5, 1]), axis=1)
    axes[2] = normal * (high - low + 15)
    return Atoms(
        block.numbers[chosen], positions=positions[chosen] - low * normal, cell=axes, pbc=True
    )


@pytest.mark.parametrize(("element", "face"), CASES)
def test_against_other_constructors(relaxed, element, face):
    """Energies of what is cut out of a block, and of ASE's own slabs where it has the face; not
    relaxed, and thicker.
    """
    crystal, calculator = relaxed[element]
    ours = surface_energy(slab(crystal, face, 15.0).atoms, crystal, calculator)
    cut = cut_out(crystal, face)
    assert len(cut) * crystal.atoms.get_volume() / len(crystal.atoms) > THICK * cut.cell.areas()[2]
    assert ours == pytest.approx(surface_energy(cut, crystal, calculator), abs=1e-6)
    if (element, face) in FACES_OF_ASE:
        a, _, c = crystal.atoms.cell.lengths()
        lattice = {"a": a, "c": c} if crystal.system == "hexagonal" else {"a": a}
        made = FACES_OF_ASE[element, face](
            element,
            (1, 2 if face == (1, 1, 0) or element == "Mg" else 1, 12),
            vacuum=8.0,
            **lattice,
        )
        made.pbc = True
        if (element, face) in (
            ("Si", (1, 1, 1)),
            ("Mg", (1, 0, 0)),
        ):  # ASE cuts in the narrower gap: next to it is the wider
            heights = made.positions[:, 2]
            made = made[(heights > heights.min() + 0.1) & (heights < heights.max() - 0.1)]
        assert ours == pytest.approx(surface_energy(made, crystal, calculator), abs=1e-6)


@pytest.mark.parametrize(("element", "face"), CASES)
def test_faces_are_flat_and_equal(relaxed, element, face):
    """As many atoms in the outermost plane of each face as in any, and each atom has a partner of
    equal energy at the other face.
    """
    crystal, _ = relaxed[element]
    made = slab(crystal, face, SLAB)
    heights = np.sort(made.atoms.positions[:, 2])
    planes = np.split(heights, 1 + np.flatnonzero(np.diff(heights) > 0.1))
    assert len({len(plane) for plane in planes}) == 1
    assert all(np.ptp(plane) < 1e-9 for plane in planes)
    assert 0.98 * SLAB <= np.ptp(heights) < SLAB + 4.0
    middle = 0.5 * (heights[0] + heights[-1])
    np.testing.assert_allclose(np.sort(2 * middle - heights), heights, atol=1e-9)
    distances = np.sort(made.atoms.get_all_distances(mic=True), axis=1)
    top, bottom = made.atoms.positions[:, 2].argmax(), made.atoms.positions[:, 2].argmin()
    np.testing.assert_allclose(distances[top], distances[bottom], atol=1e-9)
    assert made.area == pytest.approx(np.linalg.norm(np.cross(*made.atoms.cell.array[:2])))


@pytest.mark.parametrize("element", ["Cu", "Fe", "Si", "Mg"])
def test_rounding_does_not_matter(relaxed, element):
    """Coordinates moved by 1e-12 and wrapped, so that many a 0 becomes a 1: the same slabs, and the
    same energies.
    """
    crystal, calculator = relaxed[element]
    crystal = replace(crystal, unrelaxed=None)
    expected = {q.name: q for q in surfaces(calculator, crystal)}
    for seed in range(4):
        atoms = crystal.atoms.copy()
        atoms.positions += np.random.default_rng(seed).choice(
            [-1e-12, 1e-12], size=atoms.positions.shape
        )
        atoms.set_scaled_positions(np.mod(atoms.get_scaled_positions(wrap=False), 1.0))
        for moved in (replace(crystal, atoms=atoms), crystal_of(atoms)):
            for face in FACES[crystal.system]:
                one, other = slab(moved, face, SLAB), slab(crystal, face, SLAB)
                assert one.termination == other.termination
                energies = [surface_energy(s.atoms, crystal, calculator) for s in (one, other)]
                assert energies[0] == pytest.approx(energies[1], abs=1e-8)
    for q in surfaces(calculator, crystal_of(atoms)):
        assert q.value == pytest.approx(expected[q.name].value, abs=1e-6)
        assert q.note == expected[q.name].note


def test_relaxed_energies_of_copper(relaxed):
    """What 0.1.0 gave as 1.67 J/m² for (111), and 1.05 to 1.99 for draws from one posterior."""
    crystal, calculator = relaxed["Cu"]
    found = {q.name: q.value for q in surfaces(calculator, crystal)}
    for face, made_by in ((100, fcc100), (110, fcc110), (111, fcc111)):
        layers = len(slab(crystal, tuple(int(c) for c in str(face)), SLAB).atoms)
        made = made_by("Cu", (1, 1, layers), a=crystal.atoms.cell[0, 0], vacuum=8.0)
        made.pbc = True
        made.calc = calculator
        assert BFGS(made, logfile=None).run(fmax=1e-5, steps=200)
        assert found[f"surface {face}"] == pytest.approx(
            surface_energy(made, crystal, calculator), abs=1e-6
        )
    assert found["surface 111"] == pytest.approx(1.0437, abs=1e-3)


def test_terminations(relaxed):
    """Said in words, and the one of the fewest broken bonds: one at each atom of a (111) face of
    silicon, not three.
    """
    silicon = slab(relaxed["Si"][0], (1, 1, 1), SLAB)
    assert "cut between planes 2.35 Å apart, the wider of 2.35 and 0.78 Å" in silicon.termination
    neighbours = np.bincount(neighbor_list("i", silicon.atoms, 2.6))
    assert sorted(neighbours)[:3] == [3, 3, 4]
    prism = slab(relaxed["Mg"][0], (1, 0, 0), SLAB)
    assert "the wider of 1.85 and 0.93 Å" in prism.termination
    assert "the wider of" not in slab(relaxed["Cu"][0], (1, 1, 1), SLAB).termination
    with pytest.raises(RunError, match="cannot all be zero"):
        slab(relaxed["Cu"][0], (0, 0, 0), SLAB)


def test_other_faces_and_stackings(relaxed):
    """Faces of higher indices against the block, and a crystal of four planes a period, all equally
    far apart.
    """
    crystal, _ = relaxed["Cu"]
    for face, within in (
        ((2, 1, 0), ((1, -2, 0), (0, 0, 1))),
        ((3, 1, 1), ((0, 1, -1), (1, -3, 0))),
    ):
        made = slab(crystal, face, 12.0)
        cell = crystal.atoms.cell.array
        normal = np.array(face) / np.linalg.norm(face)
        assert abs(np.array(within) @ cell @ normal).max() < 1e-9
        spacing = made.atoms.get_volume() / made.area
        assert spacing == pytest.approx(made.atoms.cell.lengths()[2])
        assert made.area == pytest.approx(
            crystal.atoms.get_volume() / 4 / np.diff(np.sort(made.atoms.positions[:, 2])).mean()
        )
    a, c = 2.54, 8.3
    double = Atoms(
        "Cu4",
        cell=[a, a, c, 90, 90, 120],
        pbc=True,
        scaled_positions=[(0, 0, 0), (1 / 3, 2 / 3, 1 / 4), (0, 0, 1 / 2), (2 / 3, 1 / 3, 3 / 4)],
    )
    energies = []
    for seed in range(4):
        moved = double.copy()
        moved.positions += np.random.default_rng(seed).choice([-1e-12, 1e-12], size=(4, 3))
        moved.wrap()
        stacked = crystal_of(moved)
        energies.append(surface_energy(slab(stacked, (0, 0, 1), SLAB).atoms, stacked, EMT()))
    np.testing.assert_allclose(energies, energies[0], atol=1e-8)


def test_counts_are_those_of_the_crystal_as_it_was_given():
    """An edge of 3.00 Å that one potential relaxes to 2.99 and another to 3.01 is repeated as often
    by both.
    """
    given = crystal_of(bulk("Cu", "bcc", a=3.0))
    for factor in (0.99, 1.01):
        atoms = given.atoms.copy()
        atoms.set_cell(atoms.cell * factor, scale_atoms=True)
        moved = replace(given, atoms=atoms, unrelaxed=given)
        assert len(moved.supercell(9.0)) == 54
        assert len(slab(moved, (1, 1, 0), 12.0).atoms) == len(slab(given, (1, 1, 0), 12.0).atoms)


def test_a_relaxed_crystal_is_as_symmetric_as_before(relaxed):
    for crystal, _ in relaxed.values():
        lengths, angles = crystal.atoms.cell.lengths(), crystal.atoms.cell.angles()
        hexagonal = crystal.system == "hexagonal"
        np.testing.assert_allclose(lengths[:2], lengths[0], rtol=1e-14)
        np.testing.assert_allclose(angles, [90, 90, 120 if hexagonal else 90], atol=1e-10)
        np.testing.assert_allclose(
            crystal.atoms.get_scaled_positions(wrap=False),
            crystal.given.atoms.get_scaled_positions(wrap=False),
            atol=1e-12,
        )


def test_the_neighbour_of_a_jump_is_always_the_same():
    """Where twelve are as near, or, in hcp, six within the plane and six beside it: never by
    rounding.
    """
    for crystal in (
        element_crystal("Cu"),
        crystal_of(bulk("Mg", "hcp", a=3.2, c=3.2 * np.sqrt(8 / 3))),
    ):
        perfect, found = crystal.supercell(9.0), set()
        for seed in range(6):
            moved = perfect.copy()
            moved.positions += np.random.default_rng(seed).uniform(
                -1e-12, 1e-12, moved.positions.shape
            )
            found.add(neighbour_of_first(moved)[0])
        assert len(found) == 1
    assert abs(neighbour_of_first(perfect)[1][2]) < 1e-9, "within the basal plane"
