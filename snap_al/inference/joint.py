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

from snap_al.inference.blocks import Block, inverse, noise_level, parts_of
from snap_al.inference.embedded import LONGEST_STEP, SAMPLED_ROWS_PER_DIRECTION
from snap_al.inference.likelihood import Rowwise
from snap_al.parallel import Communicator, collectively, sum_rows

Array = NDArray[np.float64]
CHUNK = 2048
LEAST_DAMPING, MOST_DAMPING = 1e-3, 1e6
MOST_ITERATIONS = 300


@dataclass(frozen=True)
class RowModel:
    """What the likelihood of a row depends on."""

    rowwise: Rowwise
    """Likelihood of a row, by its residual and variance."""
    noise_share: float
    """τ > 0, σ² next to the blocks' noise."""
    chosen: NDArray[np.int64]
    """(p,) columns that have a model error."""


@dataclass(frozen=True)
class MeanPrior:
    """The Gaussian prior of θ, a shift of the mean."""

    precision: Array
    """(n, n) precision P."""
    pulled: Array
    """(n,) distance from the prior's center at θ = 0."""


@dataclass(frozen=True)
class Scored:
    """The most probable model error, and the mean with it."""

    v: Array
    """(p,) variances of the model error."""
    theta: Array
    """(n,) shift of the mean."""
    covariance: Array | None
    """(n, n) of the mean, at this v; None where it does not move."""
    objective: tuple[float, ...]
    """-log posterior at each step."""


@dataclass(frozen=True)
class _Sums:
    """Over all rows at one (v, θ)."""

    cost: float
    """-log likelihood of all rows."""
    by_v: Array
    """(p,) gradient by v."""
    curvature: Array
    """(p, p) curvature by v."""
    pull: Array
    """(n,) negative gradient by θ."""
    information: Array
    """(n, n) curvature by θ."""


@dataclass(frozen=True)
class _Rows:
    """What a pass over the rows needs."""

    blocks: Sequence[Block]
    """Rows of this rank."""
    model: RowModel
    """Likelihood of a row."""
    stride: int
    """The curvature by v is computed from every stride-th row."""
    comm: Communicator
    """The ranks that hold the rows."""

    def at(self, v: Array, theta: Array, before: _Sums | None = None) -> _Sums:
        """before: those at another place, of which a steady curvature is taken."""
        rowwise, chosen = self.model.rowwise, self.model.chosen
        known = before.information if before is not None and rowwise.steady else None
        p, n = len(v), len(theta)
        cost, by_v, curvature = 0.0, np.zeros(p), np.zeros((p, p))
        pull, information = np.zeros(n), np.zeros((n, n))
        with collectively(self.comm):
            for q, residuals, noise, counts in parts_of(self.blocks, CHUNK):
                squared = np.square(q if p == n else q[:, chosen])
                r, s2 = residuals - q @ theta, squared @ v + self.model.noise_share * noise
                value, by_r, by_s2 = rowwise(r, s2)
                of_r, of_s2 = rowwise.information(r, s2)
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
    model: RowModel,
    comm: Communicator,
    *,
    mean: MeanPrior | None,
    pseudo_rows: float,
    start: Array | None = None,
    settled: float = 1e-6,
) -> Scored:
    """mean: of θ; None where it stays 0. pseudo_rows: 2α. start: (p,) v to begin with. Monotone.
    Collective.

    Ends when three iterations together lower the objective by less than `settled` of it.
    """
    squares, n_rows = sum_rows(
        comm,
        sum(float(b.counts @ b.residuals**2) for b in blocks),
        float(sum(np.count_nonzero(b.counts) for b in blocks)),
    )
    level = noise_level(blocks, model.noise_share, comm)
    alpha, p, n = 0.5 * pseudo_rows, len(model.chosen), blocks[0].rows.shape[1]
    mode = max(float(squares) / p, level)
    stride = max(1, int(n_rows) // max(SAMPLED_ROWS_PER_DIRECTION * p, 4000))
    rows = _Rows(blocks, model, stride, comm)
    bounded = alpha == 0.0
    step = _bounded_step if bounded else _log_step

    def priors(v: Array, theta: Array) -> float:
        below = 0.0 if bounded else alpha * float(np.sum(np.log(v) + mode / v))
        if mean is None:
            return below
        away = mean.pulled + theta
        return below + 0.5 * float(away @ mean.precision @ away)

    v = np.full(p, mode) if start is None else np.maximum(start, SMALLEST * mode)
    theta, damping = np.zeros(n), LEAST_DAMPING
    here = rows.at(v, theta)
    history = [here.cost + priors(v, theta)]
    for _ in range(MOST_ITERATIONS):
        moved = theta if mean is None else theta + comm.bcast(_mean_step(here, theta, mean))
        while True:
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
    covariance = None
    if mean is not None:
        covariance = comm.bcast(inverse(here.information + mean.precision))
    return Scored(v, theta, covariance, tuple(history))


def _mean_step(at: _Sums, theta: Array, mean: MeanPrior) -> Array:
    """(n,) by weighted least squares."""
    force = at.pull - mean.precision @ (mean.pulled + theta)
    return np.asarray(np.linalg.solve(at.information + mean.precision, force))


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
