"""A small cell cut out of a large one around an atom: what a DFT code can afford of a box that it
cannot.

A periodic cell, as nearly as its size allows a translation that takes the box to itself, so that a
crystal around a defect closes on itself. Atoms that the cut put too near each other go; then the
shell is relaxed with the fitted potential, and the core stays where it was. Of the label only the
core's forces are fitted: `Configuration.core`.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from snap_al.data.configuration import Configuration, Label
from snap_al.md.boxes import create
from snap_al.md.settings import CarveSettings
from snap_al.parallel import SERIAL
from snap_al.potential import FittedPotential
from snap_al.sessions import LammpsSession, LammpsSettings, wrapped

Array = NDArray[np.float64]
STRETCH, LONGEST, STEP = 2.5, 6.0, 0.05
"""Å: how far from the wanted edge a better one is looked for, how far when the unit cell is large,
and how finely.
"""
WORTH = 0.2
"""A longer edge is taken when it leaves less than this of the misfit."""
FACE = 3.0
"""Å: the layer at a face that is compared with what lies one edge further."""
MARGIN = 0.4
"""Å beyond the faces: of a site that they cut, one of its two atoms is in, however both are
displaced. Where both are, one goes.
"""
CROWDED = 0.75
"""Atoms of the new cell nearer than this, times the nearest distance in the box, overlap."""
ALIKE, VALLEY = 2.0, 0.5
"""A misfit up to so many times the least is as good; its minimum is within so many Å."""
BIG = 1e3


def carved(frame: Configuration, atom: int, settings: CarveSettings) -> Configuration:
    """The cell around one atom, not relaxed; the frame itself when it is small, or too thin to be
    cut.

    The frame's periodic directions are cut, open ones kept open.
    """
    edge = 2.0 * (settings.core + settings.shell)
    heights = 1.0 / np.linalg.norm(np.linalg.inv(frame.cell), axis=0)
    if len(frame) <= settings.above or any(
        p and h < edge + 2 * STRETCH for p, h in zip(frame.pbc, heights, strict=True)
    ):
        return frame
    around, numbers = _around(frame, atom, (edge + LONGEST) / 2 + FACE)
    kinds = np.unique(frame.species, return_inverse=True)[1].reshape(-1)[numbers]
    edges = np.array(
        [
            _best_edge(around, kinds, k, edge, heights[k])
            if frame.pbc[k]
            else np.ptp(around[:, k]) + BIG
            for k in range(3)
        ]
    )
    inside = np.flatnonzero(
        np.all(np.abs(around + 1e-6) < edges / 2 + np.where(frame.pbc, MARGIN, 0.0), axis=1)
    )
    kept = inside[_apart(around[inside], np.where(frame.pbc, edges, np.inf), _nearest(around))]
    positions, atoms = around[kept] + edges / 2, numbers[kept]
    return replace(
        frame,
        cell=np.diag(np.where(frame.pbc, edges, np.ptp(around, axis=0) + settings.vacuum)),
        positions=positions,
        species=tuple(frame.species[k] for k in atoms),
        label=Label(),
        name=f"{frame.name}, around atom {atom}",
        charges=None if frame.charges is None else frame.charges[atoms],
        spins=None if frame.spins is None else frame.spins[atoms],
        core=np.linalg.norm(around[kept], axis=1) <= settings.core,
    )


def relaxed_shell(
    cell: Configuration,
    potential: FittedPotential,
    files: Path,
    lammps: LammpsSettings | None = None,
) -> Configuration:
    """Positions outside the core at a minimum of the fitted potential. Raises LammpsError."""
    if cell.core is None or cell.core.all():
        return cell
    core = " ".join(str(k + 1) for k in np.flatnonzero(cell.core))
    with LammpsSession(SERIAL, lammps=lammps) as session:
        box = create(session, potential, cell)
        session.commands(
            [
                *potential.pair_commands(files, session.name_of),
                f"group core id {core}",
                "fix hold core setforce 0 0 0",
                "minimize 0 0.01 300 3000",
            ]
        )
        atoms = session.atoms()
    moved = (atoms["x"][np.argsort(atoms["id"])] - box.centered()) @ np.linalg.inv(box.lower)
    moved -= np.where(cell.pbc, np.round(moved), 0.0)
    shift = np.where(cell.core[:, None], 0.0, box.vectors_back(moved @ box.lower))
    return replace(cell, positions=cell.positions + shift)


def _around(frame: Configuration, atom: int, reach: float) -> tuple[Array, NDArray[np.int64]]:
    """(n, 3) Å from the atom to every image of each that is within `reach` along all periodic axes,
    and (n,) whose images they are.

    In a box that is tilted the corners of a cube are images of atoms nearer to another image of
    this one.
    """
    fractional = (frame.positions - frame.positions[atom]) @ np.linalg.inv(frame.cell)
    fractional -= np.where(frame.pbc, np.round(fractional), 0.0)
    heights = 1.0 / np.linalg.norm(np.linalg.inv(frame.cell), axis=0)
    times = np.where(frame.pbc, np.ceil(np.sqrt(3.0) * reach / heights - 0.5), 0).astype(int)
    limits = np.where(frame.pbc, reach, np.inf)
    found, numbers = [], []
    for shift in product(*(range(-n, n + 1) for n in times)):
        image = (fractional + shift) @ frame.cell
        near = np.flatnonzero(np.all(np.abs(image) <= limits, axis=1))
        found.append(image[near])
        numbers.append(near)
    order = np.argsort(np.concatenate(numbers), kind="stable")
    return np.concatenate(found)[order], np.concatenate(numbers)[order]


def _best_edge(
    around: Array, kinds: NDArray[np.int64], axis: int, wanted: float, room: float
) -> float:
    """Near the wanted one, the shortest translation along an axis that brings atoms at the lower
    face about as near to atoms of the box of the same kind as any does. room: the box's height."""
    alike = np.column_stack([around, 2 * FACE * kinds])  # other kinds are too far off to match
    tree = cKDTree(alike)
    lateral = np.all(np.abs(np.delete(around, axis, axis=1)) < wanted / 2, axis=1)
    lengths = np.arange(wanted - STRETCH, wanted + LONGEST, STEP)
    misfits = np.full(len(lengths), np.inf)
    for n, length in enumerate(lengths):
        face = alike[lateral & (np.abs(around[:, axis] + length / 2) < FACE)]
        if len(face) and length + 2 * FACE < room:
            misfits[n] = np.mean(
                np.minimum(tree.query(face + length * np.eye(4)[axis])[0], FACE) ** 2
            )
    near = lengths < wanted + STRETCH
    if (
        misfits.min() > WORTH * misfits[near].min()
    ):  # nothing far better is to be had for a longer edge
        lengths, misfits = lengths[near], misfits[near]
    first = int(np.argmax(misfits <= ALIKE * misfits.min()))
    valley = first + int(np.argmin(misfits[first : first + round(VALLEY / STEP)]))
    return float(lengths[valley])


def _nearest(around: Array) -> float:
    return float(cKDTree(around).query(around, k=2)[0][:, 1].min())


def _apart(positions: Array, edges: Array, nearest: float) -> NDArray[np.int64]:
    """Which atoms stay: of two that overlap through the cell's faces the one farther from the
    middle goes.
    """
    distance = np.linalg.norm(positions, axis=1)
    gone = np.zeros(len(positions), dtype=bool)
    finite = np.where(np.isfinite(edges), edges, BIG * 10)
    tree = cKDTree(wrapped(positions + finite / 2, finite), boxsize=finite)
    for i, j in sorted(tree.query_pairs(CROWDED * nearest)):
        if not gone[i] and not gone[j]:
            gone[i if distance[i] > distance[j] else j] = True
    return np.flatnonzero(~gone)
