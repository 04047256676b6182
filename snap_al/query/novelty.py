"""What is new to the training set: the largest force std of a frame, against the same number of
training configurations that are each predicted with themselves left out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snap_al.data.rows import Kind
from snap_al.descriptors import DesignMatrix
from snap_al.inference import Posterior
from snap_al.parallel import Communicator, collectively

Array = NDArray[np.float64]


def left_out_force_stds(
    posterior: Posterior, matrix: DesignMatrix, comm: Communicator
) -> dict[int, float]:
    """Largest force std (eV/Å) over atoms of each training configuration, itself left out, by its
    number. Collective.

    Rows without a label count as well: their derivatives are as much a frame's as the fitted ones.
    Atoms that only a cut put where they are do not.
    """
    local: dict[int, float] = {}
    with collectively(comm):
        for number in matrix.own:
            rows = matrix.rows_of(number)
            own = rows.values[rows.mask] * rows.weights[rows.mask, None]
            forces = rows.values[(rows.index["kind"] == Kind.FORCE) & rows.index["core"]]
            local[number] = float(posterior.atom_force_std(forces, posterior.left_out(own)).max())
    merged: dict[int, float] = {}
    for part in comm.allgather(local):
        merged.update(part)
    return dict(sorted(merged.items()))
