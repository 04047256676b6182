"""Embedded model error along given directions: the variances v of perturbations, under the
independent-rows likelihood.

    y_i ≈ a_i·(c + δ_i) + σ ε_i,   δ ~ N(0, T diag(v) Tᵀ)
    s_i² = Σ_k (ÃT)²_ik v_k + w_i² σ²,   σ that of the row's kind

Sargsyan, Huan, Najm, Int. J. Uncert. Quantif. 9, 365 (2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snap_al.inference.blocks import Block, noise_level, squared_chunks
from snap_al.parallel import Communicator, sum_rows

Array = NDArray[np.float64]
SAMPLED_ROWS_PER_DIRECTION = 20
LONGEST_STEP = 5.0
"""In log v: no variance grows or shrinks by more than a factor e⁵ at once."""
SUFFICIENT_DECREASE = 1e-4


@dataclass(frozen=True)
class ModelError:
    """Variances of a diagonal model error."""

    v: Array
    """(p,) variances along the directions."""
    objective: tuple[float, ...]
    """-log posterior of v at each accepted iteration."""


class _Objective:
    """-log of the IID likelihood times an inverse-gamma prior on v, and what its minimiser needs.
    Collective.

        f(v) = ½ Σ ω [r²/s² + log s²] + α Σ [log v + v̄/v]

    α is half the prior's weight in rows, and v̄ its mode: what explains the residuals evenly, so
    that a direction without data has a variance too. ω are the rows' counts.
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        noise_share: float,
        pseudo_rows: float,
        comm: Communicator,
        chosen: NDArray[np.int64] | None = None,
    ) -> None:
        self._blocks, self._share, self._comm, self._chosen = blocks, noise_share, comm, chosen
        squares, rows = sum_rows(
            comm,
            sum(float(b.counts @ b.residuals**2) for b in blocks),
            float(sum(np.count_nonzero(b.counts) for b in blocks)),
        )
        self.n_rows = float(rows)
        self.n = blocks[0].rows.shape[1] if chosen is None else len(chosen)
        self.alpha = 0.5 * pseudo_rows
        self.mode = max(float(squares) / self.n, noise_level(blocks, noise_share, comm))
        self._stride = max(1, int(self.n_rows) // max(SAMPLED_ROWS_PER_DIRECTION * self.n, 4000))

    def at(self, v: Array) -> tuple[float, Array, Array]:
        """f, and the sums Σ ω b r²/s⁴ and Σ ω b/s² (p,) that gradient and majorizer are made of; b
        the squared rows.
        """
        cost, sums = 0.0, np.zeros((2, self.n))
        for everything, residuals, noise, counts in squared_chunks(self._blocks):
            squared = everything if self._chosen is None else everything[:, self._chosen]
            s2 = squared @ v + self._share * noise
            inverse = counts / s2
            r2 = residuals**2
            cost += 0.5 * float(r2 @ inverse + counts @ np.log(s2))
            sums += np.stack([r2 * inverse / s2, inverse]) @ squared
        total, sums = sum_rows(self._comm, cost, sums)
        return (
            float(total) + self.alpha * float(np.sum(np.log(v) + self.mode / v)),
            sums[0],
            sums[1],
        )

    def metric(self, v: Array) -> Array:
        """(p, p) Fisher information of log v, from one row in `stride`, with the prior's
        curvature.
        """
        information = np.zeros((self.n, self.n))
        for block in self._blocks:
            rows = (
                block.rows[:: self._stride]
                if self._chosen is None
                else block.rows[:: self._stride, self._chosen]
            )
            squared, counts = np.square(rows), block.counts[:: self._stride]
            s2 = squared @ v + self._share * block.noise[:: self._stride]
            share = squared * v * (np.sqrt(counts) / s2)[:, None]
            few_digits = share.astype(np.float32)  # enough for a metric
            information += few_digits.T @ few_digits
        (information,) = sum_rows(self._comm, information)
        total = 0.5 * self._stride * information + np.diag(self.alpha * self.mode / v)
        return np.asarray(total + np.eye(self.n) * 1e-9 * np.trace(total) / self.n)


def iid_variances(
    blocks: Sequence[Block],
    noise_share: float,
    comm: Communicator,
    *,
    pseudo_rows: float,
    start: Array | None = None,
    chosen: NDArray[np.int64] | None = None,
    tolerance: float = 1e-8,
    max_iterations: int = 200,
) -> ModelError:
    """v that maximises the IID likelihood times its prior. Monotone: every accepted step lowers the
    objective.

    blocks: rows ÃT (m, n) with their residuals. noise_share: τ > 0, σ² next to the blocks' noise.
    start: (p,) a v to begin with. chosen: (p,) columns of the rows with a v, all when not given;
    the others have none. pseudo_rows: 0 for a flat prior. Stops when a Newton step promises less
    than `tolerance` per row. Collective.

    Steps are Newton's on log v with the Fisher information as metric, shortened until they help;
    where none does, the majorize-minimize step v ← sqrt((v² Σ b r²/s⁴ + 2α v̄) / (Σ b/s² + 2α/v))
    does: log s² is majorized by its tangent, r²/s² by its value at fixed shares of s². Hunter and
    Lange, Am. Stat. 58, 30 (2004).
    """
    f = _Objective(blocks, noise_share, pseudo_rows, comm, chosen)
    smallest = 1e-12 * f.mode
    v = np.full(f.n, f.mode) if start is None else np.maximum(start, smallest)
    cost, up, down = f.at(v)
    history, length = [cost], 1.0
    for _ in range(max_iterations):
        gradient = 0.5 * v * (down - up) + f.alpha * (1.0 - f.mode / v)
        direction = comm.bcast(-np.linalg.solve(f.metric(v), gradient))
        promise = -float(gradient @ direction)
        if 0.5 * promise < tolerance * f.n_rows:
            break
        for _ in range(5):
            trial = np.maximum(
                v * np.exp(np.clip(length * direction, -LONGEST_STEP, LONGEST_STEP)), smallest
            )
            found = f.at(trial)
            if found[0] < cost - SUFFICIENT_DECREASE * length * promise:
                break
            length *= 0.4
        else:
            trial = np.sqrt((v**2 * up + 2.0 * f.alpha * f.mode) / (down + 2.0 * f.alpha / v))
            trial = np.maximum(trial, smallest)
            found = f.at(trial)
        if not found[0] < cost:
            break  # rounding
        v, (cost, up, down), length = trial, found, min(1.0, 2.0 * length)
        history.append(cost)
    return ModelError(v, tuple(history))
