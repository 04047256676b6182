"""The full Gaussian likelihood of embedded model error, all rows' covariance at once. An oracle:
O(m³).

    -log L = ½ [ rᵀ S⁻¹ r + log det S ],   S = Q diag((g d)²) Qᵀ + diag(w² σ²)

One δ for all rows; degenerate as σ → 0. Rows are gathered from all ranks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snap_al.errors import FitError
from snap_al.inference.blocks import Block
from snap_al.inference.objective import Objective
from snap_al.parallel import Communicator

Array = NDArray[np.float64]
MOST_ROWS = 4000


@dataclass(frozen=True)
class FullObjective(Objective):
    """As Objective, whose row-wise likelihood it does not use. Raises FitError for more than 4000
    rows.
    """

    def __post_init__(self) -> None:
        n = sum(self.comm.allgather(int(sum(np.count_nonzero(b.counts) for b in self.blocks))))
        if n > MOST_ROWS:
            raise FitError(
                f"the full likelihood of {n} rows needs a matrix of {n} by {n}; it takes "
                f"{MOST_ROWS} at most: use iid"
            )

    def __call__(self, parameters: NDArray[Any]) -> tuple[Any, NDArray[Any]]:
        x, share, theta = self.parts(parameters)
        q, residuals, noise = gathered(self.blocks, self.comm)
        g, d2 = self.scale(theta), np.exp(2.0 * x)
        chosen = q[:, self.chosen]
        r = residuals - q @ theta
        s = (chosen * (g**2 * d2)) @ chosen.T + np.diag(share * noise)
        inverse = np.linalg.inv(s)
        u = inverse @ r
        sign, logabs = np.linalg.slogdet(s)
        logdet = logabs + np.log(sign)  # the sign has a phase under a complex step
        below, slope = self.prior(x)
        cost = 0.5 * (r @ u + logdet) + below
        by_variance = 0.5 * (
            np.einsum("ik,ij,jk->k", chosen, inverse, chosen) - (chosen.T @ u) ** 2
        )
        gradient = [2.0 * by_variance * g**2 * d2 + slope]
        if self.infer_noise:
            gradient.append(np.atleast_1d(0.5 * share * (noise @ np.diag(inverse) - noise @ u**2)))
        if self.joint:
            strain = self.precision @ (self.pull + theta)
            cost = cost + 0.5 * (self.pull + theta) @ strain
            by_theta = strain - q.T @ u
            if self.relative is not None:
                by_theta[self.chosen] += 2.0 * by_variance * g * d2
            gradient.append(self.mixing.T @ by_theta)
        return cost, np.concatenate(gradient)


def gathered(blocks: Sequence[Block], comm: Communicator) -> tuple[Array, Array, Array]:
    """All ranks' counted rows (m, n), residuals and noise (m,). Collective."""
    kept = [tuple(x[b.counts > 0] for x in (b.rows, b.residuals, b.noise)) for b in blocks]
    everyone = comm.allgather([np.concatenate(part) for part in zip(*kept, strict=True)])
    rows, residuals, noise = (np.concatenate(part) for part in zip(*everyone, strict=True))
    return rows, residuals, noise
