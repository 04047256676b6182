"""Rows → Posterior: what is common to all methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snap_al.inference import remarks
from snap_al.inference.blocks import Block, triangle_of
from snap_al.inference.checks import checked
from snap_al.inference.conjugate import Coefficients, conjugate
from snap_al.inference.methods import method_of
from snap_al.inference.posterior import Posterior
from snap_al.inference.problem import Problem, RowErrors
from snap_al.inference.settings import FitSettings
from snap_al.inference.settings_union import fit_settings
from snap_al.parallel import SERIAL, Communicator, collectively, combined_triangle, sum_rows

Array = NDArray[np.float64]


def fit_posterior(
    A: ArrayLike,
    b: ArrayLike,
    w: ArrayLike | None = None,
    *,
    kinds: ArrayLike | None = None,
    units: ArrayLike | None = None,
    prior_mean: ArrayLike | None = None,
    constants: Sequence[int] = (),
    comm: Communicator = SERIAL,
    **options: Any,
) -> Posterior:
    """Fit a linear model with embedded model error.

    It is collective over `comm`; each rank brings its own rows.

    Parameters
    ----------
    A : (m, n) array_like
        Design matrix. Rows of energies are per atom (eV/atom), of forces in eV/Å, of stresses in
        bar, each divided by the unit of the coefficients.
    b : (m,) array_like
        Targets, in the units of the rows.
    w : (m,) array_like, optional
        Weights of the rows, above zero; 1 when not given.
    kinds : (m,) array_like of int, optional
        0 energy, 1 force, 2 stress: each has a noise of its own, in its own unit. All rows are of
        one kind when not given.
    units : (m,) array_like of int, optional
        Numbers of the configurations that rows belong to: what a committee draws together.
    prior_mean : (n,) array_like, optional
        Coefficients that the prior is centered on; zero when not given.
    constants : sequence of int, optional
        Columns that are elements' constants, which the prior leaves alone. No error bar then
        depends on the zero of energy.
    comm : Communicator, optional
        The ranks that hold the rows; one rank when not given.
    **options
        Those of `fit_settings`, such as ``posterior="bayes"``.

    Returns
    -------
    Posterior
        The same on all ranks.

    Raises
    ------
    FitError
        On all ranks, for values that are not finite, weights that are not positive, shapes that
        differ, or a problem that the method cannot solve.
    InputError
        If a method needs a package that is not installed, or a class that cannot be imported.

    Notes
    -----
    By default the mean is that of regularised least squares, and a covariance of the coefficients
    is found with which the model's spread explains the residuals. The equations are in
    docs/mathematics.md.

    References
    ----------
    Sargsyan, Huan, Najm, Int. J. Uncertain. Quantif. 9, 365 (2019).

    Examples
    --------
    >>> posterior = sa.fit_posterior(A, b, w, kinds=kinds)
    >>> posterior.predict(A_new, kinds=kinds_new).total_std
    """
    chosen = fit_settings(**options)
    with collectively(comm):
        rows, targets, weights, kind, unit = checked(A, b, w, kinds, units)
    fitted = np.ones(len(rows), dtype=bool)
    block = Block(rows * weights[:, None], targets * weights, fitted, kind, unit, weights=weights)
    known = Coefficients(prior_mean, constants)
    return fit_blocks([block], chosen, known=known, with_errors=False, comm=comm)[0]


def fit_blocks(
    blocks: Sequence[Block],
    settings: FitSettings,
    *,
    known: Coefficients | None = None,
    triangle: Array | None = None,
    previous: Posterior | None = None,
    with_errors: bool = True,
    comm: Communicator = SERIAL,
) -> tuple[Posterior, list[RowErrors]]:
    """Fits this rank's blocks, at least one, and leaves in them what it needed: their rows are
    lost. Collective.

    triangle: of this rank's fitted rows (`triangle_of`), where it is known. previous: a posterior
    of nearly the same rows, whose model error is where the search begins. with_errors: also what
    each block's rows are found to have; an empty list without.
    """
    known = known or Coefficients()
    with collectively(comm):
        method = method_of(settings)
        local = triangle_of(blocks) if triangle is None else triangle
    (n_rows,) = sum_rows(comm, float(sum(int(b.fitted.sum()) for b in blocks)))
    gaussian = conjugate(combined_triangle(comm, local), int(n_rows), known, settings, comm)
    fitted = method(Problem(blocks, gaussian, settings, previous, comm))
    errors = fitted.errors(blocks) if with_errors else []
    names = known.names or [str(k) for k in range(len(gaussian.mean))]
    said = [*fitted.posterior.remarks, *remarks.of_columns(gaussian.factor, names)]
    said += remarks.of_residuals(blocks, [b.residuals for b in blocks], comm)
    return replace(fitted.posterior, remarks=tuple(said)), errors
