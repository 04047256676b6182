"""One rank's weighted rows, in blocks that a fit overwrites: first Ã, then ÃT. One copy of the matrix is all there is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from snap_al.parallel import Communicator, sum_rows, updated_triangle

Array = NDArray[np.float64]
CHUNK = 512
"""Rows whose squares are looked at together; they stay in the processor's cache."""


@dataclass
class Block:
    """rows: (m, n) each times its weight. targets: (m,) times weight. fitted: (m,) which rows the fit sees; the others
    are predicted only. residuals: (m,) weighted, once there is a mean."""

    rows: Array
    targets: Array
    fitted: NDArray[np.bool_]
    residuals: Array = field(default_factory=lambda: np.zeros(0))


def triangle_of(blocks: list[Block], triangle: Array | None = None) -> Array:
    """R (n + 1, n + 1) of this rank's fitted rows, each with its target as the last column; below those of `triangle`."""
    if triangle is None:
        triangle = np.zeros((blocks[0].rows.shape[1] + 1,) * 2)
    for block in blocks:
        for start in range(0, len(block.rows), 4 * CHUNK):
            part = slice(start, start + 4 * CHUNK)
            keep = block.fitted[part]
            rows = np.column_stack([block.rows[part], block.targets[part]])
            triangle = updated_triangle(triangle, rows if keep.all() else rows[keep])
    return triangle


def whiten(blocks: list[Block], whitening: Array, mean: Array, comm: Communicator) -> Array:
    """Leaves residuals ỹ - Ãc in the blocks and turns their rows Ã into ÃT'. Returns T' = TW (n, n). Collective.

    ÃT stays orthonormal under any rotation of T. W, the eigenvectors of Σ r² (ÃT)ᵀ(ÃT), is the rotation in which rows of
    large residual differ most from rows of small residual: the axes along which a diagonal model error is placed.
    """
    moment = np.zeros_like(whitening)
    for block in blocks:
        block.residuals = block.targets - block.rows @ mean
        transform(block.rows, whitening)
        moment += gram(block.rows, np.abs(block.residuals) * block.fitted)
    (moment,) = sum_rows(comm, moment)
    axes = comm.bcast(np.asarray(np.linalg.eigh(moment)[1]))
    for block in blocks:
        transform(block.rows, axes)
    return np.asarray(whitening @ axes)


def transform(rows: Array, matrix: Array) -> None:
    """rows (m, n) ← rows @ matrix (n, n), in their place."""
    for start in range(0, len(rows), 8 * CHUNK):
        part = rows[start : start + 8 * CHUNK]
        part[:] = part @ matrix


def gram(rows: Array, scale: Array) -> Array:
    """(n, n) Σ_i (scale_i row_i)ᵀ (scale_i row_i)."""
    total = np.zeros((rows.shape[1],) * 2)
    for start in range(0, len(rows), 8 * CHUNK):
        scaled = rows[start : start + 8 * CHUNK] * scale[start : start + 8 * CHUNK, None]
        total += scaled.T @ scaled  # numpy sees that these are the same, and computes one half
    return total


def squared_chunks(blocks: list[Block]) -> Iterator[tuple[Array, Array, NDArray[np.bool_]]]:
    """Squares of the rows (m, n), residuals and fitted (m,), a few rows at a time in one buffer."""
    buffer = np.empty((CHUNK, blocks[0].rows.shape[1] if blocks else 0))
    for block in blocks:
        for start in range(0, len(block.rows), CHUNK):
            part = slice(start, start + CHUNK)
            rows = block.rows[part]
            yield np.square(rows, out=buffer[: len(rows)]), block.residuals[part], block.fitted[part]


def model_error_variance(block: Block, variances: Array) -> Array:
    """(m,) Σ_k v_k (ãT)²_k of each row, weighted units."""
    parts = [np.square(block.rows[k : k + CHUNK]) @ variances for k in range(0, len(block.rows), CHUNK)]
    return np.concatenate(parts) if parts else np.zeros(0)


def sandwich(blocks: list[Block], variances: Array, noise_variance: float, comm: Communicator) -> Array:
    """(n, n) Σ s² (ãT)ᵀ(ãT) over all ranks' fitted rows, the middle of the sandwich G⁻¹(Ãᵀ diag(s²) Ã)G⁻¹. Collective."""
    own = np.zeros((len(variances),) * 2)
    for block in blocks:
        std = np.sqrt(model_error_variance(block, variances) + noise_variance)
        own += gram(block.rows, std * block.fitted)
    return sum_rows(comm, own)[0]
