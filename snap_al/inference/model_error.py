"""Embedded model error: what `embedded` and `mcmc` do before and after their search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from snap_al.errors import FitError
from snap_al.inference import sampled
from snap_al.inference.blocks import (
    Block,
    correct_for_leverage,
    count_kinds_alike,
    enter,
    principal_axes,
    row_variance,
    sandwich,
    transform,
)
from snap_al.inference.conjugate import Conjugate, as_posterior
from snap_al.inference.coordinates import Coordinates, Estimate, noise_share
from snap_al.inference.crossvalidate import left_out_factors
from snap_al.inference.estimate import estimate
from snap_al.inference.noise import Noise
from snap_al.inference.problem import Fitted, Problem
from snap_al.inference.selection import fewest, given
from snap_al.inference.settings import EmbeddedSettings, ModelErrorSettings, SampledSettings
from snap_al.inference.stds import square_root
from snap_al.parallel import Communicator

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Search:
    """Where the model error is sought: the blocks' rows are ÃT."""

    matrix: Array
    """(n, n) transformation T."""
    noise: Noise
    """Noise of each kind of row."""
    residuals: Sequence[Array]
    """(m,) of each block, of least squares; those in the blocks may be corrected for leverage."""
    chosen: NDArray[np.int64]
    """(p,) columns of ÃT that have a model error."""
    remarks: tuple[str, ...]
    """Remarks on the choice of these columns."""


def embedded(problem: Problem[EmbeddedSettings]) -> Fitted:
    """The most probable model error, by `estimate`. Collective."""
    c, settings, blocks, comm = problem.gaussian, problem.settings, problem.blocks, problem.comm
    anchored = settings.mean == "anchored"
    search = _search(
        problem,
        corrected=anchored,
        balanced=anchored and settings.balance,
        turned=settings.embedding == "whitened",
    )
    where, start = Coordinates.of(search.matrix, c), None
    if problem.previous is not None:
        start = _inside(search.matrix, c.factor.norms, problem.previous.model_error)
    found = estimate(blocks, where, c.residual_variance, settings, search.chosen, start, comm)
    return _finished(problem, search, found, recalibrate=settings.recalibrate)


def mcmc(problem: Problem[SampledSettings]) -> Fitted:
    """The moments of coefficients and model error's stds, sampled together. Collective."""
    c, settings, blocks, comm = problem.gaussian, problem.settings, problem.blocks, problem.comm
    search = _search(
        problem, corrected=False, balanced=False, turned=settings.embedding != "coefficients"
    )
    where = Coordinates.of(search.matrix, c)
    found, draws, diagnostics = sampled.sample(
        blocks, where, c.residual_variance, settings, search.chosen, comm
    )
    fitted = _finished(problem, search, found, recalibrate=False)
    if not len(draws):
        return fitted
    mean = c.mean + search.matrix @ found.shift
    posterior = replace(
        fitted.posterior, draws=mean + draws @ search.matrix.T, diagnostics=diagnostics
    )
    return replace(fitted, posterior=posterior)


def _search(
    problem: Problem[ModelErrorSettings], corrected: bool, balanced: bool, turned: bool
) -> Search:
    """Brings the blocks' rows into the coordinates of the search.

    corrected: residuals are corrected for leverage. balanced: kinds of rows count alike. turned:
    to the principal axes.
    """
    c, settings, blocks, comm = problem.gaussian, problem.settings, problem.blocks, problem.comm
    of_coefficients = settings.embedding == "coefficients"
    matrix = np.diag(1.0 / c.factor.norms) if of_coefficients else c.whitening
    enter(blocks, matrix, c.mean)
    noise = Noise.of(blocks, c.residual_variance, comm)
    residuals = [b.residuals for b in blocks]
    if balanced:
        count_kinds_alike(blocks, comm)
    if corrected and not of_coefficients:
        correct_for_leverage(blocks)
    if turned:
        axes = principal_axes(blocks, comm)
        matrix = matrix @ axes
        for block in blocks:
            transform(block.rows, axes)
    chosen, remarks = _chosen(blocks, c, settings, comm)
    return Search(matrix, noise, residuals, chosen, remarks)


def _chosen(
    blocks: Sequence[Block], c: Conjugate, settings: ModelErrorSettings, comm: Communicator
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """(p,) columns that have a model error, and what is to be said of the choice. Raises FitError
    on all ranks where multiplicative model error is left with none.
    """
    said: list[str] = []
    chosen = given(settings.embed, len(c.mean))
    if settings.embed == "auto":
        chosen, said = fewest(blocks, noise_share(settings), settings.pseudo_rows, comm)
    if not settings.multiplicative:
        return chosen, tuple(said)
    # a share of a constant would be a share of the zero of energy
    left = np.setdiff1d(chosen, c.factor.order[: c.factor.n_constants])
    if len(chosen) and not len(left):
        raise FitError(
            "multiplicative: embed names constants alone, and these are no model error's"
        ).on_all_ranks()
    return left, tuple(said)


def _finished(
    problem: Problem[ModelErrorSettings], search: Search, found: Estimate, *, recalibrate: bool
) -> Fitted:
    """The posterior that an estimate stands for; residuals are those of its mean from here on."""
    c, settings, blocks, comm = problem.gaussian, problem.settings, problem.blocks, problem.comm
    root = square_root(found.inner)
    variances = [row_variance(b.rows, root) for b in blocks]
    for block, residuals in zip(blocks, search.residuals, strict=True):
        block.residuals = residuals - block.rows @ found.shift if found.shift.any() else residuals
    norms = c.factor.norms[:, None]
    to_white: Array = np.asarray(
        np.linalg.solve(norms * c.whitening, norms * search.matrix), dtype=float
    )
    epistemic, middle = _epistemic(problem, search, found, variances, to_white)
    posterior = as_posterior(
        replace(c, mean=c.mean + search.matrix @ found.shift),
        settings,
        search.noise.stds(found.noise_share),
        to_white @ found.inner @ to_white.T,
        middle,
        found.objective,
    )
    posterior = replace(posterior, remarks=search.remarks)
    if recalibrate:
        posterior = posterior.recalibrated(left_out_factors(blocks, to_white, posterior, comm))
    return Fitted(posterior, square_root(epistemic), variances)


def _epistemic(
    problem: Problem[ModelErrorSettings],
    search: Search,
    found: Estimate,
    variances: Sequence[Array],
    to_white: Array,
) -> tuple[Array, Array]:
    """(n, n) epistemic covariance in the coordinates of the search, and whitened: the sandwich's,
    of rows whose variance is model error and noise, unless the search found another. Collective.

    to_white: (n, n) from the coordinates of the search. variances: (m,) model error of the rows.
    """
    if found.epistemic is not None:
        return found.epistemic, to_white @ found.epistemic @ to_white.T
    c, blocks, norms = problem.gaussian, problem.blocks, problem.gaussian.factor.norms[:, None]
    back = np.linalg.solve(norms * search.matrix, norms * c.whitening)
    spread = [v + found.noise_share * b.noise for b, v in zip(blocks, variances, strict=True)]
    rows_part = back.T @ sandwich(blocks, spread, problem.comm) @ back
    middle = rows_part + c.prior_information * c.residual_variance
    return back @ middle @ back.T, middle


def _inside(matrix: Array, norms: Array, previous: Array) -> Array:
    """(n, n) T⁻¹ Σ T⁻ᵀ."""
    root = np.linalg.solve(matrix * norms[:, None], square_root(previous) * norms[:, None])
    return np.asarray(root @ root.T)
