"""snap_al.sessions.box: Cells of one lattice, however skewed, are run by LAMMPS in a compact box;
MD goes on after a stage that has sheared it far.
"""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st

from snap_al.data import Configuration
from snap_al.md import Outcome, Protocol, SegmentFiles, SegmentStart, run_segment
from snap_al.md.rules import Verdict
from snap_al.md.settings import Guards, StageSettings
from snap_al.parallel import SERIAL
from snap_al.sessions import box_of, compact_box_of
from snap_al.sessions.box import LARGEST_TILT, MOST_DEFECT

SKEWED = {
    "tilted": ((1, 0, 0), (5, 1, 0), (3, 7, 1)),
    "a long first edge": ((4, 3, 9), (1, 1, 2), (0, 0, 1)),
    "all edges long": ((7, 5, 3), (4, 3, 2), (1, 1, 2)),
    "left-handed": ((0, 1, 0), (1, 9, 0), (4, 0, 1)),
}
"""Whole-numbered, of determinant 1 or -1: other cells of the same lattice."""
LATTICES = {
    "fcc": bulk("Cu", a=3.6) * (3, 3, 3),
    "cubic": bulk("Cu", a=3.6, cubic=True) * (2, 2, 2),
    "hcp": bulk("Cu", "hcp", a=2.55, c=4.16) * (3, 3, 2),
    "bct": bulk("Cu", "bct", a=2.9, c=3.0) * (3, 3, 3),
}


def skewed(atoms: Atoms, matrix) -> Atoms:
    made = atoms.copy()
    made.set_cell(np.array(matrix) @ atoms.cell.array)
    return made


def distances(atoms: Atoms) -> np.ndarray:
    return np.sort(neighbor_list("d", atoms, 4.4))


@pytest.mark.parametrize("matrix", SKEWED)
@pytest.mark.parametrize("lattice", LATTICES)
def test_the_same_crystal_in_a_compact_box(lattice, matrix):
    atoms = LATTICES[lattice].copy()
    atoms.rattle(0.05, seed=1)
    box = compact_box_of(Configuration.from_atoms(skewed(atoms, SKEWED[matrix])), 0.0)
    edges = np.diag(box.lower)
    assert (np.abs(np.tril(box.lower, -1)) <= (LARGEST_TILT + 1e-9) * edges[None, :]).all()
    assert np.prod(np.linalg.norm(box.lower, axis=1)) <= MOST_DEFECT * np.prod(edges)
    found = Atoms(atoms.symbols, positions=box.positions, cell=box.lower, pbc=True)
    np.testing.assert_allclose(distances(found), distances(atoms), atol=1e-9)
    vectors = np.random.default_rng(0).normal(size=(len(atoms), 3))
    turned = vectors @ box.rotation.T
    np.testing.assert_allclose(box.vectors_back(turned), vectors, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(tilts=st.tuples(*[st.floats(-0.5, 0.5)] * 3), scale=st.tuples(*[st.floats(3.0, 20.0)] * 3))
def test_a_box_that_is_compact_stays_as_it_is(tilts, scale):
    cell = np.diag(scale)
    cell[1, 0], cell[2, 0], cell[2, 1] = (
        tilts[0] * scale[0],
        tilts[1] * scale[0],
        tilts[2] * scale[1],
    )
    if np.prod(np.linalg.norm(cell, axis=1)) <= MOST_DEFECT * np.prod(scale):
        atoms = Configuration.from_atoms(Atoms("Cu", cell=cell, pbc=True))
        np.testing.assert_array_equal(compact_box_of(atoms, 0.0).lower, box_of(atoms, 0.0).lower)


@pytest.mark.parametrize(
    "matrix", [((1, 0, 0), (8, 1, 0), (0, 0, 1)), ((13, 5, 0), (5, 2, 0), (0, 0, 1))]
)
def test_an_open_boundary_stays_at_right_angles(matrix):
    slab = fcc111("Cu", (3, 3, 4), a=3.6, vacuum=6.0)
    box = compact_box_of(Configuration.from_atoms(skewed(slab, matrix)), 8.0)
    assert box.lower[2, :2].tolist() == [0.0, 0.0]
    assert box.pbc == (True, True, False)
    assert abs(box.lower[1, 0]) <= (LARGEST_TILT + 1e-9) * box.lower[0, 0]
    assert (
        np.linalg.norm(box.lower[0]) * np.linalg.norm(box.lower[1])
        <= MOST_DEFECT * box.lower[0, 0] * box.lower[1, 1]
    )
    found = Atoms(slab.symbols, positions=box.centered(), cell=box.lower, pbc=box.pbc)
    np.testing.assert_allclose(distances(found), distances(slab), atol=1e-9)


def segments(
    potential, folder: Path, start: Configuration, stages: list[StageSettings], count: int
):
    """Segments one after another, each from the restart of the last."""
    potential.write(folder)
    protocol, restart, step, found = Protocol.of(stages), None, 0, []
    for k in range(count):
        begin = SegmentStart(start, restart, step, None if k else 7, 20)
        result = run_segment(
            SERIAL,
            potential,
            folder,
            protocol,
            begin,
            lambda frame: Verdict(False, ""),
            SegmentFiles(folder / str(k)),
        )
        found.append(result)
        restart, step = folder / str(k), result.step
    return found


def stage(**changes) -> StageSettings:
    usual = {
        "temperature": (300.0, 300.0),
        "timestep": 0.002,
        "check_every": 20,
        "steps": 60,
        "checkpoint_every": 1000,
    }
    return StageSettings(**{**usual, **changes})


@pytest.mark.parametrize("coupling", ["tri", "aniso"])
@pytest.mark.parametrize("matrix", ["tilted", "a long first edge", "left-handed"])
@pytest.mark.parametrize("lattice", ["fcc", "hcp"])
def test_npt_runs(copper_potential, tmp_path, lattice, matrix, coupling):
    """As it does in the lattice's own cell, and no hotter. In 0.1.0 LAMMPS refused the box, or tore
    the crystal apart.
    """
    guards = Guards(max_force_std=100.0)
    found = []
    for atoms in (LATTICES[lattice], skewed(LATTICES[lattice], SKEWED[matrix])):
        start = Configuration.from_atoms(atoms, "crystal")
        found += segments(
            copper_potential,
            tmp_path,
            start,
            [stage(ensemble="npt", coupling=coupling, guards=guards)],
            1,
        )
    assert [result.outcome for result in found] == [Outcome.FINISHED] * 2, [
        result.reason for result in found
    ]
    assert found[1].checks[-1].volume == pytest.approx(found[0].checks[-1].volume, rel=0.02)
    assert found[1].checks[-1].temperature < 400


def test_npt_after_a_shear(copper_potential, tmp_path):
    """A box that one stage has sheared by 1.8 of its edge is the next one's in its upright form."""
    guards = Guards(max_temperature_ratio=100.0, max_force_std=1e3)
    sheared = stage(
        ensemble="shear", timestep=0.001, steps=300, variables={"shear_rate": 6.0}, guards=guards
    )
    held = stage(
        ensemble="npt",
        timestep=0.0005,
        coupling="tri",
        steps=20,
        pressure_damping=10.0,
        guards=guards,
    )
    start = Configuration.from_atoms(LATTICES["cubic"], "crystal")
    first, second = segments(copper_potential, tmp_path, start, [sheared, held], 2)
    assert first.frame.cell[1, 0] > 1.7 * first.frame.cell[0, 0]
    assert second.outcome is Outcome.FINISHED, second.reason
    assert abs(second.frame.cell[1, 0]) < LARGEST_TILT * second.frame.cell[0, 0]
    assert second.checks[-1].force_std < 2 * first.checks[-1].force_std, "atoms are where they were"
