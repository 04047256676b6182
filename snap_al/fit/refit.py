"""A posterior brought up to date by a few new rows, at the cost of those rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snap_al.fit.blocks import Block, row_variance, sandwich, transform
from snap_al.fit.conjugate import as_posterior, conjugate, plain_bayes, prior_share
from snap_al.fit.estimate import fixed_noise
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
    Xᵀ(·)X, its σ² replaced by the new one.
    """
    c = conjugate(triangle, n_rows, prior_mean, settings, comm)
    norms, eye = c.factor.norms, np.eye(len(c.mean))
    if settings.posterior == "bayes":
        return plain_bayes(c, settings, noise_weights)
    noise = fixed_noise(settings, c.residual_variance)
    carried = np.asarray(
        np.linalg.solve(c.whitening * norms[:, None], square_root(previous.model_error) * norms[:, None])
    )
    x = np.linalg.solve(previous.whitening * norms[:, None], c.whitening * norms[:, None])
    old_prior = prior_share(previous.whitening, previous.norms, previous.ridge)
    old_variance = previous.noise**2 * c.residual_variance / noise
    old = previous.middle - old_prior * old_variance + (noise - previous.noise**2) * (eye - old_prior)
    for block in added:
        transform(block.rows, c.whitening)
    middle = x.T @ old @ x + prior_share(c.whitening, norms, c.ridge) * c.residual_variance
    variances = [row_variance(block.rows, carried) + noise for block in added]
    middle = middle + sandwich(added, variances, comm)
    updated = as_posterior(
        c, settings, noise_weights, c.whitening, carried @ carried.T, noise, middle, previous.embedded_rows, ()
    )
    return replace(updated, recalibration=previous.recalibration, remarks=previous.remarks)


def can_refit(settings: FitSettings) -> bool:
    """Whether a few new rows can be added to a fit without the others: where the mean is least squares and σ² follows
    from its residuals."""
    if settings.posterior == "bayes":
        return True
    return settings.posterior == "embedded" and settings.mean == "anchored" and settings.noise != "inferred"
