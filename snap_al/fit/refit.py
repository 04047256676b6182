"""A posterior brought up to date by a few new rows, at the cost of those rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snap_al.fit.blocks import Block, sandwich, transform
from snap_al.fit.conjugate import as_posterior, conjugate, prior_share
from snap_al.fit.posterior import Posterior, square_root
from snap_al.fit.settings import FitSettings
from snap_al.parallel import SERIAL, Communicator

Array = NDArray[np.float64]


def refit(
    previous: Posterior, triangle: Array, n_rows: int, added: list[Block], noise_weights: Array, settings: FitSettings,
    *, prior_mean: ArrayLike | None = None, comm: Communicator = SERIAL,
) -> Posterior:  # fmt: skip
    """What `fit_blocks` gives for the rows of `previous` and `added` together with the model error Σ_δ left as it is.

    Costs what `added` (this rank's, at least one block) costs, not what was fitted before. triangle: all ranks' rows,
    the added ones among them; n_rows: how many. Collective.

    With X = T⁻¹T' from the old whitening to the new, the sandwich's middle Σ s² (ãT)ᵀ(ãT) of the old rows follows as
    Xᵀ(·)X, its σ² replaced by the new one; rotating T' to the eigenvectors of T'⁻¹Σ_δT'⁻ᵀ keeps Σ_δ diagonal.
    """
    c = conjugate(triangle, n_rows, prior_mean, settings, comm)
    norms, eye = c.factor.norms, np.eye(len(c.mean))
    if settings.posterior == "bayes":
        return as_posterior(
            c, settings, noise_weights, c.whitening, previous.variances, c.residual_variance,
            eye * c.residual_variance, n_rows, (),
        )  # fmt: skip
    noise = settings.noise_fraction * c.residual_variance
    carried = np.linalg.solve(c.whitening * norms[:, None], square_root(previous.model_error) * norms[:, None])
    variances, axes = comm.bcast(np.linalg.eigh(carried @ carried.T))
    variances = np.maximum(variances, np.finfo(float).tiny)
    whitening = c.whitening @ axes
    x = np.linalg.solve(previous.whitening * norms[:, None], whitening * norms[:, None])
    old_prior = prior_share(previous.whitening, previous.norms, previous.ridge)
    old_variance = previous.noise**2 / settings.noise_fraction
    old = previous.middle - old_prior * old_variance + (noise - previous.noise**2) * (eye - old_prior)
    for block in added:
        transform(block.rows, whitening)
    middle = x.T @ old @ x + prior_share(whitening, norms, c.ridge) * c.residual_variance
    middle = middle + sandwich(added, variances, noise, comm)
    return as_posterior(c, settings, noise_weights, whitening, variances, noise, middle, previous.embedded_rows, ())
