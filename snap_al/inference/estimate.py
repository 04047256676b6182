"""Which way an embedded model error is found, and what is found: Σ_δ, σ², a shift of the mean, its
covariance.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from snap_al.inference.blocks import Block, inverse, parts_of
from snap_al.inference.coordinates import Coordinates, Estimate, diagonal, noise_share
from snap_al.inference.covariance import Steps, iid_covariance
from snap_al.inference.embedded import iid_variances
from snap_al.inference.gradient import by_gradient, rowwise
from snap_al.inference.joint import MeanPrior, RowModel, scored
from snap_al.inference.settings import EmbeddedSettings
from snap_al.inference.stds import square_root
from snap_al.parallel import Communicator, sum_rows

Array = NDArray[np.float64]
MOST_TURNS = 200
SETTLED = 1e-6
"""Joint means have settled when a turn lowers the objective by less than this share of it."""


def estimate(
    blocks: Sequence[Block],
    where: Coordinates,
    residual_variance: float,
    settings: EmbeddedSettings,
    chosen: NDArray[np.int64],
    start: Array | None,
    comm: Communicator,
) -> Estimate:
    """chosen: (p,) which columns of the rows have a model error. start: (n, n) a Σ_δ to begin with.
    Collective.
    """
    n = len(where.pull)
    share, anchored = noise_share(settings), settings.mean == "anchored"
    still = np.zeros(n)
    fast = settings.likelihood != "full" and not settings.laplace
    if fast and settings.embedding == "full":
        return _any_covariance(blocks, where, share, residual_variance, settings, start, comm)
    pseudo_rows = {"inverse-gamma": settings.pseudo_rows, "flat": 0.0}.get(settings.prior)
    first = None if start is None else np.diag(start)[chosen]
    # a share of a coefficient that is free is a variance that is free
    additive = not settings.multiplicative or anchored or settings.prior == "flat"
    if fast and settings.noise != "inferred" and pseudo_rows is not None and additive:
        if anchored and settings.likelihood == "iid":
            found = iid_variances(
                blocks, share, comm, pseudo_rows=pseudo_rows, start=first, chosen=chosen
            )
            return Estimate(diagonal(found.v, chosen, n), share, still, None, found.objective)
        both = scored(
            blocks,
            RowModel(rowwise(settings, residual_variance), share, chosen),
            comm,
            mean=None if anchored else MeanPrior(where.precision / residual_variance, where.pull),
            pseudo_rows=pseudo_rows,
            start=first,
        )
        return Estimate(
            diagonal(both.v, chosen, n), share, both.theta, both.covariance, both.objective
        )
    return by_gradient(blocks, where, share, residual_variance, settings, chosen, first, comm)


def _any_covariance(
    blocks: Sequence[Block],
    where: Coordinates,
    share: float,
    residual_variance: float,
    settings: EmbeddedSettings,
    start: Array | None,
    comm: Communicator,
) -> Estimate:
    """Σ_δ in full; with a joint mean, steps of Σ_δ and weighted least squares for the mean take
    turns.
    """
    infer, pseudo_rows = settings.noise == "inferred", settings.pseudo_rows
    if settings.mean == "anchored":
        found = iid_covariance(
            blocks, share, comm, pseudo_rows=pseudo_rows, start=start, infer_noise=infer
        )
        return Estimate(
            found.sigma, found.noise_share, np.zeros(len(where.pull)), None, found.objective
        )

    precision = where.precision / residual_variance
    theta, objective = np.zeros(len(where.pull)), []
    for _ in range(MOST_TURNS):
        found = iid_covariance(
            blocks,
            share,
            comm,
            pseudo_rows=pseudo_rows,
            start=start,
            infer_noise=infer,
            steps=Steps(most=2),
        )
        start, share, pulled = found.sigma, found.noise_share, where.pull + theta
        objective.append(found.objective[-1] + 0.5 * float(pulled @ precision @ pulled))
        change, covariance = _mean_step(blocks, start, share, precision, pulled, comm)
        if len(objective) > 1 and objective[-2] - objective[-1] < SETTLED * abs(objective[-1]):
            break
        theta = theta + change
        for block in blocks:
            block.residuals = block.residuals - block.rows @ change
    for block in blocks:
        block.residuals = block.residuals + block.rows @ theta
    return Estimate(found.sigma, share, theta, covariance, tuple(objective))


def _mean_step(
    blocks: Sequence[Block],
    sigma: Array,
    share: float,
    precision: Array,
    pulled: Array,
    comm: Communicator,
) -> tuple[Array, Array]:
    """The step (n,) to the mean that weights 1/s² and the prior give, and its covariance (n, n)."""
    root = square_root(sigma)
    information, pull = np.zeros_like(sigma), np.zeros(len(sigma))
    for q, residuals, noise, counts in parts_of(blocks, 4096):
        weight = counts / (np.square(q @ root).sum(axis=1) + share * noise)
        scaled = q * np.sqrt(weight)[:, None]
        information += scaled.T @ scaled
        pull += (weight * residuals) @ q
    information, pull = sum_rows(comm, information, pull)
    covariance = comm.bcast(inverse(information + precision))
    return covariance @ (pull - precision @ pulled), covariance
