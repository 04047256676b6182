"""The Gaussian posterior that model error is anchored on, and the way from its parts to a
Posterior.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snap_al.errors import FitError
from snap_al.inference.factor import LEAST_INFORMATION, Factor
from snap_al.inference.noise import Noise
from snap_al.inference.posterior import Posterior
from snap_al.inference.settings import ConjugateSettings, FitSettings
from snap_al.inference.stds import square_root
from snap_al.parallel import Communicator

Array = NDArray[np.float64]
UNKNOWN_ERROR = 1.0
"""eV/atom, where there are no more energies than constants, and nothing else."""


@dataclass(frozen=True)
class Coefficients:
    """What is known of the coefficients before a fit."""

    prior_mean: ArrayLike | None = None
    """(n,) that the prior is centered on; zero when not given."""
    constants: Sequence[int] = ()
    """Columns that are elements' constants, which the prior leaves alone: no error bar then depends
    on the zero of energy."""
    names: Sequence[str] | None = None
    """(n,) for remarks; their numbers when not given."""


@dataclass(frozen=True)
class Conjugate:
    """The Gaussian posterior's parts that model error is anchored on."""

    factor: Factor
    """Triangular factor of the weighted rows."""
    ridge: float
    """κ of σ² and of the covariances."""
    mean: Array
    """(n,) mean coefficients."""
    residual_variance: float
    """Variance σ² of the residuals, in weighted units."""
    whitening: Array
    """(n, n) transformation T to whitened coordinates."""
    prior_root: Array
    """(n, n) R of the prior's precision RᵀR."""

    @property
    def prior_information(self) -> Array:
        """(n, n) TᵀPT: the prior's part of the unit information in whitened coordinates; the rows
        have the rest.
        """
        return self.prior_information_in(self.whitening)

    def prior_information_in(self, coordinates: Array) -> Array:
        """(n, n) the prior's precision in other coordinates (n, n), in units of 1/σ²."""
        root = self.prior_root @ coordinates
        return np.asarray(root.T @ root)


def conjugate(
    triangle: Array, n_rows: int, known: Coefficients, settings: FitSettings, comm: Communicator
) -> Conjugate:
    """triangle: see `Factor.of`. Raises FitError on all ranks for a prior mean that does
    not fit.
    """
    n = len(triangle) - 1
    center = None if known.prior_mean is None else np.asarray(known.prior_mean, dtype=float)
    if center is not None and center.shape != (n,):
        raise FitError(f"prior_mean has shape {center.shape} for {n} coefficients").on_all_ranks()
    if center is not None and not np.isfinite(center).all():
        raise FitError("prior_mean is not finite").on_all_ranks()
    factor = Factor.of(triangle, n_rows, center, comm, known.constants)
    fixed = settings.prior_precision
    ridge = comm.bcast(factor.evidence_ridge()) if fixed == "evidence" else float(fixed)
    kappa = max(ridge, LEAST_INFORMATION)
    targets = triangle[:, n] - triangle[:, :n] @ factor.center
    residual_variance = max(factor.noise_variance(kappa), _rounding(factor, targets))
    if (
        factor.n_rows <= factor.n_free
    ):  # the constants explain everything, and nothing tells of other errors
        weights = np.square(factor.norms[factor.order[: factor.n_constants]])
        residual_variance = UNKNOWN_ERROR**2 * float(weights.sum()) / factor.n_rows
    whitening, prior_root = factor.whitening(kappa), factor.prior_root(kappa)
    return Conjugate(factor, kappa, factor.mean(ridge), residual_variance, whitening, prior_root)


def as_posterior(
    c: Conjugate,
    settings: FitSettings,
    noise: Array,
    inner: Array,
    middle: Array,
    objective: tuple[float, ...] = (),
    residual_variance: float | None = None,
) -> Posterior:
    """noise: (3,) σ of each kind in its own unit. inner, middle: (n, n) model error and epistemic
    covariance in whitened coordinates. residual_variance: where it is not that of `c`."""
    half = c.whitening @ square_root(
        inner
    )  # so that no variance of a coefficient is negative by rounding
    return Posterior(
        name=settings.posterior,
        mean=c.mean,
        epistemic=c.whitening @ middle @ c.whitening.T,
        model_error=half @ half.T,
        noise_by_kind=noise,
        residual_variance=c.residual_variance if residual_variance is None else residual_variance,
        whitening=c.whitening,
        inner=inner,
        middle=middle,
        prior_information=c.prior_information,
        ridge=c.ridge,
        n_rows=c.factor.n_rows,
        embedded_rows=c.factor.n_rows,
        objective=objective,
    )


def _rounding(factor: Factor, targets: Array) -> float:
    """The least variance that residuals of these targets can be said to have; of targets that are
    zero, next to the rows.
    """
    squares = float(targets @ targets) or float(factor.norms @ factor.norms)
    return 1e-30 * squares / factor.n_rows


def plain_bayes(c: Conjugate, settings: ConjugateSettings, noise: Noise) -> Posterior:
    """The conjugate posterior, without model error; σ² known, of inverse-gamma posterior, or of
    largest evidence.

    With σ² ~ IG(a, b) coefficients are Student-t; what is kept is that posterior's covariance,
    b'/(a' - 1) times that of unit noise, a' = a + m/2 and b' = b + ½ misfit. Bishop, Pattern
    Recognition and Machine Learning (2006), 3.3 and 3.5.
    """
    n = len(c.mean)
    variance = c.residual_variance
    if settings.noise_std is not None:
        variance = settings.noise_std**2
    elif settings.noise_shape > 0 or settings.noise_scale > 0:
        shape = settings.noise_shape + 0.5 * c.factor.n_rows
        if shape <= 1.0:
            raise FitError(
                f"{c.factor.n_rows} rows and noise_shape {settings.noise_shape} leave σ² without "
                "a mean"
            ).on_all_ranks()
        variance = (settings.noise_scale + 0.5 * c.factor.n_rows * c.residual_variance) / (
            shape - 1.0
        )
    nothing = np.zeros((n, n))
    stds = noise.stds(variance / c.residual_variance)
    return as_posterior(
        c, settings, stds, nothing, np.eye(n) * variance, residual_variance=variance
    )


def variational(c: Conjugate, settings: ConjugateSettings, noise: Noise) -> Posterior:
    """Mean-field variational inference of the same: N(μ, 1/diag(Σ⁻¹)), the independent Gaussians
    nearest to N(μ, Σ) in Kullback-Leibler divergence from them to it. It underestimates wherever
    columns are not orthogonal."""
    bayes = plain_bayes(c, settings, noise)
    scaled = c.whitening * c.factor.norms[:, None]
    information = np.linalg.solve(scaled.T, np.linalg.inv(scaled))  # of unit noise and unit columns
    spread = bayes.residual_variance / np.diag(information)
    root = np.linalg.solve(scaled, np.diag(np.sqrt(spread)))
    middle = root @ root.T
    return replace(bayes, middle=middle, epistemic=c.whitening @ middle @ c.whitening.T)
