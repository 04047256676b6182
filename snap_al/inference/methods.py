"""Rows → Posterior: the methods by their names, and what is common to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snap_al.inference import remarks
from snap_al.inference.blocks import Block, triangle_of
from snap_al.inference.checks import checked
from snap_al.inference.conjugate import conjugate
from snap_al.inference.model_error import embedded, mcmc
from snap_al.inference.pops import pops
from snap_al.inference.posterior import Posterior
from snap_al.inference.problem import Method, Problem, RowErrors
from snap_al.inference.settings import FitSettings
from snap_al.inference.without_model_error import bayes, mean_field, of_committee
from snap_al.named import made
from snap_al.parallel import SERIAL, Communicator, collectively, combined_triangle, sum_rows

Array = NDArray[np.float64]

POSTERIORS: dict[str, Method] = {
    "embedded": embedded,
    "bayes": bayes,
    "variational": mean_field,
    "mcmc": mcmc,
    "committee": of_committee,
    "pops": pops,
}
"""By the names of `FitSettings.posterior`."""


def method_of(settings: FitSettings) -> Method:
    """The method of the settings: one of ours, or an instance of a class of the user's own. Raises
    InputError for a class that cannot be imported or made.
    """
    if settings.posterior in POSTERIORS:
        return POSTERIORS[settings.posterior]
    return cast(Method, made("fit.posterior", settings.posterior, settings.posterior_options))


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
        method = method_of(settings)
        local = triangle_of(blocks) if triangle is None else triangle
    (n_rows,) = sum_rows(comm, float(sum(int(b.fitted.sum()) for b in blocks)))
    gaussian = conjugate(
        combined_triangle(comm, local), int(n_rows), prior_mean, settings, comm, constants
    )
    fitted = method(Problem(blocks, gaussian, settings, previous, comm))
    errors = fitted.errors(blocks) if with_errors else []
    called = [str(k) for k in range(len(gaussian.mean))] if names is None else names
    said = [*fitted.posterior.remarks, *remarks.of_columns(gaussian.factor, called)]
    said += remarks.of_residuals(blocks, [b.residuals for b in blocks], comm)
    return replace(fitted.posterior, remarks=tuple(said)), errors
