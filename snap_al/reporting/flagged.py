"""Frames that a run queried, with the force std of each atom by the potential of that time, and the
atom with the largest."""

from __future__ import annotations

from typing import Any

import numpy as np

from snap_al.errors import SnapALError
from snap_al.loop.events import Segment, WantedFrame
from snap_al.potential import FittedPotential
from snap_al.reporting.record import Record

MOST_FRAMES = 6
MOST_COMPUTED, MOST_SHOWN = 3000, 600
"""Largest number of atoms of a frame whose stds are computed, and number of atoms nearest to the
flagged one that are drawn."""


def flagged_frames(record: Record) -> list[dict[str, Any]]:
    """The frames with the largest stds, largest first. Frames that cannot be read are left out.

    Each has name, step, atom (the flagged one, from 0), std (eV/Å) of all atoms, positions (Å,
    about the flagged atom) and symbols.
    """
    asked = [
        (segment, query)
        for segment in record.segments()
        for query in segment.queries
        if (query.atoms or 0) <= MOST_COMPUTED
    ]
    asked.sort(key=lambda item: -item[0].force_std)
    frames = []
    for segment, query in asked[:MOST_FRAMES]:
        try:
            frames.append(_frame(record, segment, query))
        except SnapALError:
            continue
    return frames


def _frame(record: Record, segment: Segment, query: WantedFrame) -> dict[str, Any]:
    configuration = record.directory.read_query(query.key)
    potential = FittedPotential.read(record.directory.fit(segment.fit))
    with potential.engine() as engine:  # without what the folder requires of LAMMPS
        rows = engine.rows(configuration)
    std = potential.posterior.atom_force_std(rows.forces)
    atom = int(np.argmax(std))
    offsets = configuration.to_atoms().get_distances(
        atom, range(len(configuration)), mic=True, vector=True
    )
    near = np.argsort(np.linalg.norm(offsets, axis=1), kind="stable")[:MOST_SHOWN]
    return {
        "name": f"walker {segment.walker} at step {query.step}",
        "atom": atom,
        "atoms": len(configuration),
        "std": np.round(std[near], 4).tolist(),
        "positions": np.round(offsets[near], 2).tolist(),
        "symbols": [configuration.species[k] for k in near],
    }
