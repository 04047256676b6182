"""Rows → Posterior, by any of the methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snap_al.errors import FitError
from snap_al.inference import committee, remarks, sampled
from snap_al.inference.blocks import (
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
from snap_al.inference.checks import checked
from snap_al.inference.conjugate import Conjugate, as_posterior, conjugate, plain_bayes, variational
from snap_al.inference.constants import ANCHOR
from snap_al.inference.crossvalidate import left_out_factors
from snap_al.inference.estimate import Coordinates, estimate, noise_share
from snap_al.inference.noise import Noise
from snap_al.inference.pops import pops
from snap_al.inference.posterior import Posterior, square_root
from snap_al.inference.selection import fewest, given
from snap_al.inference.settings import FitSettings
from snap_al.parallel import SERIAL, Communicator, collectively, combined_triangle, sum_rows

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RowErrors:
    """Of each row of a fit (m,), in weighted units: ỹ - Ãc and the stds of its parts."""

    residuals: Array
    epistemic_std: Array
    model_error_std: Array


def fit_posterior(
    A: ArrayLike,
    b: ArrayLike,
    w: ArrayLike | None = None,
    *,
    settings: FitSettings | None = None,
    prior_mean: ArrayLike | None = None,
    kinds: ArrayLike | None = None,
    units: ArrayLike | None = None,
    constants: Sequence[int] = (),
    comm: Communicator = SERIAL,
    **options: Any,
) -> Posterior:
    """Fits rows A (m_local, n), targets b (m_local,), weights w (m_local,) > 0 (1 when not given).
    Collective.

    kinds: (m_local,) 0 energy, 1 force, 2 stress: each has a noise of its own, in its own unit; one
    kind when not given. units: (m_local,) integers, what a committee draws together. prior_mean:
    (n,) coefficients that the prior is centered on, zero when not given. constants: columns that
    are elements' constants, which the prior leaves alone: no error bar then depends on the zero of
    energy. options: fields of FitSettings, in place of those of `settings`: posterior="bayes".
    Raises FitError on all ranks for values that are not finite, weights that are not positive, or
    shapes that differ.
    """
    chosen = FitSettings(
        **{**(settings or FitSettings()).model_dump(exclude_unset=True), **options}
    )
    with collectively(comm):
        rows, targets, weights, kind, unit = checked(A, b, w, kinds, units)
    fitted = np.ones(len(rows), dtype=bool)
    block = Block(rows * weights[:, None], targets * weights, fitted, kind, unit, weights=weights)
    return fit_blocks(
        [block], chosen, prior_mean=prior_mean, constants=constants, with_errors=False, comm=comm
    )[0]


def fit_blocks(
    blocks: Sequence[Block],
    settings: FitSettings,
    *,
    prior_mean: ArrayLike | None = None,
    constants: Sequence[int] = (),
    triangle: Array | None = None,
    previous: Posterior | None = None,
    with_errors: bool = True,
    names: Sequence[str] | None = None,
    comm: Communicator = SERIAL,
) -> tuple[Posterior, list[RowErrors]]:
    """Fits this rank's blocks, at least one, and leaves in them what it needed: their rows are
    lost. Collective.

    constants: see `fit_posterior`. triangle: of this rank's fitted rows (`triangle_of`), where it
    is known. previous: a posterior of nearly the same rows, whose model error is where the search
    begins. with_errors: also what each block's rows are found to have; an empty list without.
    names: (n,) of the columns, for remarks; their numbers when not given.
    """
    with collectively(comm):
        local = triangle_of(blocks) if triangle is None else triangle
    (n_rows,) = sum_rows(comm, float(sum(int(b.fitted.sum()) for b in blocks)))
    c = conjugate(
        combined_triangle(comm, local), int(n_rows), prior_mean, settings, comm, constants
    )
    if settings.posterior in ("embedded", "mcmc"):
        found = _embedded(blocks, c, settings, previous, with_errors, comm)
    elif settings.posterior == "pops":
        found = _pops(blocks, c, settings, comm)
    else:
        found = _without_model_error(blocks, c, settings, with_errors, comm)
    called = [str(k) for k in range(len(c.mean))] if names is None else names
    said = [*found[0].remarks, *remarks.of_columns(c.factor, called)]
    said += remarks.of_residuals(blocks, [b.residuals for b in blocks], comm)
    return replace(found[0], remarks=tuple(said)), found[1]


def _without_model_error(
    blocks: Sequence[Block],
    c: Conjugate,
    settings: FitSettings,
    with_errors: bool,
    comm: Communicator,
) -> tuple[Posterior, list[RowErrors]]:
    counts = []
    if settings.posterior == "committee":
        with collectively(comm):
            counts = [committee.drawn(block, c.factor.n_free > 0, settings) for block in blocks]
    enter(blocks, c.whitening, c.mean)
    noise = Noise.of(blocks, c.residual_variance, comm)
    if settings.posterior == "bayes":
        posterior = plain_bayes(c, settings, noise)
    elif settings.posterior == "variational":
        posterior = variational(c, settings, noise)
    else:
        shifts = committee.members(blocks, counts, c.prior_information, settings, comm)
        nothing, middle = np.zeros_like(c.whitening), committee.shrunk_covariance(shifts)
        posterior = as_posterior(c, settings, noise.stds(1.0), nothing, middle)
        posterior = replace(posterior, draws=c.mean + shifts @ c.whitening.T)
    if not with_errors:
        return posterior, []
    return posterior, [
        _errors(b, square_root(posterior.middle), np.zeros(len(b.rows))) for b in blocks
    ]


def _embedded(
    blocks: Sequence[Block],
    c: Conjugate,
    settings: FitSettings,
    previous: Posterior | None,
    with_errors: bool,
    comm: Communicator,
) -> tuple[Posterior, list[RowErrors]]:
    matrix = np.diag(1.0 / c.factor.norms) if settings.embedding == "coefficients" else c.whitening
    enter(blocks, matrix, c.mean)
    of_kinds = Noise.of(blocks, c.residual_variance, comm)
    kept = [b.residuals for b in blocks]
    if settings.mean == "anchored" and settings.posterior == "embedded":
        if settings.balance:
            count_kinds_alike(blocks, comm)
        if settings.embedding != "coefficients":
            correct_for_leverage(blocks)
    if settings.embedding == "whitened" or (
        settings.embedding == "full" and settings.posterior == "mcmc"
    ):
        axes = principal_axes(blocks, comm)
        matrix = matrix @ axes
        for block in blocks:
            transform(block.rows, axes)
    where = Coordinates.of(matrix, c)
    chosen = given(settings.embed, len(c.mean))
    said: list[str] = []
    if settings.embed == "auto":
        chosen, said = fewest(blocks, noise_share(settings), settings.pseudo_rows, comm)
    if settings.multiplicative:
        chosen = _without_constants(chosen, c)
    start = None if previous is None else _inside(matrix, c.factor.norms, previous.model_error)
    draws = np.zeros((0, 0))
    diagnostics: dict[str, float] = {}
    if settings.posterior == "mcmc":
        found, draws, diagnostics = sampled.sample(
            blocks, where, c.residual_variance, settings, chosen, comm
        )
    else:
        found = estimate(blocks, where, c.residual_variance, settings, chosen, start, comm)
    root, share = square_root(found.inner), found.noise_share
    variances = [row_variance(b.rows, root) for b in blocks]
    for block, residuals in zip(blocks, kept, strict=True):
        block.residuals = residuals - block.rows @ found.shift if found.shift.any() else residuals
    norms = c.factor.norms[:, None]
    to_white: Array = np.asarray(np.linalg.solve(norms * c.whitening, norms * matrix), dtype=float)
    if found.epistemic is None:
        back = np.linalg.solve(
            c.factor.norms[:, None] * matrix, c.factor.norms[:, None] * c.whitening
        )
        spread = [v + share * b.noise for b, v in zip(blocks, variances, strict=True)]
        rows_part = back.T @ sandwich(blocks, spread, comm) @ back
        middle = rows_part + c.prior_information * c.residual_variance
        here = back @ middle @ back.T
    else:
        here = found.epistemic
        middle = to_white @ here @ to_white.T
    moved = replace(c, mean=c.mean + matrix @ found.shift)
    inner = to_white @ found.inner @ to_white.T
    posterior = as_posterior(moved, settings, of_kinds.stds(share), inner, middle, found.objective)
    posterior = replace(posterior, remarks=tuple(said))
    if len(draws):
        posterior = replace(posterior, draws=moved.mean + draws @ matrix.T, diagnostics=diagnostics)
    if settings.recalibrate:
        posterior = posterior.recalibrated(left_out_factors(blocks, to_white, posterior, comm))
    if not with_errors:
        return posterior, []
    here_root = square_root(here)
    return posterior, [_errors(b, here_root, v) for b, v in zip(blocks, variances, strict=True)]


def _without_constants(chosen: NDArray[np.int64], c: Conjugate) -> NDArray[np.int64]:
    """A share of a constant would be a share of the zero of energy. Raises FitError on all ranks
    when nothing is left.
    """
    left = np.setdiff1d(chosen, c.factor.order[: c.factor.n_constants])
    if len(chosen) and not len(left):
        raise FitError(
            "multiplicative: embed names constants alone, and these are no model error's"
        ).on_all_ranks()
    return left


def _pops(
    blocks: Sequence[Block], c: Conjugate, settings: FitSettings, comm: Communicator
) -> tuple[Posterior, list[RowErrors]]:
    """POPS has a prior of its own, about zero for all columns, so it gets the rows and targets less
    what the constants' columns, which are orthonormal here, explain of them; each of its
    coefficients then brings its share of the constants."""
    factor = c.factor
    matrix, norms = factor.unit_columns, factor.norms[:, None]
    known, others = factor.order[: factor.n_free], factor.order[factor.n_constants :]
    enter(blocks, matrix, factor.center)
    shares = sum(
        (_shares(b, known, others) for b in blocks), np.zeros((len(known), len(others) + 1))
    )
    (shares,) = sum_rows(comm, shares)
    spread = np.zeros((len(norms), len(others)))
    spread[others], spread[known] = np.eye(len(others)), -shares[:, :-1]
    reduced = []
    for b in blocks:
        left = b.residuals - b.rows[:, known] @ shares[:, -1]
        reduced.append(Block(b.rows @ spread, left, b.fitted, residuals=left))
    found, epistemic, model_error, draws = pops(reduced, settings, comm)
    shift = spread @ found
    shift[known] += shares[:, -1]
    variances = np.zeros(len(norms))
    variances[known] = c.residual_variance
    variances[factor.order[factor.n_free : factor.n_constants]] = c.residual_variance / ANCHOR
    epistemic = spread @ epistemic @ spread.T + np.diag(variances)
    model_error = spread @ model_error @ spread.T
    to_white = np.linalg.solve(norms * c.whitening, norms * matrix)
    moved = replace(c, mean=factor.center + matrix @ shift)
    inner, middle = to_white @ model_error @ to_white.T, to_white @ epistemic @ to_white.T
    posterior = as_posterior(moved, settings, np.zeros(3), inner, middle)
    for b in blocks:
        b.residuals = b.residuals - b.rows @ shift
    about = factor.center + matrix @ (shift - spread @ found)
    posterior = replace(posterior, draws=about + draws @ (matrix @ spread).T)
    roots = square_root(epistemic), square_root(model_error)
    return posterior, [_errors(b, roots[0], row_variance(b.rows, roots[1])) for b in blocks]


def _shares(block: Block, known: NDArray[np.int64], others: NDArray[np.int64]) -> Array:
    """(p, k + 1) products of the constants' columns with the others, and with the residuals, of the
    fitted rows.
    """
    rows = block.rows[block.fitted]
    right = np.column_stack([rows[:, others], block.residuals[block.fitted]])
    return np.asarray(rows[:, known].T @ right)


def _inside(matrix: Array, norms: Array, covariance: Array) -> Array:
    """(n, n) T⁻¹ Σ T⁻ᵀ."""
    root = np.linalg.solve(matrix * norms[:, None], square_root(covariance) * norms[:, None])
    return np.asarray(root @ root.T)


def _errors(block: Block, epistemic_root: Array, model_error_variance: Array) -> RowErrors:
    epistemic = np.sqrt(row_variance(block.rows, epistemic_root))
    return RowErrors(block.residuals, epistemic, np.sqrt(model_error_variance))
