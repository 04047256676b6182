"""What a user should know of the rows that were fitted: columns without data, directions without
data, single rows that rule.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from snap_al.data.rows import Kind
from snap_al.inference.blocks import Block
from snap_al.inference.factor import Factor
from snap_al.parallel import Communicator, sum_rows

Array = NDArray[np.float64]
NO_DATA = 1e-10
"""A singular value of the scaled rows this small next to the largest is rounding."""
RULING_SHARE = 0.5
FEWEST_ROWS = 20


def of_columns(factor: Factor, names: Sequence[str]) -> list[str]:
    """Columns that are zero in all rows, and how many directions of the others no row tells of."""
    found = []
    which = [names[int(k)] for k in np.flatnonzero(factor.empty)]
    if which:
        found.append(f"no row has anything in {_some(which)}: these coefficients are the prior's")
    largest = float(factor.s.max(initial=0.0))
    missing = (
        int(np.sum(factor.s <= NO_DATA * largest)) + factor.n_constants - factor.n_free - len(which)
    )
    if missing > 0 and (largest > 0 or factor.n_free > 0):
        found.append(
            f"the rows leave {missing} of {len(factor.norms)} combinations of coefficients open "
            f"({factor.n_rows} rows): columns "
            "are equal or dependent, or there are too few rows; these are the prior's, with wide "
            "stds"
        )
    return found


def of_residuals(
    blocks: Sequence[Block], residuals: Sequence[Array], comm: Communicator
) -> list[str]:
    """A row that has more than half of all rows' squared weighted residuals. Collective."""
    total, n = 0.0, 0.0
    largest = (0.0, "")
    for block, r in zip(blocks, residuals, strict=True):
        squares = np.square(r) * block.fitted
        total, n = total + float(squares.sum()), n + float(block.fitted.sum())
        if len(squares) and float(squares.max()) > largest[0]:
            row = int(np.argmax(squares))
            where = (
                f"row {row}"
                if block.units is None
                else f"a row of configuration {int(block.units[row])}"
            )
            kind = Kind(block.kinds[row]).name.lower()
            largest = (float(squares[row]), f"{where} ({kind}, weighted residual {r[row]:.3g})")
    total, n = (float(x) for x in sum_rows(comm, total, n))
    worst = max(comm.allgather(largest))
    if n < FEWEST_ROWS or not worst[0] > RULING_SHARE * total > 0:
        return []
    return [
        f"{worst[1]} has {worst[0] / total:.0%} of the squared residuals of all {n:.0f} rows; "
        "look at its label and weight"
    ]


def _some(names: list[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"column{'s' if len(names) > 1 else ''} {', '.join(names[:most])}{more}"
