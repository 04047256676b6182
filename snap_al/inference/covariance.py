"""Embedded model error of any covariance: Σ_δ (n, n) under the independent-rows likelihood.

    s_i² = q_i Σ q_iᵀ + w_i² σ²
    f(Σ) = ½ Σ_i ω_i [r_i²/s_i² + log s_i²] + ½ν [log det Σ + v̄ tr Σ⁻¹]

The majorize-minimize step: log s² is majorized by its tangent and r²/s² by its value at fixed
shares of s², and with A = Σ ω qᵀq/s² + νΣ⁻¹ and B = Σ (Σ ω qᵀq r²/s⁴) Σ + ν v̄ 1 the bound tr(AΣ')
+ tr(BΣ'⁻¹) is least at the geometric mean of A⁻¹ and B. Hunter and Lange, Am. Stat. 58, 30 (2004);
Bhatia, Positive Definite Matrices (2007), ch. 4. With n = 1 it is the step v ← sqrt(B/A) of
`embedded`. The step is a square root, and taken nearly twice as far it mostly does better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snap_al.inference.blocks import MANY_COLUMNS, Block, noise_level, parts_of
from snap_al.parallel import Communicator, sum_rows

Array = NDArray[np.float64]
CHUNK = 2048
FAR = 1.9
"""Length of a step along the geodesic, next to the majorizer's. 2 would do as well as 0 at the
end.
"""


@dataclass(frozen=True)
class Found:
    """The covariance of a model error."""

    sigma: Array
    """(n, n) Σ_δ in the rows' coordinates."""
    noise_share: float
    """Share τ of the residuals that is noise."""
    objective: tuple[float, ...]
    """-log posterior at each accepted step."""


@dataclass(frozen=True)
class Steps:
    """How far a search goes."""

    tolerance: float = 4e-3
    """The search stops when a step lowers the objective by less than this, per row."""
    most: int = 7
    """Largest number of steps."""
    length: float = FAR
    """Length of a step along the geodesic, in units of the majorizer's."""


def iid_covariance(
    blocks: Sequence[Block],
    noise_share: float,
    comm: Communicator,
    *,
    pseudo_rows: float,
    start: Array | None = None,
    infer_noise: bool = False,
    steps: Steps = Steps(),
) -> Found:
    """Σ_δ, from an even one or from `start` (n, n), by monotone steps. noise_share: τ, σ² next to
    the blocks' noise. Collective.

    It stops before the minimum, on purpose: predictions settle long before Σ_δ does, each iteration
    costs as much as the fit's mean, and the steps that are not taken would fit Σ_δ, which has
    n(n + 1)/2 free numbers, to the residuals of few rows. Ending early is a regulariser towards the
    even Σ_δ that the search begins with, beside the prior of `pseudo_rows`. More steps, and no
    tolerance, give the minimum itself.
    """
    n = blocks[0].rows.shape[1]
    squares, n_rows = sum_rows(
        comm,
        sum(float(b.counts @ b.residuals**2) for b in blocks),
        sum(float(b.counts.sum()) for b in blocks),
    )
    mode = max(float(squares) / n, noise_level(blocks, noise_share, comm))
    sigma = mode * np.eye(n) if start is None else start
    cost, a, b, root, noise_sums = _sums(blocks, sigma, noise_share, mode, pseudo_rows, comm)
    history, length, share = [cost], steps.length, noise_share
    for _ in range(steps.most):
        mean = _geometric_mean(a, b)
        ratio = float(noise_sums[0] / noise_sums[1]) if infer_noise else 1.0
        while True:
            values, vectors = comm.bcast(np.linalg.eigh(mean))
            half = root @ (vectors * np.maximum(values, np.finfo(float).tiny) ** (0.5 * length))
            trial, trial_share = half @ half.T, share * ratio ** (0.5 * length)
            found = _sums(blocks, trial, trial_share, mode, pseudo_rows, comm)
            if found[0] <= cost or length == 1.0:
                break
            length = 1.0
        if not found[0] < cost:
            break  # rounding
        done = cost - found[0] < steps.tolerance * float(n_rows)
        sigma, share, (cost, a, b, root, noise_sums), length = (
            trial,
            trial_share,
            found,
            steps.length,
        )
        history.append(cost)
        if done:
            break
    return Found(sigma, share, tuple(history))


def _sums(
    blocks: Sequence[Block],
    sigma: Array,
    share: float,
    mode: float,
    pseudo_rows: float,
    comm: Communicator,
) -> tuple[float, Array, Array, Array, Array]:
    """f, and A, B (n, n) in the coordinates in which Σ is the unit matrix, L of Σ = LLᵀ, and (2,) Σ
    ω r²/s⁴, Σ ω/s².

    Each row is divided by the root of its kind's noise first, which changes none of them but f, by
    a constant that is put back. Products of many columns are of single precision, which then leaves
    6 digits to a step whatever the weights.
    """
    n = len(sigma)
    root = comm.bcast(np.linalg.cholesky(sigma + 1e-14 * np.trace(sigma) / n * np.eye(n)))
    digits: Any = np.float32 if n >= MANY_COLUMNS else np.float64
    rounded = root.astype(digits)
    even = np.array_equal(root, root[0, 0] * np.eye(n))  # so it begins
    a, b = np.zeros((n, n)), np.zeros((n, n))
    cost, noise_sums = 0.0, np.zeros(2)
    for rows, residuals, noise, counts in parts_of(blocks, CHUNK):
        scale = np.sqrt(noise)
        r2 = (residuals / scale) ** 2
        y = (rows / scale[:, None]).astype(digits)
        y = y * rounded[0, 0] if even else y @ rounded
        s2 = np.einsum("ij,ij->i", y, y).astype(float) + share
        cost += 0.5 * float(counts @ (r2 / s2 + np.log(s2) + 2.0 * np.log(scale)))
        noise_sums += (counts @ (r2 / s2**2), float(np.sum(counts / s2)))
        down = y * np.sqrt(counts / s2).astype(digits)[:, None]
        up = down * np.sqrt(r2 / s2).astype(digits)[:, None]
        a += down.T @ down
        b += up.T @ up
    total, a, b, noise_sums = sum_rows(comm, cost, a, b, noise_sums)
    inverse = np.linalg.inv(root)
    logdet = 2.0 * float(np.log(np.diag(root)).sum())
    cost = float(total) + 0.5 * pseudo_rows * (logdet + mode * float(np.sum(inverse**2)))
    return (
        cost,
        a + pseudo_rows * np.eye(n),
        b + pseudo_rows * mode * (inverse @ inverse.T),
        root,
        noise_sums,
    )


def _geometric_mean(a: Array, b: Array) -> Array:
    """A⁻¹ # B = A^-½ (A^½ B A^½)^½ A^-½ (n, n), where tr(AX) + tr(BX⁻¹) is least."""
    values, vectors = np.linalg.eigh(a)
    scale = np.sqrt(np.maximum(values, 1e-300))
    root, inverse = (vectors * scale) @ vectors.T, (vectors / scale) @ vectors.T
    inner, axes = np.linalg.eigh(root @ b @ root)
    middle = (axes * np.sqrt(np.maximum(inner, 0.0))) @ axes.T
    return np.asarray(inverse @ middle @ inverse)
