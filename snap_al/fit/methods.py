"""Rows → Posterior: conjugate Bayes, and Bayes with embedded model error anchored on its residuals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snap_al.errors import FitError
from snap_al.fit.blocks import Block, model_error_variance, sandwich, transform, triangle_of, whiten
from snap_al.fit.conjugate import as_posterior, conjugate, prior_share
from snap_al.fit.embedded import iid_variances
from snap_al.fit.posterior import Posterior, square_root
from snap_al.fit.settings import FitSettings
from snap_al.parallel import SERIAL, Communicator, collectively, combined_triangle, sum_rows

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RowErrors:
    """Of each row of a fit (m,), in weighted units: ỹ - Ãc and the stds of its parts."""

    residuals: Array
    epistemic_std: Array
    model_error_std: Array


def fit_posterior(
    A: ArrayLike, b: ArrayLike, w: ArrayLike | None = None, *,
    settings: FitSettings | None = None, prior_mean: ArrayLike | None = None, kinds: ArrayLike | None = None,
    comm: Communicator = SERIAL,
) -> Posterior:  # fmt: skip
    """Fits rows A (m_local, n), targets b (m_local,), weights w (m_local,) > 0 (1 when not given). Collective.

    kinds: (m_local,) 0 energy, 1 force, 2 stress; the noise is reported for the median weight of each kind.
    prior_mean: (n,) coefficients that the prior is centered on, zero when not given.
    Raises FitError on all ranks for values that are not finite, weights that are not positive, or shapes that differ.
    """
    with collectively(comm):
        rows, targets, weights, kind = _checked(A, b, w, kinds)
    block = Block(rows * weights[:, None], targets * weights, np.ones(len(rows), dtype=bool))
    references = reference_weights(weights, kind, comm)
    return fit_blocks([block], references, settings or FitSettings(), prior_mean=prior_mean, comm=comm)[0]


def fit_blocks(
    blocks: list[Block], noise_weights: Array, settings: FitSettings, *,
    prior_mean: ArrayLike | None = None, triangle: Array | None = None, previous: Posterior | None = None,
    comm: Communicator = SERIAL,
) -> tuple[Posterior, list[RowErrors]]:  # fmt: skip
    """Fits this rank's blocks, at least one, and leaves in them what it needed: their rows are lost. Collective.

    noise_weights: (3,) of `reference_weights`. triangle: of this rank's fitted rows (`triangle_of`), where it is known.
    previous: a posterior of nearly the same rows, whose model error is where the search begins.
    """
    with collectively(comm):
        local = triangle_of(blocks) if triangle is None else triangle
    (n_rows,) = sum_rows(comm, float(sum(int(b.fitted.sum()) for b in blocks)))
    c = conjugate(combined_triangle(comm, local), int(n_rows), prior_mean, settings, comm)
    n = len(c.mean)
    if settings.posterior == "bayes":
        whitening, variances, noise = c.whitening, np.zeros(n), c.residual_variance
        objective: tuple[float, ...] = ()
        middle = np.eye(n) * c.residual_variance
        for block in blocks:
            block.residuals = block.targets - block.rows @ c.mean
            transform(block.rows, whitening)
    else:
        noise = settings.noise_fraction * c.residual_variance
        whitening = whiten(blocks, c.whitening, c.mean, comm)
        start = None if previous is None else _along(whitening, c.factor.norms, previous.model_error)
        error = iid_variances(blocks, noise, comm, pseudo_rows=settings.pseudo_rows, start=start)
        variances, objective = error.v, error.objective
        middle = prior_share(whitening, c.factor.norms, c.ridge) * c.residual_variance
        middle = middle + sandwich(blocks, variances, noise, comm)
    posterior = as_posterior(
        c, settings, noise_weights, whitening, variances, noise, middle, c.factor.n_rows, objective
    )
    return posterior, [_errors(block, variances, middle) for block in blocks]


def _along(whitening: Array, norms: Array, covariance: Array) -> Array:
    """(n,) the variances of `covariance` along the columns of `whitening`."""
    root = np.linalg.solve(whitening * norms[:, None], square_root(covariance) * norms[:, None])
    return np.asarray(np.square(root).sum(axis=1))


def _errors(block: Block, variances: Array, middle: Array) -> RowErrors:
    root = square_root(middle)
    parts = [np.linalg.norm(block.rows[k : k + 4096] @ root, axis=1) for k in range(0, len(block.rows), 4096)]
    epistemic = np.concatenate(parts) if parts else np.zeros(0)
    return RowErrors(block.residuals, epistemic, np.sqrt(model_error_variance(block, variances)))


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


def reference_weights(weights: Array, kinds: NDArray[np.int8], comm: Communicator) -> Array:
    """(3,) the median weight of each kind over all ranks; infinite where a kind has no rows, so that its noise is 0."""
    everyone = comm.allgather((weights, kinds))
    w, k = np.concatenate([e[0] for e in everyone]), np.concatenate([e[1] for e in everyone])
    return np.array([np.median(w[k == kind]) if (k == kind).any() else np.inf for kind in range(3)])
