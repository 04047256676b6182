"""-log posterior of embedded model error and, where the mean is joint, of the coefficients, with
its exact gradient; its minimum; and the curvature there. Every combination of likelihood, prior,
noise and embedding goes through here; the common ones have faster ways (`embedded`, `covariance`)
to the same minimum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snap_al.errors import FitError
from snap_al.inference.blocks import Block, parts_of
from snap_al.inference.likelihood import Prior, Rowwise
from snap_al.parallel import Communicator, collectively, served, sum_rows

Array = NDArray[np.float64]
CHUNK = 2048
MOST_REVIVALS = 6
WIDEST = 1e-6
"""A std d is searched for between this times its prior's scale and one over it."""


@dataclass(frozen=True)
class Objective:
    """-log posterior as a function of parameters.

    These are x = log d (p,), log τ if noise is inferred, and φ (n,) if the mean is joint:
    c = c̄ + Tθ, θ = Mφ.
    """

    blocks: Sequence[Block]
    """Rows q = ÃT with residuals at c̄."""
    rowwise: Rowwise
    """Likelihood of single rows."""
    prior: Prior
    """Prior of the stds d."""
    chosen: NDArray[np.int64]
    """(p,) columns with a model error."""
    relative: Array | None
    """(n,) the coefficients c̄ in the rows' coordinates if model error is a share of them, else
    None; T is diagonal then."""
    precision: Array
    """(n, n) of the prior of θ."""
    pull: Array
    """(n,) distance of the mean from the prior's center, T⁻¹(c̄ - c₀)."""
    mixing: Array
    """M (n, n), such that all φ are alike to a search."""
    noise_share: float
    """τ, σ² next to the blocks' noise, or where its search begins."""
    infer_noise: bool
    """Whether τ is one of the parameters."""
    joint: bool
    """Whether the mean is one of the parameters."""
    comm: Communicator
    """The ranks that hold the rows."""

    @property
    def n_parameters(self) -> int:
        return len(self.chosen) + int(self.infer_noise) + (len(self.pull) if self.joint else 0)

    def parts(self, parameters: NDArray[Any]) -> tuple[NDArray[Any], Any, NDArray[Any]]:
        """x (p,), τ, θ (n,; zeros when the mean is anchored)."""
        p = len(self.chosen)
        share = np.exp(parameters[p]) if self.infer_noise else self.noise_share
        theta = np.zeros(len(self.pull))
        if self.joint:
            theta = self.mixing @ parameters[p + int(self.infer_noise) :]
        return parameters[:p], share, theta

    def scale(self, theta: NDArray[Any]) -> NDArray[Any]:
        """g (p,): 1, or the coefficients."""
        if self.relative is None:
            return np.ones(len(self.chosen))
        return np.asarray((self.relative + theta)[self.chosen])

    def __call__(self, parameters: NDArray[Any]) -> tuple[Any, NDArray[Any]]:
        """-log posterior and its gradient. Collective."""
        x, share, theta = self.parts(parameters)
        g, d2 = self.scale(theta), np.exp(2.0 * x)
        cost: Any = 0.0
        everywhere = len(self.chosen) == len(self.pull)
        by_variance, by_share, by_theta = np.zeros_like(d2), 0.0 * share, np.zeros_like(theta)
        with collectively(self.comm):
            for q, residuals, noise, counts in parts_of(self.blocks, CHUNK):
                squared = np.square(q if everywhere else q[:, self.chosen])
                r = residuals - q @ theta if self.joint else residuals
                value, by_r, by_s2 = self.rowwise(r, squared @ (g**2 * d2) + share * noise)
                cost = cost + counts @ value
                by_variance = by_variance + (counts * by_s2) @ squared
                by_share = by_share + counts @ (noise * by_s2)
                if self.joint:
                    by_theta = by_theta - (counts * by_r) @ q
        cost, by_variance, by_share, by_theta = sum_rows(
            self.comm, cost, by_variance, by_share, by_theta
        )
        below, slope = self.prior(x)
        gradient = [2.0 * by_variance * g**2 * d2 + slope]
        if self.infer_noise:
            gradient.append(np.atleast_1d(by_share * share))
        if self.joint:
            strain = self.precision @ (self.pull + theta)
            cost = cost + 0.5 * (self.pull + theta) @ strain
            if self.relative is not None:
                by_theta[self.chosen] += 2.0 * by_variance * g * d2
            gradient.append(self.mixing.T @ (by_theta + strain))
        return cost + below, np.concatenate(gradient)

    def minimum(self, x: Array, scale: float) -> tuple[Array, tuple[float, ...]]:
        """The parameters (k,) at the minimum that L-BFGS-B finds from these x, and the objective on
        the way. Collective.

        Raises FitError when the search does not end.
        """

        def work(f: Any) -> tuple[Array, tuple[float, ...]]:
            from scipy.optimize import minimize  # late: it is slow to import

            start = np.zeros(self.n_parameters)
            start[: len(x)] = x
            if self.infer_noise:
                start[len(x)] = np.log(self.noise_share)
            span = -np.log(WIDEST)
            bounds = [(np.log(scale) - span, np.log(scale) + span)] * len(x)
            bounds += [(2.0 * np.log(WIDEST), span)] * int(self.infer_noise)
            bounds += [(None, None)] * (self.n_parameters - len(bounds))
            history: list[float] = []
            for _ in range(MOST_REVIVALS):
                best = minimize(
                    f,
                    start,
                    jac=True,
                    method="L-BFGS-B",
                    bounds=bounds,
                    callback=lambda intermediate_result: history.append(
                        float(intermediate_result.fun)
                    ),
                    options={
                        "maxiter": 3000,
                        "maxfun": 6000,
                        "maxcor": 30,
                        "ftol": 1e-11,
                        "gtol": 1e-7 * max(1.0, len(x)),
                    },
                )
                lost_in_rounding = "ABNORMAL" in str(best.message) and best.nit > 0
                if not best.success and not lost_in_rounding:
                    raise FitError(f"the model error's search did not end: {best.message}")
                start, revived = self._revived(f, best.x, scale)
                if not revived:
                    break
            return np.asarray(best.x), tuple(history)

        return served(self.comm, self, work)

    def _revived(self, f: Any, parameters: Array, scale: float) -> tuple[Array, bool]:
        """x of a d that is next to zero has no slope left to find its way back by, though the
        variance d² may have one: those that would lower the objective are set to where they count.
        Only without a prior that holds them there."""
        p = len(self.chosen)
        small = parameters[:p] < np.log(scale) - 5.0
        slope = f(parameters)[1][:p] / (2.0 * np.exp(2.0 * parameters[:p]))
        rising = small & (slope * scale**2 < -1e-3)
        revived = np.where(rising, np.log(scale) - 3.0, parameters[:p])
        return np.concatenate([revived, parameters[p:]]), bool(rising.any())

    def curvature(self, parameters: Array) -> Array:
        """(k, k) second derivatives, by complex steps of the gradient: exact to rounding.
        Collective.
        """
        step = 1e-30
        columns = [
            np.imag(self(parameters + 1j * step * e)[1]) / step for e in np.eye(len(parameters))
        ]
        matrix = np.array(columns)
        return np.asarray(0.5 * (matrix + matrix.T))
