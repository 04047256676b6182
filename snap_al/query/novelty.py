"""What is new to the training set: the largest force std of a frame, against the same number of training
configurations that are each predicted with themselves left out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snap_al.descriptors import Kind
from snap_al.descriptors.design_matrix import Rows
from snap_al.fit import Posterior, atom_force_std, square_root
from snap_al.parallel import Communicator, collectively

Array = NDArray[np.float64]


def left_out_force_stds(posterior: Posterior, rows: Rows, comm: Communicator) -> dict[int, float]:
    """Largest force std (eV/Å) over atoms of each training configuration, itself left out, by its number. Collective.

    rows: this rank's, masked ones included: their derivatives are as much a frame's as the fitted ones.
    """
    own: dict[int, float] = {}
    with collectively(comm):
        for number in np.unique(rows.index["configuration"]):
            here = rows.index["configuration"] == number
            fitted = here & rows.mask
            root = square_root(posterior.left_out(rows.values[fitted] * rows.weights[fitted, None]))
            forces = rows.values[here & (rows.index["kind"] == Kind.FORCE)]
            own[int(number)] = float(atom_force_std(forces, root).max())
    merged: dict[int, float] = {}
    for part in comm.allgather(own):
        merged.update(part)
    return dict(sorted(merged.items()))
