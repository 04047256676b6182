"""The Gaussian posterior that model error is anchored on, and the way from its parts to a Posterior."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snap_al.errors import FitError
from snap_al.fit.factor import Factor
from snap_al.fit.posterior import Posterior, square_root
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
    residual_variance = max(factor.noise_variance(ridge), _rounding(factor, triangle[:, n]))
    known = max(ridge, LEAST_INFORMATION)
    return Conjugate(factor, known, factor.mean(ridge), residual_variance, factor.whitening(known))


def as_posterior(
    c: Conjugate, settings: FitSettings, noise_weights: Array, whitening: Array, inner: Array, noise: float,
    middle: Array, embedded_rows: int, objective: tuple[float, ...],
) -> Posterior:  # fmt: skip
    half = whitening @ square_root(inner)  # so that no variance of a coefficient is negative by rounding
    return Posterior(
        name=settings.posterior, mean=c.mean, epistemic=whitening @ middle @ whitening.T,
        model_error=half @ half.T, noise=float(np.sqrt(noise)),
        noise_by_kind=np.sqrt(noise) / noise_weights,
        whitening=whitening, inner=inner, middle=middle, norms=c.factor.norms, ridge=c.ridge,
        n_rows=c.factor.n_rows, embedded_rows=embedded_rows, objective=objective,
    )  # fmt: skip


def _rounding(factor: Factor, targets: Array) -> float:
    """The least variance that residuals of these targets can be said to have; of targets that are zero, next to the rows."""
    squares = float(targets @ targets) or float(factor.norms @ factor.norms)
    return 1e-30 * squares / factor.n_rows


def prior_share(whitening: Array, norms: Array, ridge: float) -> Array:
    """(n, n) κ TᵀN²T: the prior's part of the unit information in whitened coordinates; the rows have the rest."""
    scaled = whitening * norms[:, None]
    return ridge * scaled.T @ scaled


def plain_bayes(c: Conjugate, settings: FitSettings, noise_weights: Array) -> Posterior:
    """The conjugate posterior, without model error; σ² known, of inverse-gamma posterior, or of largest evidence.

    With σ² ~ IG(a, b) coefficients are Student-t; what is kept is that posterior's covariance, b'/(a' - 1) times that of
    unit noise, a' = a + m/2 and b' = b + ½ misfit. Bishop, Pattern Recognition and Machine Learning (2006), 3.3 and 3.5.
    """
    n = len(c.mean)
    variance = c.residual_variance
    if settings.noise_std is not None:
        variance = settings.noise_std**2
    elif settings.noise_shape > 0 or settings.noise_scale > 0:
        shape = settings.noise_shape + 0.5 * c.factor.n_rows
        if shape <= 1.0:
            raise FitError(
                f"{c.factor.n_rows} rows and noise_shape {settings.noise_shape} leave σ² without a mean"
            ).on_all_ranks()
        variance = (settings.noise_scale + 0.5 * c.factor.n_rows * c.residual_variance) / (shape - 1.0)
    nothing = np.zeros((n, n))
    return as_posterior(
        c, settings, noise_weights, c.whitening, nothing, variance, np.eye(n) * variance, c.factor.n_rows, ()
    )


def variational(c: Conjugate, settings: FitSettings, noise_weights: Array) -> Posterior:
    """Mean-field variational inference of the same: N(μ, 1/diag(Σ⁻¹)), the independent Gaussians nearest to N(μ, Σ) in
    Kullback-Leibler divergence from them to it. It underestimates wherever columns are not orthogonal."""
    bayes = plain_bayes(c, settings, noise_weights)
    scaled = c.whitening * c.factor.norms[:, None]
    information = np.linalg.solve(scaled.T, np.linalg.inv(scaled))  # of unit noise and unit columns
    spread = bayes.noise**2 / np.diag(information)
    root = np.linalg.solve(scaled, np.diag(np.sqrt(spread)))
    return as_posterior(
        c, settings, noise_weights, c.whitening, bayes.inner, bayes.noise**2, root @ root.T, c.factor.n_rows, ()
    )
