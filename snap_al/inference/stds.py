"""Stds of rows, of a covariance of coefficients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def row_std(rows: Array, covariance: Array) -> Array:
    """(m,) sqrt(a Σ aᵀ) of each row."""
    return np.asarray(np.linalg.norm(rows @ square_root(covariance), axis=1))


def square_root(covariance: Array) -> Array:
    """L (n, n) with L Lᵀ = Σ, for any positive semi-definite Σ, scaled first so that units do not
    cost digits.
    """
    scale = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    safe = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(covariance / np.outer(safe, safe))
    return np.asarray(safe[:, None] * vectors * np.sqrt(np.maximum(values, 0.0)))


def atom_force_std(force_rows: Array, root: Array) -> Array:
    """force_rows: (3 n_atoms, n). root: L with Σ = L Lᵀ. (n_atoms,) sqrt(tr(D Σ Dᵀ)/3)."""
    squares = np.square(force_rows @ root).sum(axis=1)
    return np.asarray(np.sqrt(squares.reshape(-1, 3).sum(axis=1) / 3.0))
