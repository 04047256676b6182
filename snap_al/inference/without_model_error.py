"""Posteriors without model error: Bayes, its mean-field variational form, and a committee."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from snap_al.inference import committee
from snap_al.inference.blocks import enter
from snap_al.inference.conjugate import as_posterior, plain_bayes, variational
from snap_al.inference.noise import Noise
from snap_al.inference.posterior import Posterior
from snap_al.inference.problem import Fitted, Problem
from snap_al.inference.settings import (
    BayesSettings,
    CommitteeSettings,
    FitSettings,
    VariationalSettings,
)
from snap_al.inference.stds import square_root
from snap_al.parallel import collectively


def bayes(problem: Problem[BayesSettings]) -> Fitted:
    """`conjugate.plain_bayes`. Collective."""
    noise = _whitened(problem)
    return _fitted(problem, plain_bayes(problem.gaussian, problem.settings, noise))


def mean_field(problem: Problem[VariationalSettings]) -> Fitted:
    """`conjugate.variational`. Collective."""
    noise = _whitened(problem)
    return _fitted(problem, variational(problem.gaussian, problem.settings, noise))


def of_committee(problem: Problem[CommitteeSettings]) -> Fitted:
    """The spread of a committee's members about least squares. Collective."""
    c, settings, blocks, comm = problem.gaussian, problem.settings, problem.blocks, problem.comm
    with collectively(comm):
        counts = [committee.drawn(block, c.factor.n_free > 0, settings) for block in blocks]
    noise = _whitened(problem)
    shifts = committee.members(blocks, counts, c.prior_information, settings, comm)
    nothing, middle = np.zeros_like(c.whitening), committee.shrunk_covariance(shifts)
    posterior = as_posterior(c, settings, noise.stds(1.0), nothing, middle)
    return _fitted(problem, replace(posterior, draws=c.mean + shifts @ c.whitening.T))


def _whitened(problem: Problem[FitSettings]) -> Noise:
    """Leaves the blocks whitened, with the residuals of least squares."""
    c = problem.gaussian
    enter(problem.blocks, c.whitening, c.mean)
    return Noise.of(problem.blocks, c.residual_variance, problem.comm)


def _fitted(problem: Problem[FitSettings], posterior: Posterior) -> Fitted:
    return Fitted(
        posterior, square_root(posterior.middle), [np.zeros(len(b.rows)) for b in problem.blocks]
    )
