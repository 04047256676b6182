"""Sums over rows and triangular factors of a matrix whose rows are spread over ranks.

Both add up in rank order, so that the same ranks give the same bits.
"""

import numpy as np
from numpy.typing import NDArray

from snap_al.parallel.communicator import Communicator

Array = NDArray[np.float64]
CACHED_ROWS = 2000
"""Number of rows that are factored together: few enough for the processor's cache, and many
compared with the number of columns."""


def sum_rows(comm: Communicator, *partial: Array | float) -> tuple[Array, ...]:
    """Sums over ranks of each argument (any shapes, the same on all ranks), in one exchange."""
    arrays = [np.asarray(p) + 0.0 for p in partial]
    if comm.size == 1:
        return tuple(arrays)
    packed = np.concatenate([a.ravel() for a in arrays])
    total = np.zeros_like(packed)
    for contribution in comm.allgather(packed):
        total += contribution
    ends = np.cumsum([a.size for a in arrays])
    return tuple(
        chunk.reshape(a.shape) for chunk, a in zip(np.split(total, ends[:-1]), arrays, strict=True)
    )


def triangular_factor(comm: Communicator, rows: Array) -> Array:
    """R (n, n) of the QR factorisation of all ranks' rows (m_local, n) stacked; m_local may be
    smaller than n, or zero.
    """
    return combined_triangle(comm, updated_triangle(np.zeros((rows.shape[1],) * 2), rows))


def updated_triangle(triangle: Array, rows: Array) -> Array:
    """R (n, n) of `triangle` (n, n) with rows (m, n) below it, block by block; costs O(m n²)
    whatever came before.

    The rows are never squared, so small singular values keep their digits.
    """
    for start in range(0, len(rows), CACHED_ROWS):
        block = rows[start : start + CACHED_ROWS]
        triangle = np.asarray(np.linalg.qr(np.vstack([triangle, block]), mode="r"))
    return triangle


def combined_triangle(comm: Communicator, triangle: Array) -> Array:
    """R (n, n), diagonal ≥ 0, of all ranks' triangles stacked: TSQR. Demmel et al., SIAM J. Sci.
    Comput. 34, A206 (2012).

    Collective.
    """
    if comm.size > 1:
        triangle = updated_triangle(np.zeros_like(triangle), np.vstack(comm.allgather(triangle)))
    return np.asarray(triangle * np.where(np.diag(triangle) < 0, -1.0, 1.0)[:, None])
