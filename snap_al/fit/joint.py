"""Coefficients and diagonal model error together, under the independent-rows likelihood, by Fisher scoring.

The expected information has no block between c and log v, so each iteration is a least squares with weights 1/s² for c, which
always helps, and beside it a Levenberg-Marquardt step of log v.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snap_al.fit.blocks import Block
from snap_al.fit.embedded import LONGEST_STEP, SAMPLED_ROWS_PER_DIRECTION
from snap_al.parallel import Communicator, sum_rows

Array = NDArray[np.float64]
CHUNK = 1024
LEAST_DAMPING, MOST_DAMPING = 1e-3, 1e6


@dataclass(frozen=True)
class Joint:
    """v: (p,). theta: (n,) shift of the mean. covariance: (n, n) of the mean, at this v. objective: -log posterior."""

    v: Array
    theta: Array
    covariance: Array
    objective: tuple[float, ...]


@dataclass
class _Pass:
    """Sums over rows at one (v, θ)."""

    cost: float
    up: Array
    down: Array
    information: Array
    pull: Array
    metric: Array


def iid_joint(
    blocks: Sequence[Block], noise_variance: float, comm: Communicator, *, chosen: NDArray[np.int64], precision: Array,
    pulled: Array, pseudo_rows: float, start: Array | None = None, settled: float = 1e-6, max_iterations: int = 300,
) -> Joint:  # fmt: skip
    """precision: (n, n) of the prior of θ; pulled: (n,) its distance from the prior's center at θ = 0. Monotone. Collective.

    Ends when three iterations together lower the objective by less than `settled` of it.
    """
    n = blocks[0].rows.shape[1]
    squares, rows = sum_rows(
        comm,
        sum(float(b.counts @ b.residuals**2) for b in blocks),
        float(sum(np.count_nonzero(b.counts) for b in blocks)),
    )
    mode = max(float(squares) / len(chosen), noise_variance)
    alpha, smallest = 0.5 * pseudo_rows, 1e-12 * mode
    stride = max(1, int(rows) // max(SAMPLED_ROWS_PER_DIRECTION * len(chosen), 4000))
    v = np.full(len(chosen), mode) if start is None else np.maximum(start, smallest)
    theta = np.zeros(n)

    def at(v: Array, theta: Array, stride: int = 0) -> _Pass:
        found = _sums(blocks, noise_variance, chosen, v, theta, stride, comm)
        away = pulled + theta
        found.cost += alpha * float(np.sum(np.log(v) + mode / v)) + 0.5 * float(away @ precision @ away)
        return found

    here = at(v, theta, stride)
    history, damping = [here.cost], LEAST_DAMPING
    for _ in range(max_iterations):
        gradient = 0.5 * v * (here.down - here.up) + alpha * (1.0 - mode / v)
        metric = here.metric + np.diag(alpha * mode / v)
        scale = np.diag(metric) + 1e-9 * np.trace(metric) / len(v)
        force = here.pull - precision @ (pulled + theta)
        moved = theta + comm.bcast(np.linalg.solve(here.information + precision, force))
        while True:
            step = comm.bcast(-np.linalg.solve(metric + np.diag(damping * scale), gradient))
            trial = np.maximum(v * np.exp(np.clip(step, -LONGEST_STEP, LONGEST_STEP)), smallest)
            cost = at(trial, moved).cost
            if cost < here.cost or damping > MOST_DAMPING:
                break
            damping *= 8.0
        if not cost < here.cost:
            break  # rounding
        v, theta, damping = trial, moved, max(damping / 6.0, LEAST_DAMPING)
        here = at(v, theta, stride)
        history.append(here.cost)
        if len(history) > 3 and history[-4] - history[-1] < settled * abs(history[-1]):
            break
    covariance = comm.bcast(np.asarray(np.linalg.inv(here.information + precision), dtype=float))
    return Joint(v, theta, covariance, tuple(history))


def _sums(
    blocks: Sequence[Block],
    noise: float,
    chosen: NDArray[np.int64],
    v: Array,
    theta: Array,
    stride: int,
    comm: Communicator,
) -> _Pass:
    """The cost alone with stride 0, else all; the metric is of every so manieth row."""
    p, n = len(chosen), len(theta)
    total = _Pass(0.0, np.zeros(p), np.zeros(p), np.zeros((n, n)), np.zeros(n), np.zeros((p, p)))
    for block in blocks:
        for k in range(0, len(block.rows), CHUNK):
            q, counts = block.rows[k : k + CHUNK], block.counts[k : k + CHUNK]
            r = block.residuals[k : k + CHUNK] - q @ theta
            squared = np.square(q if p == n else q[:, chosen])
            s2 = squared @ v + noise
            total.cost += 0.5 * float(counts @ (r**2 / s2 + np.log(s2)))
            if not stride:
                continue
            weight = counts / s2
            total.down += weight @ squared
            total.up += (weight * r**2 / s2) @ squared
            scaled = q * np.sqrt(weight)[:, None]
            total.information += scaled.T @ scaled
            total.pull += (weight * r) @ q
            share = squared[::stride] * (v * (np.sqrt(counts) / s2)[::stride, None])
            total.metric += share.T @ share
    if not stride:
        return _Pass(
            float(sum_rows(comm, total.cost)[0]), *(np.zeros(0),) * 2, np.zeros((0, 0)), np.zeros(0), np.zeros((0, 0))
        )
    cost, up, down, information, pull, metric = sum_rows(
        comm, total.cost, total.up, total.down, total.information, total.pull, total.metric
    )
    return _Pass(float(cost), up, down, information, pull, 0.5 * stride * metric)
