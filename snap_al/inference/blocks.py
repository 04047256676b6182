"""One rank's weighted rows, in blocks that a fit overwrites: first Ã, then ÃT. One copy of the
matrix is all there is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from snap_al.parallel import Communicator, sum_rows, updated_triangle

Array = NDArray[np.float64]
CHUNK = 512
"""Rows whose squares are looked at together; they stay in the processor's cache."""
MOST_LEVERAGE = 0.99
MANY_COLUMNS = 20


@dataclass
class Block:
    """Rows of one rank that a fit works on."""

    rows: Array
    """(m, n) rows, each times its weight; a fit transforms them in place."""
    targets: Array
    """(m,) targets, each times its weight."""
    fitted: NDArray[np.bool_]
    """(m,) which rows the fit sees; the others are predicted only."""
    kinds: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    """(m,) 0 energy, 1 force, 2 stress; all alike when not given."""
    units: NDArray[np.int64] | None = None
    """(m,) what a committee draws together, a configuration for example; each row alone when not
    given."""
    trust: Array = field(default_factory=lambda: np.zeros(0))
    """(m,) how much a row may count in the likelihood of the model error, 1 when not given; less
    for a row whose weight was lowered since its label is out of the range of use: what a model does
    to those is no measure of what it does elsewhere."""
    weights: Array = field(default_factory=lambda: np.zeros(0))
    """(m,) what rows and targets were multiplied with, 1 when not given."""
    residuals: Array = field(default_factory=lambda: np.zeros(0))
    """(m,) weighted, once there is a mean."""
    noise: Array = field(default_factory=lambda: np.zeros(0))
    """(m,) mean square of the residuals of the row's kind, in its weighted units, once these are
    known (`noise.Noise`); a share of it is the row's noise."""
    counts: Array = field(default_factory=lambda: np.zeros(0))
    """(m,) how much a row counts in the likelihood of the model error."""

    def __post_init__(self) -> None:
        if len(self.kinds) != len(self.rows):
            self.kinds = np.zeros(len(self.rows), np.int8)
        if len(self.trust) != len(self.rows):
            self.trust = np.ones(len(self.rows))
        if len(self.weights) != len(self.rows):
            self.weights = np.ones(len(self.rows))
        if len(self.noise) != len(self.rows):
            self.noise = np.ones(len(self.rows))
        self.counts = self.fitted * self.trust


def triangle_of(blocks: Sequence[Block], triangle: Array | None = None) -> Array:
    """R (n + 1, n + 1) of this rank's fitted rows, each with its target as the last column; below
    those of `triangle`.
    """
    if triangle is None:
        triangle = np.zeros((blocks[0].rows.shape[1] + 1,) * 2)
    for block in blocks:
        for start in range(0, len(block.rows), 4 * CHUNK):
            part = slice(start, start + 4 * CHUNK)
            keep = block.fitted[part]
            rows = np.column_stack([block.rows[part], block.targets[part]])
            triangle = updated_triangle(triangle, rows if keep.all() else rows[keep])
    return triangle


def enter(blocks: Sequence[Block], coordinates: Array, mean: Array) -> None:
    """Leaves residuals ỹ - Ãc in the blocks and turns their rows Ã into ÃT. coordinates: T (n,
    n).
    """
    for block in blocks:
        block.residuals = block.targets - block.rows @ mean
        transform(block.rows, coordinates)


def principal_axes(blocks: Sequence[Block], comm: Communicator) -> Array:
    """(n, n) eigenvectors of Σ r² qᵀq. Collective.

    Rows that are orthonormal stay so under any rotation. This is the one in which rows of large
    residual differ most from rows of small residual: the axes along which a diagonal model error is
    placed.
    """
    moment = sum_rows(
        comm, sum(gram(b.rows, np.abs(b.residuals) * np.sqrt(b.counts)) for b in blocks)
    )[0]
    return comm.bcast(np.asarray(np.linalg.eigh(moment)[1]))


def count_kinds_alike(blocks: Sequence[Block], comm: Communicator) -> None:
    """Sets the rows' counts so that each kind that has rows has the same total, and all together
    that of the rows.
    """
    own = np.array([sum(float(b.counts[b.kinds == k].sum()) for b in blocks) for k in range(3)])
    (total,) = sum_rows(comm, own)
    share = np.divide(
        total.sum() / np.count_nonzero(total), total, out=np.zeros(3), where=total > 0
    )
    for block in blocks:
        block.counts = block.counts * share[block.kinds]


def correct_for_leverage(blocks: Sequence[Block]) -> None:
    """Residuals r/√(1 - h), h the row's leverage: what they would be had the row not drawn the fit
    towards itself.

    Needs rows whose fitted and prior information is the unit matrix. MacKinnon and White, J.
    Econometrics 29, 305 (1985).
    """
    for block in blocks:
        leverage = np.minimum(np.einsum("ij,ij->i", block.rows, block.rows), MOST_LEVERAGE)
        block.residuals = block.residuals / np.sqrt(1.0 - leverage * block.fitted)


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


class Part(NamedTuple):
    """A few rows of a block: views."""

    rows: Array
    """(m, n) rows of the design matrix."""
    residuals: Array
    """(m,) residuals of these rows."""
    noise: Array
    """(m,) mean square residuals of their kinds."""
    counts: Array
    """(m,) how much each row counts."""


def parts_of(blocks: Sequence[Block], size: int) -> Iterator[Part]:
    """The rows of all blocks, `size` at a time: what a pass over them goes through."""
    for block in blocks:
        for start in range(0, len(block.rows), size):
            k = slice(start, start + size)
            yield Part(block.rows[k], block.residuals[k], block.noise[k], block.counts[k])


def squared_chunks(blocks: Sequence[Block]) -> Iterator[tuple[Array, Array, Array, Array]]:
    """Squares of the rows (m, n), residuals, noise and counts (m,), a few rows at a time in one
    buffer.
    """
    buffer = np.empty((CHUNK, blocks[0].rows.shape[1] if blocks else 0))
    for rows, residuals, noise, counts in parts_of(blocks, CHUNK):
        yield np.square(rows, out=buffer[: len(rows)]), residuals, noise, counts


def noise_level(blocks: Sequence[Block], share: float, comm: Communicator) -> float:
    """Mean variance of the counted rows' noise, in weighted units. Collective."""
    noise, counts = sum_rows(
        comm,
        sum(float(b.counts @ b.noise) for b in blocks),
        sum(float(b.counts.sum()) for b in blocks),
    )
    return share * float(noise) / max(float(counts), np.finfo(float).tiny)


def inverse(information: Array) -> Array:
    """(n, n) of a positive definite matrix; symmetric to the bit, as a covariance must be: by
    `numpy.linalg.inv` the two triangles differ by the condition number's share of a rounding.
    """
    root = np.linalg.inv(np.linalg.cholesky(information))
    return np.asarray(root.T @ root)


def row_variance(rows: Array, root: Array) -> Array:
    """(m,) q L Lᵀ qᵀ of each row q. root: L (n, k). Products of many columns are of single
    precision, of rows of unit length: their weights may span more decades than it has."""
    digits: Any = np.float32 if len(root) >= MANY_COLUMNS else np.float64
    rounded, variance = root.astype(digits), np.zeros(len(rows))
    for start in range(0, len(rows), 4 * CHUNK):
        part = slice(start, start + 4 * CHUNK)
        length = np.linalg.norm(rows[part], axis=1)
        length[length == 0] = 1.0
        y = (rows[part] / length[:, None]).astype(digits) @ rounded
        variance[part] = np.einsum("ij,ij->i", y, y) * length**2
    return variance


def sandwich(blocks: Sequence[Block], variances: Sequence[Array], comm: Communicator) -> Array:
    """(n, n) Σ s² qᵀq over all ranks' fitted rows q, the middle of the sandwich G⁻¹(Ãᵀ diag(s²)
    Ã)G⁻¹. Collective.

    variances: (m,) s² of each block's rows.
    """
    own = np.zeros((blocks[0].rows.shape[1],) * 2)
    for block, s2 in zip(blocks, variances, strict=True):
        own += gram(block.rows, np.sqrt(s2) * block.fitted)
    return sum_rows(comm, own)[0]
