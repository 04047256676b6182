"""Embedded model error: the variances v of coefficients' perturbations along whitened directions.

    y_i ≈ a_i·(c + δ_i) + σ ε_i / w_i,   δ ~ N(0, T diag(v) Tᵀ),   s_i² = Σ_k (ÃT)²_ik v_k + σ²

Sargsyan, Huan, Najm, Int. J. Uncert. Quantif. 9, 365 (2019), with the independent-rows (IID) likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snap_al.fit.blocks import Block, squared_chunks
from snap_al.parallel import Communicator, sum_rows

Array = NDArray[np.float64]
SAMPLED_ROWS_PER_DIRECTION = 20
LONGEST_STEP = 5.0
"""In log v: no variance grows or shrinks by more than a factor e² at once."""
SUFFICIENT_DECREASE = 1e-4


@dataclass(frozen=True)
class ModelError:
    """v: (n,) variances along the whitened directions. objective: -log posterior of v at each accepted iteration."""

    v: Array
    objective: tuple[float, ...]


class _Objective:
    """-log of the IID likelihood times an inverse-gamma prior on v, and what its minimiser needs. Collective.

        f(v) = ½ Σ [r²/s² + log s²] + α Σ [log v + v̄/v],  α half the prior's weight in rows, v̄ its mode

    v̄ is what explains the residuals evenly, so that a direction without data has a variance too.
    """

    def __init__(self, blocks: list[Block], noise_variance: float, pseudo_rows: float, comm: Communicator) -> None:
        self._blocks, self._noise, self._comm = blocks, noise_variance, comm
        fitted = [b.residuals[b.fitted] for b in blocks]
        squares, rows = sum_rows(comm, sum(float(r @ r) for r in fitted), float(sum(len(r) for r in fitted)))
        self.n_rows, self.n = float(rows), blocks[0].rows.shape[1]
        self.alpha = 0.5 * pseudo_rows
        self.mode = max(float(squares) / self.n, noise_variance)
        self._stride = max(1, int(self.n_rows) // max(SAMPLED_ROWS_PER_DIRECTION * self.n, 4000))

    def at(self, v: Array) -> tuple[float, Array, Array]:
        """f, and the sums Σ b r²/s⁴ and Σ b/s² (n,) that gradient and majorizer are made of; b the squared rows."""
        cost, sums = 0.0, np.zeros((2, self.n))
        for squared, residuals, fitted in squared_chunks(self._blocks):
            s2 = squared @ v + self._noise
            inverse = fitted / s2
            r2 = residuals**2
            cost += 0.5 * float(r2 @ inverse + fitted @ np.log(s2))
            sums += np.stack([r2 * inverse / s2, inverse]) @ squared
        total, sums = sum_rows(self._comm, cost, sums)
        return float(total) + self.alpha * float(np.sum(np.log(v) + self.mode / v)), sums[0], sums[1]

    def metric(self, v: Array) -> Array:
        """(n, n) Fisher information of log v, from every so manieth row, with the prior's curvature."""
        information = np.zeros((self.n, self.n))
        for block in self._blocks:
            squared = np.square(block.rows[:: self._stride][block.fitted[:: self._stride]])
            share = (squared * v / (squared @ v + self._noise)[:, None]).astype(
                np.float32
            )  # digits enough for a metric
            information += share.T @ share
        (information,) = sum_rows(self._comm, information)
        return 0.5 * self._stride * information + np.diag(self.alpha * self.mode / v)


def iid_variances(
    blocks: list[Block], noise_variance: float, comm: Communicator,
    *, pseudo_rows: float, start: Array | None = None, tolerance: float = 1e-8, max_iterations: int = 200,
) -> ModelError:  # fmt: skip
    """v that maximises the IID likelihood times its prior. Monotone: every accepted step lowers the objective.

    blocks: rows ÃT (m, n) with their residuals. noise_variance: σ² > 0, weighted units. start: (n,) a v to begin with.
    Stops when a Newton step promises less than `tolerance` per row. Collective.

    Steps are Newton's on log v with the Fisher information as metric, shortened until they help; where none does, the
    majorize-minimize step v ← sqrt((v² Σ b r²/s⁴ + 2α v̄) / (Σ b/s² + 2α/v)) does: log s² is majorized by its tangent,
    r²/s² by its value at fixed shares of s². Hunter and Lange, Am. Stat. 58, 30 (2004).
    """
    f = _Objective(blocks, noise_variance, pseudo_rows, comm)
    v = np.full(f.n, f.mode) if start is None else np.maximum(start, np.finfo(float).tiny)
    cost, up, down = f.at(v)
    history, length = [cost], 1.0
    for _ in range(max_iterations):
        gradient = 0.5 * v * (down - up) + f.alpha * (1.0 - f.mode / v)
        direction = comm.bcast(-np.linalg.solve(f.metric(v), gradient))
        promise = -float(gradient @ direction)
        if 0.5 * promise < tolerance * f.n_rows:
            break
        for _ in range(5):
            trial = v * np.exp(np.clip(length * direction, -LONGEST_STEP, LONGEST_STEP))
            found = f.at(trial)
            if found[0] < cost - SUFFICIENT_DECREASE * length * promise:
                break
            length *= 0.4
        else:
            trial = np.sqrt((v**2 * up + 2.0 * f.alpha * f.mode) / (down + 2.0 * f.alpha / v))
            found = f.at(trial)
        if not found[0] < cost:
            break  # rounding
        v, (cost, up, down), length = trial, found, min(1.0, 2.0 * length)
        history.append(cost)
    return ModelError(v, tuple(history))
