"""How large LAMMPS' neighbour lists must be. https://docs.lammps.org/neigh_modify.html"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snap_al.sessions.box import Box
from snap_al.sessions.session import USUAL_ROOM, LammpsSession

MD_ROOM = 4
"""MD has room for so many times the neighbours that it starts with: a box may shrink."""
MD_SKIN = 2.0
"""Å that the lists of MD may reach beyond the cutoff; scripts choose it, and LAMMPS' default in
metal units is this.
"""
LARGEST_ROOM = 200_000_000
"""LAMMPS counts the page of a list, ten times as large, in an int."""


def make_room(session: LammpsSession, neighbours: int) -> None:
    """Lists for atoms with up to so many neighbours, before LAMMPS builds them; a longer one is an
    error of LAMMPS.

    Room that is not used takes no memory.
    """
    if neighbours > USUAL_ROOM:
        room = min(neighbours, LARGEST_ROOM)
        session.command(f"neigh_modify one {room} page {10 * room}")


def most_neighbours(box: Box, cutoff: float) -> int:
    """An upper bound of the number of neighbours that an atom has within `cutoff` (Å), periodic
    images counted.

    It takes time in proportion to the atoms. The box is cut into slabs at least as thick as the
    cutoff along each of its vectors, so that all neighbours of an atom are in the slabs next to its
    own; along vectors that are too short for that, it counts the images that the cutoff can reach.
    Open boundaries count as periodic.
    """
    heights = 1.0 / np.linalg.norm(np.linalg.inv(box.lower), axis=0)
    slabs = np.maximum(np.floor(heights / cutoff), 1).astype(int)
    images = np.where(slabs == 1, np.floor(2.0 * cutoff / heights).astype(int) + 1, 1)
    return int(_fullest(box, slabs) * np.prod(images))


def _fullest(box: Box, slabs: NDArray[np.int_]) -> int:
    """Atoms in the fullest block of up to three by three by three of the box's parts."""
    if (slabs <= 3).all():
        return len(box.positions)
    fractional = (box.positions @ np.linalg.inv(box.lower)) % 1.0
    where = np.minimum((fractional * slabs).astype(int), slabs - 1)
    counts = np.zeros(slabs, dtype=int)
    np.add.at(counts, tuple(where.T), 1)
    for axis in np.flatnonzero(slabs > 1):
        shifts = (-1, 0, 1) if slabs[axis] > 2 else (0, 1)
        counts = np.sum([np.roll(counts, shift, axis=axis) for shift in shifts], axis=0)
    return int(counts.max())
