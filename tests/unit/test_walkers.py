"""snap_al.loop.walkers: Walkers from a config's entries: every combination once, each with its own
name, and structures that are what they say.
"""

import numpy as np
import pytest
from ase.build import bulk, diamond111, fcc111, hcp10m10
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from snap_al.data import Configuration
from snap_al.data.structures import (
    recomposed,
    strained,
    with_interstitials,
    with_surface,
    with_vacancies,
)
from snap_al.errors import InputError
from snap_al.loop.explore_settings import ExploreSettings
from snap_al.loop.walkers import WalkerSettings

CRYSTAL = Configuration.from_atoms(bulk("Cu", cubic=True) * (2, 2, 2), "copper")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "Cu.extxyz"
    bulk("Cu", cubic=True).write(path)
    return path


def test_every_combination_is_a_walker(file):
    entry = WalkerSettings(
        structure=file,
        supercell=(2, 2, 2),
        vary={
            "temperature": [300, [300, 900]],
            "strain": {"from": -0.02, "to": 0.02, "count": 3},
            "seeds": 2,
        },
    )
    walkers = entry.walkers(("Cu",), 1, 0)
    assert len(walkers) == 2 * 3 * 2
    assert len({w.configuration.name for w in walkers}) == len(walkers)
    assert {w.temperature for w in walkers} == {(300.0, 300.0), (300.0, 900.0)}
    assert sorted({round(w.configuration.volume, 2) for w in walkers}) == [
        round(CRYSTAL.volume * (1 + e) ** 3, 2) for e in (-0.02, 0.0, 0.02)
    ]
    again = entry.walkers(("Cu",), 1, 0)
    assert all(
        np.array_equal(a.configuration.positions, b.configuration.positions)
        for a, b in zip(walkers, again, strict=True)
    )


def test_a_stage_comes_before_its_walker_and_that_before_the_rest():
    explore = ExploreSettings(
        walkers=[{"structure": "Cu.extxyz"}],
        temperature=500,
        timestep=0.002,
        steps=7,
        repeat=2,
        stages=[{"ensemble": "nvt", "steps": 5}, {"ensemble": "npt", "temperature": [900, 300]}],
    )
    protocol = explore.protocol({"temperature": (700.0, 700.0)})
    assert protocol.steps == explore.protocol().steps == 2 * (5 + 7)
    assert [s.temperature for s in protocol.stages] == [(700.0, 700.0), (900.0, 300.0)] * 2
    assert {s.timestep for s in protocol.stages} == {0.002}
    assert explore.protocol().stages[0].temperature == (500.0, 500.0)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 31))
def test_vacancies_leave_the_rest_alone(seed, count):
    made = with_vacancies(CRYSTAL, count, np.random.default_rng(seed))
    assert len(made) == len(CRYSTAL) - count
    assert {tuple(p) for p in made.positions} <= {tuple(p) for p in CRYSTAL.positions}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.0, 1.0))
def test_composition_is_the_nearest_whole_numbers(seed, share):
    made = recomposed(CRYSTAL, {"Cu": share, "Ag": 1.0 - share}, np.random.default_rng(seed))
    assert abs(made.species.count("Cu") - share * len(CRYSTAL)) <= 0.5 + 1e-9
    assert len(made.species) == len(CRYSTAL)


def test_an_interstitial_sits_where_there_is_room():
    """In fcc the octahedral hole, half a lattice constant from its neighbours; the second not on
    the first.
    """
    made = with_interstitials(CRYSTAL, {"H": 2}, np.random.default_rng(0))
    atoms = made.to_atoms()
    distances = atoms.get_all_distances(mic=True)[-2:] + 99.0 * np.eye(len(atoms))[-2:]
    assert made.species[-2:] == ("H", "H")
    assert distances.min() > 0.9 * 3.61 / 2


def test_a_surface_opens_one_direction_and_leaves_the_atoms():
    made = with_surface(CRYSTAL, 1, 10.0)
    assert made.pbc == (True, False, True)
    assert np.array_equal(made.positions, CRYSTAL.positions)
    assert np.linalg.norm(made.cell[1]) == pytest.approx(np.linalg.norm(CRYSTAL.cell[1]) + 10.0)


ORIENTED = {
    "Cu 100": bulk("Cu", cubic=True) * (1, 1, 3),
    "Cu 111": fcc111("Cu", (2, 2, 6), a=3.61, periodic=True),
    "Si 111": diamond111("Si", (1, 1, 12), a=5.43, periodic=True),
    "Mg 10-10": hcp10m10("Mg", (1, 2, 8), a=3.2, c=5.2, periodic=True),
}
"""Crystals with a lattice plane at right angles to the third axis."""


@pytest.mark.parametrize("name", ORIENTED)
def test_a_surface_is_flat_however_coordinates_are_rounded(name):
    """Both faces are whole planes, and the gap between the periodic planes that was cut is a wide
    one.
    """
    crystal, heights = ORIENTED[name], []
    fractions = np.sort(np.mod(crystal.get_scaled_positions()[:, 2] + 0.01, 1.0))
    planes = fractions[np.diff(fractions, prepend=-1) > 1e-3]
    widest = np.diff(planes, append=planes[0] + 1).max() * crystal.cell[2, 2]
    for seed in range(6):
        moved = crystal.copy()
        moved.positions += np.random.default_rng(seed).choice(
            [-1e-12, 1e-12], size=moved.positions.shape
        )
        moved.wrap(eps=0)
        made = with_surface(Configuration.from_atoms(moved), 2, 10.0)
        heights.append(np.sort(made.positions[:, 2]))
        thickness = np.ptp(heights[-1])
        assert crystal.cell[2, 2] - thickness == pytest.approx(widest, abs=1e-6)
        outer = [np.sum(abs(heights[-1] - end) < 1e-6) for end in (heights[-1][0], heights[-1][-1])]
        assert outer[0] == outer[1] == len(crystal) // len(planes)
    np.testing.assert_allclose(heights, np.tile(heights[0], (6, 1)), atol=1e-9)


def test_what_cannot_be_made_says_so(file):
    with pytest.raises(InputError, match="does not add up to 1"):
        recomposed(CRYSTAL, {"Cu": 0.6, "Ag": 0.6}, np.random.default_rng(0))
    with pytest.raises(InputError, match="32 vacancies in 32 atoms"):
        with_vacancies(CRYSTAL, 32, np.random.default_rng(0))
    with pytest.raises(InputError, match="leaves no volume"):
        strained(CRYSTAL, -1.0)
    with pytest.raises(InputError, match="Ag is not among"):
        WalkerSettings(structure=file, interstitials={"Ag": 1}).walkers(("Cu",), 1, 0)


def test_a_screen_and_a_guard_that_needs_energies():
    """In whichever place each is given; a stage that has only one of them is fine."""
    walkers = [{"structure": "Cu.extxyz"}]
    for bad in (
        {"screen_every": 1, "guards": {"max_pressure": 1e5}},
        {"screen_every": 1, "stages": [{}, {"guards": {"max_drift": 1e-3}}]},
    ):
        with pytest.raises(ValidationError, match="screen_every ends runs early"):
            ExploreSettings(walkers=walkers, **bad)
    ExploreSettings(
        walkers=walkers, guards={"max_pressure": 1e5}, stages=[{"screen_every": 1, "guards": {}}]
    )
