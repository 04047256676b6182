"""snap_al.md.carving: Cells cut out of large boxes: what is kept, what is fitted, and that a hidden
defect is learnt from them.
"""

import json
from itertools import product

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from helpers.calls import snap_al
from helpers.samples import COPPER, WEIGHTS, rattled_copper, small_config
from hypothesis import given, settings
from hypothesis import strategies as st

from snap_al.data import Configuration, LabelledConfiguration
from snap_al.data.configuration import Label
from snap_al.data.labelled import Weighting
from snap_al.descriptors import DescriptorEngine, DesignMatrix, ReferencePotential, SnapSettings
from snap_al.inference import atom_force_std, fit_posterior, square_root
from snap_al.label import AseLabeler
from snap_al.label.backend import decode_structure, encode_structure
from snap_al.md import CarveSettings
from snap_al.md.carving import carved, relaxed_shell
from snap_al.parallel import SERIAL
from snap_al.potential import FittedPotential, Snap
from snap_al.sessions import box_of

DEMO = SnapSettings(elements=("Cu",), twojmax=6, rcutfac=5.0)
SMALL = CarveSettings(above=100, core=3.0, shell=3.0)


def box(repeats, rattle=0.05, seed=0):
    atoms = bulk("Cu", cubic=True) * ((repeats,) * 3)
    atoms.rattle(rattle, seed=seed)
    return atoms


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 6 * 6 * 6 * 4 - 1), st.integers(0, 10**6))
def test_the_core_is_the_box_around_the_atom(atom, seed):
    """Wherever the atom is: as many neighbours within the core, at the same distances; no two atoms
    overlap.
    """
    frame = Configuration.from_atoms(box(6, seed=seed))
    cell = carved(frame, atom, SMALL)
    assert 90 < len(cell) < 200
    whole = frame.to_atoms()
    near = np.sort(whole.get_distances(atom, range(len(whole)), mic=True))
    inside = cell.to_atoms()
    centre = int(np.argmin(np.linalg.norm(cell.positions - cell.cell.diagonal() / 2, axis=1)))
    found = np.sort(inside.get_distances(centre, np.flatnonzero(cell.core)))
    assert np.allclose(found, near[near <= SMALL.core], atol=1e-8)
    pairs = inside.get_all_distances(mic=True) + 9 * np.eye(len(inside))
    assert pairs.min() > 0.7 * near[1]


def test_a_crystal_closes_on_itself():
    """Of a perfect crystal, a perfect crystal: no atom too few or too many."""
    cell = carved(Configuration.from_atoms(box(7, rattle=0.0)), 5, SMALL)
    edges = cell.cell.diagonal() / 3.61
    assert np.allclose(edges, edges.round(), atol=0.02)
    assert len(cell) == 4 * np.prod(edges.round())


@pytest.mark.parametrize("repeats", [12, 14])
def test_nothing_is_missing_from_the_corners_of_a_tilted_box(repeats):
    """In boxes of primitive cells: every atom of the crystal that lies within the cut, and away
    from its faces, is in the cell.
    """
    atoms = bulk("Cu") * (repeats, repeats, repeats)
    atoms.rattle(0.05, seed=2)
    upright = box_of(Configuration.from_atoms(atoms), 0.0)
    frame = Configuration(upright.lower, upright.positions, tuple(atoms.symbols))
    cell = carved(frame, 5, CarveSettings(above=100, core=4.0, shell=4.0))
    assert len(cell) < len(frame)
    middle = cell.cell.diagonal() / 2
    expected = 0
    for shift in product((-1, 0, 1), repeat=3):
        image = frame.positions + shift @ frame.cell - frame.positions[5]
        expected += np.sum(np.all(np.abs(image) < middle - 0.5, axis=1))
    assert np.sum(np.all(np.abs(cell.positions - middle) < middle - 0.5, axis=1)) == expected


def test_two_elements_close_on_their_own_kind():
    """Rock salt closes on every half of its cell but for the elements."""
    atoms = bulk("CuAg", "rocksalt", a=5.6, cubic=True) * (7, 7, 7)
    atoms.rattle(0.03, seed=1)
    cell = carved(Configuration.from_atoms(atoms), 100, CarveSettings(core=4.0, shell=3.0))
    assert np.diag(cell.cell) / 5.6 == pytest.approx(np.round(np.diag(cell.cell) / 5.6), abs=0.03)
    assert cell.species.count("Cu") == cell.species.count("Ag")


def test_small_frames_are_sent_whole():
    frame = Configuration.from_atoms(box(3))
    assert carved(frame, 0, CarveSettings(above=300)) is frame
    assert carved(frame, 0, CarveSettings(above=10, core=8.0)) is frame, "too thin to be cut"


def test_only_core_forces_have_weights():
    cell = carved(Configuration.from_atoms(box(6)), 3, SMALL)
    item = LabelledConfiguration(
        cell.labelled(Label(None, np.zeros((len(cell), 3)), None)), WEIGHTS
    )
    weights = Weighting([item]).of(item)[1:-6].reshape(-1, 3)
    assert np.array_equal(weights[:, 0] > 0, cell.core)
    stored = decode_structure(json.loads(json.dumps(encode_structure(cell))))
    assert np.array_equal(stored.core, cell.core)
    assert stored.key == cell.key
    with DescriptorEngine(COPPER, ReferencePotential()) as engine:
        matrix = DesignMatrix(engine, SERIAL)
        matrix.append([item])
    rows = matrix.slabs()[0]
    assert np.array_equal(rows.index["core"][1:-6].reshape(-1, 3)[:, 0], cell.core)
    assert rows.mask.sum() == 3 * cell.core.sum()


def fitted_to(cells, folder):
    labeler = AseLabeler("ase.calculators.emt.EMT")
    with DescriptorEngine(DEMO, ReferencePotential()) as engine:
        matrix = DesignMatrix(engine, SERIAL)
        matrix.append([LabelledConfiguration(rattled_copper(k), WEIGHTS) for k in range(6)])
        for cell in cells:
            label = labeler.label(cell)
            label = label if cell.core is None else Label(None, label.forces, None)
            matrix.append([LabelledConfiguration(cell.labelled(label), WEIGHTS)])
    rows = matrix.slabs()[0].used()
    potential = FittedPotential(
        Snap(DEMO), ReferencePotential(), fit_posterior(rows.values, rows.targets, rows.weights)
    )
    potential.write(folder)
    return potential


def at_defect(potential, frame, forces, around):
    """Largest force std, and RMS of the force error, of atoms near the defect."""
    with potential.engine() as engine:
        rows = engine.rows(frame).forces.reshape(len(frame), 3, -1)[around]
    flat = rows.reshape(-1, rows.shape[-1])
    errors = flat @ potential.posterior.mean - forces[around].ravel()
    return atom_force_std(flat, square_root(potential.posterior.covariance)).max(), np.sqrt(
        np.mean(errors**2)
    )


def defect_study(repeats, folder):
    """A vacancy in copper that the first potential has not seen: std and error around it, first,
    after carving, after labelling the whole box; and the atoms that were labelled."""
    crystal = box(repeats, rattle=0.04)
    site = len(crystal) // 2 + 4 * repeats
    hole = crystal.positions[site].copy()
    del crystal[site]
    frame = Configuration.from_atoms(crystal)
    crystal.calc = EMT()
    forces = crystal.get_forces()
    distance = np.linalg.norm(crystal.positions - hole, axis=1)
    around = np.flatnonzero(distance < 2.8)
    first = fitted_to([], folder)
    with DescriptorEngine(DEMO, ReferencePotential()) as engine:
        stds = atom_force_std(engine.rows(frame).forces, square_root(first.posterior.covariance))
    atom = int(np.argmax(stds))
    assert distance[atom] < 2.8, "the std points to the defect"
    cell = relaxed_shell(
        carved(frame, atom, CarveSettings(above=100, core=4.0, shell=2.0)), first, folder
    )
    found = {"first": at_defect(first, frame, forces, around)}
    for name, cells in (("carved", [cell]), ("whole", [frame])):
        found[name] = at_defect(fitted_to(cells, folder / name), frame, forces, around)
    return found, len(cell), len(frame)


def as_good(found):
    """Std and true error at the defect lower than they were, and within 20 % of what the whole
    box's label gives.
    """
    pairs = zip(found["first"], found["carved"], found["whole"], strict=True)
    return all(carved <= 1.2 * whole and carved < first for first, carved, whole in pairs)


def test_a_hidden_defect_is_learnt_from_a_carved_cell(tmp_path):
    found, small, large = defect_study(8, tmp_path)
    print(f"\n{small} of {large} atoms labelled; std, error at the defect: {found}")
    assert as_good(found)


@pytest.mark.slow
def test_as_well_as_from_the_whole_box_at_a_hundredth(tmp_path):
    """16,000 atoms; within 20 % in std and in true error at the defect."""
    found, small, large = defect_study(16, tmp_path)
    print(f"\n{small} of {large} atoms labelled; std, error at the defect: {found}")
    assert large > 16_000
    assert small <= large / 100
    assert as_good(found)


def test_a_run_that_carves(tmp_path):
    """A large walker beside small starting cells: what is labelled is carved, and a resumed run
    repeats.
    """
    explore = (
        "explore: {walkers: [{structure: Cu.extxyz, supercell: [5, 5, 5]}], ensemble: nvt, "
        "temperature: [300, 1200], timestep: 0.003, "
        "steps: 150, check_every: 10}\ncarve: {above: 200, core: 3.0, shell: 2.5}"
    )
    config = small_config(
        tmp_path, explore=explore, query="query: {force_std: 0.03}", stop="stop: {max_labels: 5}"
    )
    done = snap_al("run", config, "--out", tmp_path / "run", ranks=2)
    assert done.returncode == 0, done.stderr
    sizes = [
        len(json.loads(path.read_text())["species"])
        for path in (tmp_path / "run" / "queries").glob("*.json")
    ]
    cores = [
        "core" in json.loads(path.read_text())
        for path in (tmp_path / "run" / "queries").glob("*.json")
    ]
    assert any(cores)
    assert max(sizes) < 200
    assert ase.io.read(tmp_path / "Cu.extxyz")
