"""Model errors by general minimisation, with exact gradients: every combination of options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from snap_al.errors import FitError
from snap_al.inference.blocks import Block
from snap_al.inference.coordinates import Coordinates, Estimate, diagonal
from snap_al.inference.dense import FullObjective
from snap_al.inference.likelihood import ABC, IID, Rowwise, prior
from snap_al.inference.objective import Objective
from snap_al.inference.settings import EmbeddedSettings, ModelErrorSettings
from snap_al.parallel import Communicator, sum_rows

Array = NDArray[np.float64]
LEAST_CURVATURE = 1e-2
"""Of log d: a d that is known to a factor e¹⁰ or less is not known."""


def by_gradient(
    blocks: Sequence[Block],
    where: Coordinates,
    share: float,
    residual_variance: float,
    settings: EmbeddedSettings,
    chosen: NDArray[np.int64],
    first: Array | None,
    comm: Communicator,
) -> Estimate:
    joint = settings.mean == "joint"
    f = objective(blocks, where, share, residual_variance, settings, chosen, comm)
    f = replace(f, joint=joint)
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
    if joint or settings.laplace:
        k, n = len(x) + int(f.infer_noise), len(theta)
        curvature = f.curvature(parameters)
        of_log, of_mean = comm.bcast(
            _covariances(curvature, k if settings.laplace else 0, n if f.joint else 0)
        )
        if joint:
            epistemic = where.mixing @ of_mean @ where.mixing.T
        if settings.laplace:  # E d² of a log-normal d, as far as the curvature knows it
            d2 = d2 * np.exp(2.0 * np.minimum(np.diag(of_log)[: len(x)], 1.0))
    v = f.scale(theta) ** 2 * d2
    return Estimate(diagonal(v, chosen, len(theta)), float(share_found), theta, epistemic, history)


def objective(
    blocks: Sequence[Block],
    where: Coordinates,
    share: float,
    residual_variance: float,
    settings: ModelErrorSettings,
    chosen: NDArray[np.int64],
    comm: Communicator,
) -> Objective:
    """What these settings ask to be minimised, of the model error alone. Collective."""
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
        False,
        comm,
    )


def rowwise(settings: ModelErrorSettings, residual_variance: float) -> Rowwise:
    """The likelihood of single rows; `full` has none, and does not use it."""
    if settings.likelihood == "abc":
        return ABC(settings.abc_alpha, settings.abc_epsilon or float(np.sqrt(residual_variance)))
    return IID()


def prior_scale(
    blocks: Sequence[Block], p: int, settings: ModelErrorSettings, g: float, comm: Communicator
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
