"""Which way an embedded model error is found, and what is found: Σ_δ, σ², a shift of the mean, its
covariance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snap_al.errors import FitError
from snap_al.inference.blocks import Block, inverse, parts_of
from snap_al.inference.conjugate import Conjugate
from snap_al.inference.covariance import Steps, iid_covariance
from snap_al.inference.dense import FullObjective
from snap_al.inference.embedded import iid_variances
from snap_al.inference.joint import MeanPrior, RowModel, scored
from snap_al.inference.likelihood import ABC, IID, Rowwise, prior
from snap_al.inference.objective import Objective
from snap_al.inference.posterior import square_root
from snap_al.inference.settings import FitSettings
from snap_al.parallel import Communicator, sum_rows

Array = NDArray[np.float64]
MOST_TURNS = 200
LEAST_CURVATURE = 1e-2
"""Of log d: a d that is known to a factor e¹⁰ or less is not known."""
SETTLED = 1e-6
"""Joint means have settled when a turn lowers the objective by less than this share of it."""
ZERO_NOISE = 1e-10
"""Of the mean square residual: `noise: zero` where a logarithm needs a number."""


@dataclass(frozen=True)
class Coordinates:
    """The coordinates that the blocks' rows q = ÃT are in."""

    matrix: Array
    """(n, n) T."""
    precision: Array
    """(n, n) of the coefficients' prior there, in units of the residual variance's inverse."""
    coefficients: Array
    """(n,) T⁻¹c̄."""
    pull: Array
    """(n,) T⁻¹(c̄ - c₀)."""
    mixing: Array
    """(n, n) T⁻¹ times the whitening, times the residuals' std."""

    @classmethod
    def of(cls, matrix: Array, c: Conjugate) -> Coordinates:
        scaled = c.factor.norms[:, None] * matrix
        inverse = np.linalg.solve(scaled, np.diag(c.factor.norms))
        mixing = inverse @ c.whitening * np.sqrt(c.residual_variance)
        pull = inverse @ (c.mean - c.factor.center)
        return cls(matrix, c.prior_information_in(matrix), inverse @ c.mean, pull, mixing)


@dataclass(frozen=True)
class Estimate:
    """A model error, and the mean with it, in the rows' coordinates."""

    inner: Array
    """(n, n) Σ_δ."""
    noise_share: float
    """τ."""
    shift: Array
    """(n,) of the mean, zero when anchored."""
    epistemic: Array | None
    """(n, n) covariance of the coefficients; None where the sandwich is it."""
    objective: tuple[float, ...]
    """-log posterior on the way."""


def noise_share(settings: FitSettings) -> float:
    """τ that is fixed, or where its search begins: σ² of a kind next to the mean square of its
    residuals.
    """
    return ZERO_NOISE if settings.noise == "zero" else settings.noise_fraction


def estimate(
    blocks: Sequence[Block],
    where: Coordinates,
    residual_variance: float,
    settings: FitSettings,
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
            return Estimate(_diagonal(found.v, chosen, n), share, still, None, found.objective)
        both = scored(
            blocks,
            RowModel(rowwise(settings, residual_variance), share, chosen),
            comm,
            mean=None if anchored else MeanPrior(where.precision / residual_variance, where.pull),
            pseudo_rows=pseudo_rows,
            start=first,
        )
        return Estimate(
            _diagonal(both.v, chosen, n), share, both.theta, both.covariance, both.objective
        )
    return _by_gradient(blocks, where, share, residual_variance, settings, chosen, first, comm)


def _any_covariance(
    blocks: Sequence[Block],
    where: Coordinates,
    share: float,
    residual_variance: float,
    settings: FitSettings,
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


def _by_gradient(
    blocks: Sequence[Block],
    where: Coordinates,
    share: float,
    residual_variance: float,
    settings: FitSettings,
    chosen: NDArray[np.int64],
    first: Array | None,
    comm: Communicator,
) -> Estimate:
    f = objective(blocks, where, share, residual_variance, settings, chosen, comm)
    g = np.abs(f.scale(np.zeros(len(where.pull))))
    if settings.multiplicative and (g == 0).any():
        raise FitError(
            f"multiplicative: coefficient {chosen[np.argmin(g)]} is zero, and so is any share of it"
        )
    scale = prior_scale(blocks, len(chosen), settings, float(np.sqrt(np.mean(g**2))), comm)
    x = np.full(len(chosen), np.log(scale)) if first is None else 0.5 * np.log(first) - np.log(g)
    parameters, history = f.minimum(np.clip(x, np.log(scale) - 12, np.log(scale) + 12), scale)
    x, share_found, theta = f.parts(parameters)
    d2, epistemic = np.exp(2.0 * x), None
    if settings.mean == "joint" or settings.laplace:
        k, n = len(x) + int(f.infer_noise), len(theta)
        curvature = f.curvature(parameters)
        of_log, of_mean = comm.bcast(
            _covariances(curvature, k if settings.laplace else 0, n if f.joint else 0)
        )
        if settings.mean == "joint":
            epistemic = where.mixing @ of_mean @ where.mixing.T
        if settings.laplace:  # E d² of a log-normal d, as far as the curvature knows it
            d2 = d2 * np.exp(2.0 * np.minimum(np.diag(of_log)[: len(x)], 1.0))
    v = f.scale(theta) ** 2 * d2
    return Estimate(_diagonal(v, chosen, len(theta)), float(share_found), theta, epistemic, history)


def objective(
    blocks: Sequence[Block],
    where: Coordinates,
    share: float,
    residual_variance: float,
    settings: FitSettings,
    chosen: NDArray[np.int64],
    comm: Communicator,
) -> Objective:
    """What these settings ask to be minimised. Collective."""
    relative = where.coefficients if settings.multiplicative else None
    g2 = 1.0 if relative is None else float(np.mean(relative[chosen] ** 2))
    on_d = prior(
        settings.prior,
        prior_scale(blocks, len(chosen), settings, np.sqrt(g2), comm),
        settings.pseudo_rows,
    )
    kind = FullObjective if settings.likelihood == "full" else Objective
    return kind(
        blocks,
        rowwise(settings, residual_variance),
        on_d,
        chosen,
        relative,
        where.precision / residual_variance,
        where.pull,
        where.mixing,
        share,
        settings.noise == "inferred",
        settings.mean == "joint",
        comm,
    )


def rowwise(settings: FitSettings, residual_variance: float) -> Rowwise:
    """The likelihood of single rows; `full` has none, and does not use it."""
    if settings.likelihood == "abc":
        return ABC(settings.abc_alpha, settings.abc_epsilon or float(np.sqrt(residual_variance)))
    return IID()


def prior_scale(
    blocks: Sequence[Block], p: int, settings: FitSettings, g: float, comm: Communicator
) -> float:
    """Of d: with all p stds at it, the model error explains the residuals on the whole."""
    q2 = sum(float(b.counts @ np.square(b.rows).sum(axis=1)) for b in blocks)
    r2 = sum(float(b.counts @ b.residuals**2) for b in blocks)
    q2, r2 = (float(x) for x in sum_rows(comm, q2, r2))
    if q2 == 0.0:
        raise FitError(
            "every row is zero in all columns; there is nothing that a model error could act on"
        ).on_all_ranks()
    return float(np.sqrt(max(r2, np.finfo(float).tiny) / max(q2, np.finfo(float).tiny))) / g


def _covariances(curvature: Array, k: int, n: int) -> tuple[Array, Array]:
    """Covariances of the first k parameters, the logs, and of the last n, the mean's, of the
    Gaussian with this curvature. k = 0: the mean's alone, at the model error that was found.

    A log whose d does not matter has next to no curvature, or a negative one; it is left where it
    is. The mean's curvature is that of least squares, which is positive; what it loses by not
    knowing the logs may not make it negative.
    """
    logs, own = curvature[:k, :k], curvature[len(curvature) - n :, len(curvature) - n :]
    values, vectors = np.linalg.eigh(logs) if k else (np.zeros(0), np.zeros((0, 0)))
    known = values > LEAST_CURVATURE
    of_logs = (vectors[:, known] / values[known]) @ vectors[:, known].T
    if k and n:
        cross = curvature[:k, len(curvature) - n :]
        left = own - cross.T @ of_logs @ cross
        own = left if (np.linalg.eigvalsh(left) > 0).all() else own
    own_values, own_vectors = np.linalg.eigh(own) if n else (np.ones(0), np.zeros((0, 0)))
    floor = 1e-12 * own_values.max(initial=0.0)
    return of_logs, (own_vectors / np.maximum(own_values, floor)) @ own_vectors.T


def _diagonal(v: Array, chosen: NDArray[np.int64], n: int) -> Array:
    full = np.zeros(n)
    full[chosen] = v
    return np.diag(full)
