"""Diagonal model error by Fisher scoring, and the coefficients with it, under any likelihood that
is a sum over rows.

    f(v, θ) = Σ ω ℓ(r, s²) + ½ (θ - θ₀)ᵀP(θ - θ₀) + α Σ [log v + v̄/v]
    r = r̄ - Qθ,   s² = Q∘² v + w²σ²

The information that is used has no block between θ and v, so an iteration is a weighted least
squares for θ, and beside it a damped Newton step for v: of log v where a prior holds v above zero
(α > 0), of v ≥ 0 itself where none does, since most v then end at zero, which log v never reaches.
Levenberg's damping: Marquardt, J. SIAM 11, 431 (1963).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snap_al.inference.blocks import Block, inverse, noise_level
from snap_al.inference.embedded import LONGEST_STEP, SAMPLED_ROWS_PER_DIRECTION
from snap_al.inference.likelihood import Rowwise
from snap_al.parallel import Communicator, collectively, sum_rows

Array = NDArray[np.float64]
CHUNK = 2048
LEAST_DAMPING, MOST_DAMPING = 1e-3, 1e6


@dataclass(frozen=True)
class Scored:
    """v: (p,). theta: (n,) shift of the mean. covariance: (n, n) of the mean, at this v. objective:
    -log posterior.
    """

    v: Array
    theta: Array
    covariance: Array
    objective: tuple[float, ...]


@dataclass(frozen=True)
class _Sums:
    """Over all rows at one (v, θ): the cost, its gradient by v (p,) and downwards by θ (n,), and
    both curvatures.
    """

    cost: float
    by_v: Array
    curvature: Array
    pull: Array
    information: Array


@dataclass(frozen=True)
class _Rows:
    """What a pass over the rows needs. The curvature by v is that of one row in `stride`."""

    blocks: Sequence[Block]
    rowwise: Rowwise
    noise_share: float
    chosen: NDArray[np.int64]
    stride: int
    comm: Communicator

    def at(self, v: Array, theta: Array, before: _Sums | None = None) -> _Sums:
        """before: those at another place, of which a steady curvature is taken."""
        known = before.information if before is not None and self.rowwise.steady else None
        p, n = len(v), len(theta)
        cost, by_v, curvature = 0.0, np.zeros(p), np.zeros((p, p))
        pull, information = np.zeros(n), np.zeros((n, n))
        with collectively(self.comm):
            for block in self.blocks:
                for start in range(0, len(block.rows), CHUNK):
                    q, counts = (
                        block.rows[start : start + CHUNK],
                        block.counts[start : start + CHUNK],
                    )
                    squared = np.square(q if p == n else q[:, self.chosen])
                    r = block.residuals[start : start + CHUNK] - q @ theta
                    s2 = squared @ v + self.noise_share * block.noise[start : start + CHUNK]
                    value, by_r, by_s2 = self.rowwise(r, s2)
                    of_r, of_s2 = self.rowwise.information(r, s2)
                    cost += float(counts @ value)
                    by_v += (counts * by_s2) @ squared
                    pull += (counts * by_r) @ q
                    if known is None:
                        scaled = q * np.sqrt(counts * of_r)[:, None]
                        information += scaled.T @ scaled
                    share = squared[:: self.stride] * np.sqrt(counts * of_s2)[:: self.stride, None]
                    curvature += share.T @ share
        total, by_v, curvature, pull, information = sum_rows(
            self.comm, cost, by_v, curvature, pull, information
        )
        return _Sums(
            float(total),
            by_v,
            self.stride * curvature,
            pull,
            information if known is None else known,
        )


def scored(
    blocks: Sequence[Block],
    rowwise: Rowwise,
    noise_share: float,
    comm: Communicator,
    *,
    chosen: NDArray[np.int64],
    joint: bool,
    precision: Array,
    pulled: Array,
    pseudo_rows: float,
    start: Array | None = None,
    settled: float = 1e-6,
    max_iterations: int = 300,
) -> Scored:
    """precision: (n, n) of the prior of θ; pulled: (n,) its distance from the prior's center at θ =
    0. joint: whether θ moves from 0. pseudo_rows: 2α. Monotone. Collective.

    Ends when three iterations together lower the objective by less than `settled` of it.
    """
    squares, n_rows = sum_rows(
        comm,
        sum(float(b.counts @ b.residuals**2) for b in blocks),
        float(sum(np.count_nonzero(b.counts) for b in blocks)),
    )
    level = noise_level(blocks, noise_share, comm)
    mode, alpha, p = max(float(squares) / len(chosen), level), 0.5 * pseudo_rows, len(chosen)
    stride = max(1, int(n_rows) // max(SAMPLED_ROWS_PER_DIRECTION * p, 4000))
    rows = _Rows(blocks, rowwise, noise_share, chosen, stride, comm)
    bounded = alpha == 0.0

    def priors(v: Array, theta: Array) -> float:
        away = pulled + theta
        below = 0.0 if bounded else alpha * float(np.sum(np.log(v) + mode / v))
        return below + (0.5 * float(away @ precision @ away) if joint else 0.0)

    v = np.full(p, mode) if start is None else np.maximum(start, SMALLEST * mode)
    theta, damping = np.zeros(len(pulled)), LEAST_DAMPING
    here = rows.at(v, theta)
    history = [here.cost + priors(v, theta)]
    for _ in range(max_iterations):
        moved = theta
        if joint:
            force = here.pull - precision @ (pulled + theta)
            moved = theta + comm.bcast(np.linalg.solve(here.information + precision, force))
        while True:
            step = _bounded_step if bounded else _log_step
            trial = comm.bcast(step(v, here, damping, alpha, mode))
            there = rows.at(trial, moved, here)
            cost = there.cost + priors(trial, moved)
            if cost < history[-1] or damping > MOST_DAMPING:
                break
            damping *= 8.0
        if not cost < history[-1]:
            break  # rounding
        v, theta, here, damping = trial, moved, there, max(damping / 6.0, LEAST_DAMPING)
        history.append(cost)
        if len(history) > 3 and history[-4] - history[-1] < settled * abs(history[-1]):
            break
    covariance = comm.bcast(inverse(here.information + precision))
    return Scored(v, theta, covariance, tuple(history))


SMALLEST = 1e-12
"""Next to the mode of v: as good as zero."""


def _damped(curvature: Array, damping: float) -> Array:
    diagonal = np.diag(curvature)
    return np.asarray(
        curvature + np.diag(damping * diagonal + 1e-12 * np.trace(curvature) / len(diagonal))
    )


def _log_step(v: Array, at: _Sums, damping: float, alpha: float, mode: float) -> Array:
    gradient = v * at.by_v + alpha * (1.0 - mode / v)
    curvature = v[:, None] * at.curvature * v + np.diag(alpha * mode / v)
    step = -np.linalg.solve(_damped(curvature, damping), gradient)
    return np.asarray(
        np.maximum(v * np.exp(np.clip(step, -LONGEST_STEP, LONGEST_STEP)), SMALLEST * mode)
    )


def _bounded_step(v: Array, at: _Sums, damping: float, _alpha: float, _mode: float) -> Array:
    """argmin over u ≥ 0 of g·(u - v) + ½ (u - v)ᵀH(u - v), as non-negative least squares with H =
    LLᵀ.

    Columns are scaled by H's diagonal, so that the result does not depend on their units.
    """
    from scipy.optimize import nnls  # late: it is slow to import

    scale = 1.0 / np.sqrt(np.maximum(np.diag(at.curvature), np.finfo(float).tiny))
    curvature = _damped(scale[:, None] * at.curvature * scale, damping)
    factor = np.linalg.cholesky(curvature)
    target = np.linalg.solve(factor, curvature @ (v / scale) - scale * at.by_v)
    try:
        return np.asarray(scale * nnls(factor.T, target)[0])
    except RuntimeError:  # its iterations are limited; more damping makes it easier
        return v
