"""Rows → Posterior, by any of the methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snap_al.fit import committee, remarks, sampled
from snap_al.fit.blocks import (
    Block,
    correct_for_leverage,
    count_kinds_alike,
    enter,
    principal_axes,
    row_variance,
    sandwich,
    transform,
    triangle_of,
)
from snap_al.fit.checks import checked
from snap_al.fit.conjugate import Conjugate, as_posterior, conjugate, plain_bayes, prior_share, variational
from snap_al.fit.crossvalidate import left_out_factors
from snap_al.fit.estimate import Coordinates, estimate, fixed_noise
from snap_al.fit.pops import pops
from snap_al.fit.posterior import Posterior, square_root
from snap_al.fit.selection import fewest, given
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
    units: ArrayLike | None = None, comm: Communicator = SERIAL, **options: Any,
) -> Posterior:  # fmt: skip
    """Fits rows A (m_local, n), targets b (m_local,), weights w (m_local,) > 0 (1 when not given). Collective.

    kinds: (m_local,) 0 energy, 1 force, 2 stress; the noise is reported for a typical weight of each kind. units:
    (m_local,) integers, what a committee draws together. prior_mean: (n,) coefficients that the prior is centered on, zero
    when not given. options: fields of FitSettings, in place of those of `settings`: posterior="bayes".
    Raises FitError on all ranks for values that are not finite, weights that are not positive, or shapes that differ.
    """
    chosen = FitSettings(**{**(settings or FitSettings()).model_dump(exclude_unset=True), **options})
    with collectively(comm):
        rows, targets, weights, kind, unit = checked(A, b, w, kinds, units)
    block = Block(rows * weights[:, None], targets * weights, np.ones(len(rows), dtype=bool), kind, unit)
    references = reference_weights(weights, kind, comm)
    return fit_blocks([block], references, chosen, prior_mean=prior_mean, with_errors=False, comm=comm)[0]


def fit_blocks(
    blocks: Sequence[Block], noise_weights: Array, settings: FitSettings, *,
    prior_mean: ArrayLike | None = None, triangle: Array | None = None, previous: Posterior | None = None,
    with_errors: bool = True, names: Sequence[str] | None = None, comm: Communicator = SERIAL,
) -> tuple[Posterior, list[RowErrors]]:  # fmt: skip
    """Fits this rank's blocks, at least one, and leaves in them what it needed: their rows are lost. Collective.

    noise_weights: (3,) of `reference_weights`. triangle: of this rank's fitted rows (`triangle_of`), where it is known.
    previous: a posterior of nearly the same rows, whose model error is where the search begins. with_errors: also what each
    block's rows are found to have; an empty list without. names: (n,) of the columns, for remarks; their numbers when not given.
    """
    with collectively(comm):
        local = triangle_of(blocks) if triangle is None else triangle
    (n_rows,) = sum_rows(comm, float(sum(int(b.fitted.sum()) for b in blocks)))
    c = conjugate(combined_triangle(comm, local), int(n_rows), prior_mean, settings, comm)
    if settings.posterior in ("embedded", "mcmc"):
        found = _embedded(blocks, c, noise_weights, settings, previous, with_errors, comm)
    elif settings.posterior == "pops":
        found = _pops(blocks, c, noise_weights, settings, comm)
    else:
        found = _without_model_error(blocks, c, noise_weights, settings, with_errors, comm)
    called = [str(k) for k in range(len(c.mean))] if names is None else names
    said = remarks.of_columns(c.factor, c.factor.empty, called)
    said += remarks.of_residuals(blocks, [b.residuals for b in blocks], comm)
    return replace(found[0], remarks=tuple(said)), found[1]


def _without_model_error(
    blocks: Sequence[Block], c: Conjugate, noise_weights: Array, settings: FitSettings, with_errors: bool,
    comm: Communicator,
) -> tuple[Posterior, list[RowErrors]]:  # fmt: skip
    enter(blocks, c.whitening, c.mean)
    if settings.posterior == "bayes":
        posterior = plain_bayes(c, settings, noise_weights)
    elif settings.posterior == "variational":
        posterior = variational(c, settings, noise_weights)
    else:
        shifts = committee.members(blocks, prior_share(c.whitening, c.factor.norms, c.ridge), settings, comm)
        posterior = as_posterior(
            c, settings, noise_weights, c.whitening, np.zeros_like(c.whitening), c.residual_variance,
            committee.shrunk_covariance(shifts), c.factor.n_rows, (),
        )  # fmt: skip
        posterior = replace(posterior, draws=c.mean + shifts @ c.whitening.T)
    if not with_errors:
        return posterior, []
    return posterior, [_errors(b, square_root(posterior.middle), np.zeros(len(b.rows))) for b in blocks]


def _embedded(
    blocks: Sequence[Block], c: Conjugate, noise_weights: Array, settings: FitSettings, previous: Posterior | None,
    with_errors: bool, comm: Communicator,
) -> tuple[Posterior, list[RowErrors]]:  # fmt: skip
    matrix = np.diag(1.0 / c.factor.norms) if settings.embedding == "coefficients" else c.whitening
    enter(blocks, matrix, c.mean)
    kept = [b.residuals for b in blocks]
    if settings.mean == "anchored" and settings.posterior == "embedded":
        if settings.balance:
            count_kinds_alike(blocks, comm)
        if settings.embedding != "coefficients":
            correct_for_leverage(blocks)
    if settings.embedding == "whitened" or (settings.embedding == "full" and settings.posterior == "mcmc"):
        axes = principal_axes(blocks, comm)
        matrix = matrix @ axes
        for block in blocks:
            transform(block.rows, axes)
    where = Coordinates.of(matrix, c)
    chosen = given(settings.embed, len(c.mean))
    if settings.embed == "auto":
        noise = fixed_noise(settings, c.residual_variance)
        chosen = fewest(blocks, noise, settings.pseudo_rows, comm)
    start = None if previous is None else _inside(matrix, c.factor.norms, previous.model_error)
    draws = np.zeros((0, 0))
    diagnostics: dict[str, float] = {}
    if settings.posterior == "mcmc":
        found, draws, diagnostics = sampled.sample(blocks, where, c.residual_variance, settings, chosen, comm)
    else:
        found = estimate(blocks, where, c.residual_variance, settings, chosen, start, comm)
    root, noise = square_root(found.inner), found.noise_variance
    variances = [row_variance(b.rows, root) for b in blocks]
    for block, residuals in zip(blocks, kept, strict=True):
        block.residuals = residuals - block.rows @ found.shift if found.shift.any() else residuals
    norms = c.factor.norms[:, None]
    to_white: Array = np.asarray(np.linalg.solve(norms * c.whitening, norms * matrix), dtype=float)
    if found.epistemic is None:
        back = np.linalg.solve(c.factor.norms[:, None] * matrix, c.factor.norms[:, None] * c.whitening)
        rows_part = back.T @ sandwich(blocks, [v + noise for v in variances], comm) @ back
        middle = rows_part + prior_share(c.whitening, c.factor.norms, c.ridge) * c.residual_variance
        here = back @ middle @ back.T
    else:
        here = found.epistemic
        middle = to_white @ here @ to_white.T
    moved = replace(c, mean=c.mean + matrix @ found.shift)
    posterior = as_posterior(
        moved, settings, noise_weights, c.whitening, to_white @ found.inner @ to_white.T, noise, middle,
        c.factor.n_rows, found.objective,
    )  # fmt: skip
    if len(draws):
        posterior = replace(posterior, draws=moved.mean + draws @ matrix.T, diagnostics=diagnostics)
    if settings.recalibrate:
        posterior = posterior.recalibrated(left_out_factors(blocks, to_white, posterior, comm))
    if not with_errors:
        return posterior, []
    here_root = square_root(here)
    return posterior, [_errors(b, here_root, v) for b, v in zip(blocks, variances, strict=True)]


def _pops(
    blocks: Sequence[Block], c: Conjugate, noise_weights: Array, settings: FitSettings, comm: Communicator
) -> tuple[Posterior, list[RowErrors]]:
    scale = 1.0 / c.factor.norms
    enter(blocks, np.diag(scale), c.factor.center)  # the prior is centered on zero from there
    mean, epistemic, model_error, draws = pops(blocks, settings, comm)
    to_white = np.linalg.inv(c.factor.norms[:, None] * c.whitening)
    moved = replace(c, mean=c.factor.center + scale * mean)
    posterior = as_posterior(
        moved, settings, noise_weights, c.whitening, to_white @ model_error @ to_white.T, 0.0,
        to_white @ epistemic @ to_white.T, c.factor.n_rows, (),
    )  # fmt: skip
    for block in blocks:
        block.residuals = block.residuals - block.rows @ mean
    posterior = replace(posterior, draws=c.factor.center + draws * scale)
    return posterior, [
        _errors(b, square_root(epistemic), row_variance(b.rows, square_root(model_error))) for b in blocks
    ]


def _inside(matrix: Array, norms: Array, covariance: Array) -> Array:
    """(n, n) T⁻¹ Σ T⁻ᵀ."""
    root = np.linalg.solve(matrix * norms[:, None], square_root(covariance) * norms[:, None])
    return np.asarray(root @ root.T)


def _errors(block: Block, epistemic_root: Array, model_error_variance: Array) -> RowErrors:
    epistemic = np.sqrt(row_variance(block.rows, epistemic_root))
    return RowErrors(block.residuals, epistemic, np.sqrt(model_error_variance))


def reference_weights(weights: Array, kinds: NDArray[np.int8], comm: Communicator) -> Array:
    """(3,) a typical weight of each kind over all ranks: rows above it and below it have the same sum of squares, so that
    rows that hardly count do not set it. Infinite where a kind has no rows, so that its noise is 0."""
    everyone = comm.allgather((weights, kinds))
    w, k = np.concatenate([e[0] for e in everyone]), np.concatenate([e[1] for e in everyone])
    return np.array([_middle(np.sort(w[k == kind])) for kind in range(3)])


def _middle(sorted_weights: Array) -> float:
    if not len(sorted_weights):
        return float("inf")
    shares = np.cumsum(np.square(sorted_weights / sorted_weights[-1]))
    return float(sorted_weights[np.searchsorted(shares, 0.5 * shares[-1])])
