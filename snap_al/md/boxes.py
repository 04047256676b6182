"""A configuration into a LAMMPS session, and a frame of one out of it."""

from __future__ import annotations

import numpy as np

from snap_al.data.configuration import Configuration
from snap_al.data.masses import masses
from snap_al.potential import FittedPotential
from snap_al.sessions import (
    MD_ROOM,
    MD_SKIN,
    Box,
    LammpsSession,
    compact_box_of,
    make_room,
    most_neighbours,
    with_small_tilts,
)


def create(session: LammpsSession, potential: FittedPotential, configuration: Configuration) -> Box:
    """Box, masses, atoms with ids 1…n and their moments, in a session that has none."""
    box = compact_box_of(configuration, vacuum=potential.model.cutoff)
    session.create_box(box, masses(potential.elements), potential.reference.atom_style)
    types = np.array(
        [potential.elements.index(s) + 1 for s in configuration.species], dtype=np.int32
    )
    session.create_atoms(types, box.centered())
    potential.reference.set_moments(session, configuration, box)
    make_room_for_md(session, potential, configuration)
    return box


def take_back_tilts(session: LammpsSession, pbc: tuple[bool, bool, bool]) -> None:
    """Of a box that an earlier stage has sheared far: the same lattice, which `fix npt` takes.
    Atoms go to their images. Collective.
    """
    cell, _ = session.lower_cell()
    lower = with_small_tilts(cell, pbc)
    if not np.array_equal(lower, cell):
        xy, xz, yz = (float(lower[row, column]) for row, column in ((1, 0), (2, 0), (2, 1)))
        session.command(f"change_box all xy final {xy!r} xz final {xz!r} yz final {yz!r}")


def make_room_for_md(
    session: LammpsSession, potential: FittedPotential, configuration: Configuration
) -> None:
    """Neighbour lists that are large enough for MD that begins with this configuration. The same on
    all ranks.
    """
    reach = max(potential.model.cutoff, potential.reference.longest_cutoff()) + MD_SKIN
    make_room(
        session, MD_ROOM * most_neighbours(compact_box_of(configuration, vacuum=reach), reach)
    )


def gather_frame(
    session: LammpsSession, potential: FittedPotential, start: Configuration
) -> Configuration:
    """All atoms in the order of their ids, in LAMMPS' axes, on every rank. Collective.

    Charges and spins are LAMMPS' where the reference potential has them, else those of `start`,
    which a labeler needs.
    """
    elements, moments = potential.elements, potential.reference.moments
    everyone = session.comm.allgather(session.atoms())
    atoms = {name: np.concatenate([part[name] for part in everyone]) for name in everyone[0]}
    order = np.argsort(atoms["id"])
    cell, origin = session.lower_cell()
    spins = start.spins
    if spins is not None and spins.ndim == 2:
        spins = compact_box_of(start, vacuum=potential.model.cutoff).axial_vectors(spins)
    return Configuration(
        cell,
        atoms["x"][order] - origin,
        tuple(elements[t - 1] for t in atoms["type"][order]),
        start.pbc,
        charges=session.charges() if "q" in moments else start.charges,
        spins=session.spins() if "sp" in moments else spins,
    )
