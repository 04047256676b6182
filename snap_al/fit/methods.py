"""Rows → Posterior: conjugate Bayes, and Bayes with embedded model error anchored on its residuals."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, Field, PositiveFloat

from snap_al.errors import FitError
from snap_al.fit.embedded import iid_variances, residual_axes
from snap_al.fit.factor import Factor
from snap_al.fit.posterior import Posterior
from snap_al.parallel import SERIAL, Communicator, collectively, sum_rows

Array = NDArray[np.float64]


class FitSettings(BaseModel, extra="forbid", frozen=True):
    """How coefficients and their uncertainty are found."""

    posterior: Literal["embedded", "bayes"] = "embedded"
    likelihood: Literal["iid"] = "iid"
    embedding: Literal["whitened"] = "whitened"
    mean: Literal["anchored"] = "anchored"
    prior_precision: Literal["evidence"] | PositiveFloat = "evidence"
    """κ: precision of the coefficients' prior next to columns of unit weighted norm, in units of 1/σ²."""
    noise_fraction: float = Field(default=0.01, gt=0, le=1)
    """σ² as a fraction of the residual variance (embedded); bayes has all of it as noise."""
    pseudo_rows: float = Field(default=1.0, gt=0)
    """Weight of the model-error variances' prior, in rows."""


def fit_posterior(
    A: ArrayLike, b: ArrayLike, w: ArrayLike | None = None, *,
    settings: FitSettings | None = None, prior_mean: ArrayLike | None = None, kinds: ArrayLike | None = None,
    comm: Communicator = SERIAL,
) -> Posterior:  # fmt: skip
    """Fits rows A (m_local, n), targets b (m_local,), weights w (m_local,) > 0 (1 when not given). Collective.

    kinds: (m_local,) 0 energy, 1 force, 2 stress; the noise is reported for the median weight of each kind.
    Raises FitError on all ranks for values that are not finite, weights that are not positive, or shapes that differ.
    """
    settings = settings or FitSettings()
    with collectively(comm):
        rows, targets, weights, kind = _checked(A, b, w, kinds)
    n = rows.shape[1]
    center = np.zeros(n) if prior_mean is None else np.asarray(prior_mean, dtype=float)
    rows, targets = rows * weights[:, None], targets * weights
    factor = Factor.of(rows, targets, center, comm)
    fixed = settings.prior_precision
    ridge = comm.bcast(factor.evidence_ridge()) if fixed == "evidence" else float(fixed)
    mean = factor.mean(ridge)
    residual_variance = max(factor.noise_variance(ridge), np.finfo(float).tiny)
    whitening = factor.whitening(ridge)
    if settings.posterior == "bayes":
        variances, noise_variance = np.zeros(n), residual_variance
        objective: tuple[float, ...] = ()
        middle = np.eye(n) * residual_variance
    else:
        noise_variance = settings.noise_fraction * residual_variance
        residuals = targets - rows @ mean
        whitening = whitening @ residual_axes(rows @ whitening, residuals, comm)
        directions = rows @ whitening
        squared = directions**2
        error = iid_variances(squared, residuals, noise_variance, comm, pseudo_rows=settings.pseudo_rows)
        variances, objective = error.v, error.objective
        s2 = squared @ variances + noise_variance
        (middle,) = sum_rows(comm, (directions * s2[:, None]).T @ directions)
        scaled = whitening * factor.norms[:, None]
        middle = middle + ridge * residual_variance * scaled.T @ scaled
    return Posterior(
        name=settings.posterior, mean=mean, epistemic=whitening @ middle @ whitening.T,
        model_error=(whitening * variances) @ whitening.T, noise=float(np.sqrt(noise_variance)),
        noise_by_kind=np.sqrt(noise_variance) / _reference_weights(weights, kind, comm),
        whitening=whitening, variances=variances, middle=middle, ridge=ridge,
        n_rows=factor.n_rows, objective=objective,
    )  # fmt: skip


def _checked(
    A: ArrayLike, b: ArrayLike, w: ArrayLike | None, kinds: ArrayLike | None
) -> tuple[Array, Array, Array, NDArray[np.int8]]:
    rows, targets = np.asarray(A, dtype=float), np.asarray(b, dtype=float)
    if rows.ndim != 2 or targets.shape != rows.shape[:1]:
        raise FitError(f"A has shape {rows.shape} and b {targets.shape}; expected (m, n) and (m,)")
    weights = np.ones(len(rows)) if w is None else np.asarray(w, dtype=float)
    kind = np.zeros(len(rows), np.int8) if kinds is None else np.asarray(kinds, dtype=np.int8)
    if weights.shape != targets.shape or kind.shape != targets.shape:
        raise FitError(f"w has shape {weights.shape} and kinds {kind.shape} for {len(rows)} rows")
    for name, values in (("A", rows), ("b", targets), ("w", weights)):
        bad = np.flatnonzero(~np.isfinite(values).all(axis=tuple(range(1, values.ndim))))
        if len(bad):
            raise FitError(
                f"{name} is not finite in {len(bad)} rows, the first is row {bad[0]}; mask them or mend them"
            )
    if (weights <= 0).any():
        raise FitError(f"weight {weights[weights <= 0][0]} in row {np.flatnonzero(weights <= 0)[0]}; mask rows instead")
    return rows, targets, weights, kind


def _reference_weights(weights: Array, kinds: NDArray[np.int8], comm: Communicator) -> Array:
    """(3,) the median weight of each kind over all ranks; infinite where a kind has no rows, so that its noise is 0."""
    everyone = comm.allgather((weights, kinds))
    w, k = np.concatenate([e[0] for e in everyone]), np.concatenate([e[1] for e in everyone])
    return np.array([np.median(w[k == kind]) if (k == kind).any() else np.inf for kind in range(3)])
