"""A posterior brought up to date by a few new rows, at the cost of those rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from snap_al.inference.blocks import Block, row_variance, sandwich, transform
from snap_al.inference.conjugate import Coefficients, as_posterior, conjugate, plain_bayes
from snap_al.inference.noise import Noise
from snap_al.inference.posterior import Posterior
from snap_al.inference.settings import USUAL_GROWTH, BayesSettings, EmbeddedSettings, FitSettings
from snap_al.inference.stds import square_root
from snap_al.parallel import SERIAL, Communicator

Array = NDArray[np.float64]


def refit(
    previous: Posterior,
    triangle: Array,
    n_rows: int,
    added: list[Block],
    settings: FitSettings,
    *,
    known: Coefficients | None = None,
    comm: Communicator = SERIAL,
) -> Posterior:
    """What `fit_blocks` gives for the rows of `previous` and `added` together with model error Σ_δ
    and noise left as they are; of bayes, whose σ² is the scale of the posterior, the kinds' noise
    follows it.

    Costs what `added` (this rank's, at least one block) costs, not what was fitted before.
    triangle: all ranks' rows, the added ones among them; n_rows: how many. Collective.

    With X = T⁻¹T' from the old whitening to the new, the sandwich's middle Σ s² (ãT)ᵀ(ãT) of the
    old rows follows as Xᵀ(·)X.
    """
    c = conjugate(triangle, n_rows, known or Coefficients(), settings, comm)
    norms = c.factor.norms
    if isinstance(settings, BayesSettings):
        noise = Noise(previous.noise_by_kind**2 * c.residual_variance / previous.residual_variance)
        return replace(plain_bayes(c, settings, noise), embedded_rows=previous.embedded_rows)
    carried = np.asarray(
        np.linalg.solve(
            c.whitening * norms[:, None], square_root(previous.model_error) * norms[:, None]
        )
    )
    x = np.linalg.solve(previous.whitening * norms[:, None], c.whitening * norms[:, None])
    old = previous.middle - previous.prior_information * previous.residual_variance
    for block in added:
        transform(block.rows, c.whitening)
    variances = [
        row_variance(block.rows, carried) + previous.noise_variance(block.weights, block.kinds)
        for block in added
    ]
    middle = x.T @ old @ x + c.prior_information * c.residual_variance
    middle = middle + sandwich(added, variances, comm)
    updated = as_posterior(c, settings, previous.noise_by_kind, carried @ carried.T, middle)
    return replace(
        updated,
        embedded_rows=previous.embedded_rows,
        recalibration=previous.recalibration,
        remarks=previous.remarks,
    )


def can_refit(settings: FitSettings) -> bool:
    """Whether a few new rows can be added to a fit without the others: where the mean is least
    squares, and noise is a share of its residuals."""
    if isinstance(settings, BayesSettings):
        return True
    return (
        isinstance(settings, EmbeddedSettings)
        and settings.mean == "anchored"
        and settings.noise != "inferred"
    )


def growth_before_fit(settings: FitSettings) -> float:
    """Share by which the rows may grow by refits before a fit is done anew."""
    return settings.embed_again if isinstance(settings, EmbeddedSettings) else USUAL_GROWTH
