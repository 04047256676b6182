"""Sums over rows and triangular factors of a matrix whose rows are spread over ranks.

Both add up in rank order, so that the same ranks give the same bits.
"""

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from snap_al.parallel.communicator import Communicator

Array = NDArray[np.float64]


def sum_rows(comm: Communicator, *partial: Array | float) -> tuple[Array, ...]:
    """Sums over ranks of each argument (any shapes, the same on all ranks), in one exchange."""
    arrays = [np.asarray(p, dtype=float) for p in partial]
    if comm.size == 1:
        return tuple(arrays)
    packed = np.concatenate([a.ravel() for a in arrays])
    total = np.zeros_like(packed)
    for contribution in comm.allgather(packed):
        total += contribution
    ends = np.cumsum([a.size for a in arrays])
    return tuple(chunk.reshape(a.shape) for chunk, a in zip(np.split(total, ends[:-1]), arrays, strict=True))


def triangular_factor(comm: Communicator, rows: Array) -> Array:
    """R (n, n) of the QR factorisation of all ranks' rows stacked, diagonal ≥ 0, by TSQR.

    rows: (m_local, n), m_local may be smaller than n or zero. Demmel et al., SIAM J. Sci. Comput. 34, A206 (2012).
    The rows are never squared, so small singular values keep their digits.
    """
    local = _r_factor(rows)
    factor = local if comm.size == 1 else _r_factor(np.vstack(comm.allgather(local)))
    return np.asarray(factor * np.where(np.diag(factor) < 0, -1.0, 1.0)[:, None])


def _r_factor(rows: Array) -> Array:
    m, n = rows.shape
    padded = rows if m >= n else np.vstack([rows, np.zeros((n - m, n))])
    return np.asarray(scipy.linalg.qr(padded, mode="r", check_finite=False)[0][:n])
