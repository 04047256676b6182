"""POPS, as PyPI's popsregression has it: the peer that our own methods are measured against.

Swinburne and Perez, Mach. Learn.: Sci. Technol. 6, 015008 (2025). Rows are gathered on rank 0,
which runs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snap_al.errors import InputError
from snap_al.inference.blocks import Block
from snap_al.inference.dense import gathered
from snap_al.inference.settings import FitSettings
from snap_al.parallel import Communicator, on_root

Array = NDArray[np.float64]


def pops(
    blocks: Sequence[Block], settings: FitSettings, comm: Communicator
) -> tuple[Array, Array, Array, Array]:
    """mean (n,), epistemic (n, n), misspecification (n, n) and samples (k, n), in the columns of
    the blocks' weighted rows, whose residuals are their targets. Collective. Raises InputError
    without the package."""
    rows, targets, _ = gathered(blocks, comm)
    order = np.lexsort(
        (rows[:, 0], rows[:, -1], targets)
    )  # which samples it draws depends on the rows' order
    rows, targets = rows[order], targets[order]

    def run() -> tuple[Array, Array, Array, Array]:
        try:
            from popsregression import POPSRegression
        except ImportError as error:
            raise InputError(
                "posterior: pops needs a package: pip install 'snap_al[pops]'"
            ) from error
        before: Any = np.random.get_state()
        np.random.seed(settings.seed)
        try:
            fitted = POPSRegression().fit(rows, targets)
        finally:
            np.random.set_state(before)
        mean = np.asarray(fitted.coef_)
        return (
            mean,
            fitted.sigma_,
            fitted.misspecification_sigma_,
            mean + fitted.posterior_samples_.T,
        )

    return on_root(comm, run)
