"""The Gaussian posterior that model error is anchored on, and the way from its parts to a Posterior."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snap_al.errors import FitError
from snap_al.fit.factor import Factor
from snap_al.fit.posterior import Posterior
from snap_al.fit.settings import FitSettings
from snap_al.parallel import Communicator

Array = NDArray[np.float64]
LEAST_INFORMATION = 1e-12
"""The flattest prior that covariances are made with, whatever the mean's is. In a direction without data a std is then a
million times that of one column alone, and products of doubles still hold the stds in the directions that have data."""


@dataclass(frozen=True)
class Conjugate:
    """The Gaussian posterior's parts that model error is anchored on. ridge: κ of the covariances."""

    factor: Factor
    ridge: float
    mean: Array
    residual_variance: float
    whitening: Array


def conjugate(
    triangle: Array, n_rows: int, prior_mean: ArrayLike | None, settings: FitSettings, comm: Communicator
) -> Conjugate:
    n = len(triangle) - 1
    center = np.zeros(n) if prior_mean is None else np.asarray(prior_mean, dtype=float)
    if center.shape != (n,):
        raise FitError(f"prior_mean has shape {center.shape} for {n} coefficients").on_all_ranks()
    if not np.isfinite(center).all():
        raise FitError("prior_mean is not finite").on_all_ranks()
    factor = Factor.of(triangle, n_rows, center, comm)
    fixed = settings.prior_precision
    ridge = comm.bcast(factor.evidence_ridge()) if fixed == "evidence" else float(fixed)
    residual_variance = max(factor.noise_variance(ridge), np.finfo(float).tiny)
    known = max(ridge, LEAST_INFORMATION)
    return Conjugate(factor, known, factor.mean(ridge), residual_variance, factor.whitening(known))


def as_posterior(
    c: Conjugate, settings: FitSettings, noise_weights: Array, whitening: Array, variances: Array, noise: float,
    middle: Array, embedded_rows: int, objective: tuple[float, ...],
) -> Posterior:  # fmt: skip
    return Posterior(
        name=settings.posterior, mean=c.mean, epistemic=whitening @ middle @ whitening.T,
        model_error=(whitening * variances) @ whitening.T, noise=float(np.sqrt(noise)),
        noise_by_kind=np.sqrt(noise) / noise_weights,
        whitening=whitening, variances=variances, middle=middle, norms=c.factor.norms, ridge=c.ridge,
        n_rows=c.factor.n_rows, embedded_rows=embedded_rows, objective=objective,
    )  # fmt: skip


def prior_share(whitening: Array, norms: Array, ridge: float) -> Array:
    """(n, n) κ TᵀN²T: the prior's part of the unit information in whitened coordinates; the rows have the rest."""
    scaled = whitening * norms[:, None]
    return ridge * scaled.T @ scaled
