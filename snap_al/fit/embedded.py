"""Embedded model error: the variances v of coefficients' perturbations along whitened directions.

    y_i ≈ a_i·(c + δ_i) + σ ε_i / w_i,   δ ~ N(0, T diag(v) Tᵀ),   s_i² = Σ_k (ÃT)²_ik v_k + σ²

Sargsyan, Huan, Najm, Int. J. Uncert. Quantif. 9, 365 (2019), with the independent-rows (IID) likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snap_al.parallel import Communicator, sum_rows

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ModelError:
    """v: (n,) variances along the whitened directions. objective: -log posterior of v at each iteration."""

    v: Array
    objective: tuple[float, ...]


def residual_axes(whitened: Array, residuals: Array, comm: Communicator) -> Array:
    """W (n, n), orthogonal: the axes along which a diagonal model error is placed. Collective.

    whitened: (m_local, n) = ÃT, residuals: (m_local,). ÃT stays orthonormal under any rotation of T; W, the eigenvectors
    of Σ r² (ÃT)ᵀ(ÃT), is the one in which rows of large residual differ most from rows of small residual.
    """
    (moment,) = sum_rows(comm, (whitened * (residuals**2)[:, None]).T @ whitened)
    return comm.bcast(np.asarray(np.linalg.eigh(moment)[1]))


def iid_variances(
    squared: Array, residuals: Array, noise_variance: float, comm: Communicator,
    *, pseudo_rows: float, tolerance: float = 1e-7, max_iterations: int = 500,
) -> ModelError:  # fmt: skip
    """v that maximises the IID likelihood times an inverse-gamma prior, by a monotone update without line search.

    squared: (m_local, n) = (ÃT)∘². residuals: (m_local,) weighted. noise_variance: σ² > 0, weighted units.
    pseudo_rows: weight of the prior, in rows; its mode is the v̄ that explains the residuals evenly, so that a direction
    without data has a variance too. Stops when the objective falls by less than `tolerance` per row. Collective.

    The update minimises a majorizer (log s² above by its tangent, r²/s² above by its value at fixed shares of s²):
    v ← sqrt( (v² Σ b r²/s⁴ + 2β) / (Σ b/s² + 2α/v) ),  β = α v̄. Hunter and Lange, Am. Stat. 58, 30 (2004).
    """
    r2 = residuals**2
    total, n_rows = sum_rows(comm, float(r2.sum()), float(len(r2)))
    n = squared.shape[1]
    mode = max(float(total) / n, noise_variance)
    alpha = 0.5 * pseudo_rows
    v = np.full(n, mode)
    history: list[float] = []
    for _ in range(max_iterations):
        s2 = squared @ v + noise_variance
        inverse = 1.0 / s2
        fit, up, down = sum_rows(
            comm, 0.5 * float(np.sum(r2 * inverse + np.log(s2))), (r2 * inverse**2) @ squared, inverse @ squared
        )
        history.append(float(fit) + alpha * float(np.sum(np.log(v) + mode / v)))
        if len(history) > 1 and history[-2] - history[-1] < tolerance * float(n_rows):
            break
        v = comm.bcast(np.sqrt((v**2 * up + 2.0 * alpha * mode) / (down + 2.0 * alpha / v)))
    return ModelError(v, tuple(history))
