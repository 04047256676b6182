"""Frames of a walker with each atom's stds beside it, for OVITO and the like to colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from snap_al.data.configuration import Configuration
from snap_al.potential import Monitor
from snap_al.sessions import LammpsSession


def append_frame(
    path: Path, frame: Configuration, step: int, session: LammpsSession, monitor: Monitor
) -> None:
    """Extended XYZ: `energy_std` (eV) and `force_std` (eV/Å) per atom, `step`. Collective; rank 0
    writes.
    """
    own = (session.atoms()["id"], monitor.energy_std(session), monitor.force_std(session))
    everyone = session.comm.allgather(own)
    ids, energy, force = (np.concatenate(parts) for parts in zip(*everyone, strict=True))
    if session.comm.rank == 0:
        import ase.io  # late: it is slow to import

        order = np.argsort(ids)
        atoms = frame.to_atoms()
        atoms.info["step"] = step
        atoms.set_array("energy_std", energy[order])
        atoms.set_array("force_std", force[order])
        ase.io.write(path, atoms, format="extxyz", append=True)
