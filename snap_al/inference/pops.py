"""POPS, as PyPI's popsregression has it: the peer that our own methods are measured against.

Swinburne and Perez, Mach. Learn.: Sci. Technol. 6, 015008 (2025). Rows are gathered on rank 0,
which runs it. It has a prior of its own, about zero for all columns, so it gets the rows and
targets less what the constants' columns, which are orthonormal here, explain of them; each of its
coefficients then brings its share of the constants.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snap_al.errors import InputError
from snap_al.inference.blocks import Block, enter, row_variance
from snap_al.inference.conjugate import Conjugate, as_posterior
from snap_al.inference.constants import ANCHOR
from snap_al.inference.dense import gathered
from snap_al.inference.problem import Fitted, Problem
from snap_al.inference.settings import PopsSettings
from snap_al.inference.stds import square_root
from snap_al.parallel import Communicator, on_root, sum_rows

Array = NDArray[np.float64]


def pops(problem: Problem[PopsSettings]) -> Fitted:
    """Collective. Raises InputError without the package."""
    c, settings, blocks = problem.gaussian, problem.settings, problem.blocks
    factor = c.factor
    matrix, norms = factor.unit_columns, factor.norms[:, None]
    enter(blocks, matrix, factor.center)
    spread, about = _constants_shares(problem)
    reduced = []
    for b in blocks:
        left = b.residuals - b.rows @ about
        reduced.append(Block(b.rows @ spread, left, b.fitted, residuals=left))
    found, epistemic, model_error, draws = _run(reduced, settings, problem.comm)
    shift = spread @ found + about
    epistemic = spread @ epistemic @ spread.T + np.diag(_variances_of_constants(c))
    model_error = spread @ model_error @ spread.T
    to_white = np.linalg.solve(norms * c.whitening, norms * matrix)
    posterior = as_posterior(
        replace(c, mean=factor.center + matrix @ shift),
        settings,
        np.zeros(3),
        to_white @ model_error @ to_white.T,
        to_white @ epistemic @ to_white.T,
    )
    for b in blocks:
        b.residuals = b.residuals - b.rows @ shift
    middle = factor.center + matrix @ about
    posterior = replace(posterior, draws=middle + draws @ (matrix @ spread).T)
    root = square_root(model_error)
    return Fitted(posterior, square_root(epistemic), [row_variance(b.rows, root) for b in blocks])


def _constants_shares(problem: Problem[PopsSettings]) -> tuple[Array, Array]:
    """(n, k) what each of the k other columns' coefficients brings to all, and (n,) what the
    targets bring to the constants. Collective.
    """
    factor = problem.gaussian.factor
    known, others = factor.order[: factor.n_free], factor.order[factor.n_constants :]
    shares = np.zeros((len(known), len(others) + 1))
    for block in problem.blocks:
        rows = block.rows[block.fitted]
        right = np.column_stack([rows[:, others], block.residuals[block.fitted]])
        shares += rows[:, known].T @ right
    (shares,) = sum_rows(problem.comm, shares)
    spread, about = np.zeros((len(factor.norms), len(others))), np.zeros(len(factor.norms))
    spread[others], spread[known] = np.eye(len(others)), -shares[:, :-1]
    about[known] = shares[:, -1]
    return spread, about


def _variances_of_constants(c: Conjugate) -> Array:
    """(n,) in unit columns; zero of the others."""
    factor, variances = c.factor, np.zeros(len(c.mean))
    variances[factor.order[: factor.n_free]] = c.residual_variance
    variances[factor.order[factor.n_free : factor.n_constants]] = c.residual_variance / ANCHOR
    return variances


def _run(
    blocks: Sequence[Block], settings: PopsSettings, comm: Communicator
) -> tuple[Array, Array, Array, Array]:
    """mean (n,), epistemic (n, n), misspecification (n, n) and samples (k, n), in the columns of
    the blocks' weighted rows, whose residuals are their targets. Collective. Raises InputError
    without the package."""
    rows, targets, _ = gathered(blocks, comm)
    order = np.lexsort(
        (rows[:, 0], rows[:, -1], targets)
    )  # which samples it draws depends on the rows' order
    rows, targets = rows[order], targets[order]

    def run() -> tuple[Array, Array, Array, Array]:
        try:
            from popsregression import POPSRegression
        except ImportError as error:
            raise InputError(
                "posterior: pops needs a package: pip install 'snap_al[pops]'"
            ) from error
        before: Any = np.random.get_state()
        np.random.seed(settings.seed)
        try:
            fitted = POPSRegression().fit(rows, targets)
        finally:
            np.random.set_state(before)
        mean = np.asarray(fitted.coef_)
        return (
            mean,
            fitted.sigma_,
            fitted.misspecification_sigma_,
            mean + fitted.posterior_samples_.T,
        )

    return on_root(comm, run)
