"""Where learning begins: standardised and whitened components, and the linear solution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from snap_al.data.rows import ENERGY, FORCES, STRESS
from snap_al.potential.network.engine import summed
from snap_al.potential.network.examples import Example, of_element
from snap_al.potential.network.layers import Hidden, standardisation

Array = NDArray[np.float64]
LEAST_FORCE = 1e-3
"""Directions of components that move forces less than this share of the one that moves them most
are not stretched further."""
ROUNDING = 1e-10
"""Singular values below this share of the largest are not solved for."""


def standards_of(examples: Sequence[Example], used: NDArray[np.bool_]) -> list[tuple[Array, Array]]:
    """Shift (K,) and scale (K,) of each element.

    used: (n_elements, K) components that elements use.
    """
    return [
        standardisation(np.concatenate([*of_element(examples, element)]), own)
        for element, own in enumerate(used)
    ]


def whitening_of(examples: Sequence[Example], element: int, shift: Array, scale: Array) -> Array:
    """(K, K) M such that all directions of x M move forces alike, and have a variance of 1 on
    average.

    Components are nearly dependent, so that steps along the gradient would learn little of what
    forces depend on. With A the force rows of x,

        AᵀA = V diag(λ) Vᵀ        M = V diag(max(λ, LEAST_FORCE² λ_max))^(-1/2)

    times a number. Without forces, of the covariance of x.
    """
    moment = np.zeros((len(shift), len(shift)))
    for example in examples:
        rows, _ = summed(example.known, np.flatnonzero(example.known.elements == element))
        of_forces = rows[FORCES][example.weights[FORCES] > 0] * scale
        moment += of_forces.T @ of_forces
    x = (np.concatenate([*of_element(examples, element)]) - shift) * scale
    if not moment.any():
        moment = x.T @ x if x.any() else np.eye(len(shift))
    sizes, directions = np.linalg.eigh(moment)
    whitening = directions / np.sqrt(np.maximum(sizes, LEAST_FORCE**2 * sizes[-1]))
    size = float(np.sqrt(np.mean((x @ whitening) ** 2))) if x.any() else 1.0
    return np.asarray(whitening / size)


def last_layer(
    examples: Sequence[Example], hidden: Sequence[Hidden], *, units: bool
) -> tuple[list[Array], list[Array]]:
    """Constants with β (1 + K,), and c (n_L,), of each element, by weighted least squares.

    units: whether units are fitted; without them c is 0 and the rest is the linear solution.
    """
    triangle = np.zeros((0, 0))
    for example in examples:
        rows = np.hstack(
            [
                _features(example, element, layers, units=units)
                for element, layers in enumerate(hidden)
            ]
        )
        block = np.hstack([rows, example.targets[:, None]]) * example.weights[:, None]
        block = block[example.weights > 0]
        triangle = _triangle(np.vstack([triangle, block]) if triangle.size else block)
    norms = np.linalg.norm(triangle[:, :-1], axis=0)
    norms[norms == 0.0] = 1.0
    solved = np.linalg.lstsq(triangle[:, :-1] / norms, triangle[:, -1], rcond=ROUNDING)[0] / norms
    n, n_units = 1 + len(hidden[0].shift), hidden[0].sizes[-1]
    parts = np.split(solved, len(hidden))
    return [p[:n] for p in parts], [p[n:] if units else np.zeros(n_units) for p in parts]


def _triangle(rows: Array) -> Array:
    """R of rows = Q R, or the rows themselves where there are few."""
    return rows if len(rows) <= rows.shape[1] else np.asarray(np.linalg.qr(rows, mode="r"))


def _features(example: Example, element: int, layers: Hidden, *, units: bool) -> Array:
    """(1 + 3 n + 6, 1 + K or 1 + K + n_L) rows of one element's constant, x and φ."""
    known = example.known
    own, n = np.flatnonzero(known.elements == element), len(known.elements)
    linear, of_units = summed(known, own, layers if units else None)
    x = linear * layers.scale
    x[ENERGY] = layers.standardised(known.components[own]).sum(axis=0) / n
    constant = np.zeros((len(x), 1))
    constant[ENERGY] = len(own) / n
    found = np.hstack([constant, x, of_units])
    if units:
        found[ENERGY, 1 + x.shape[1] :] = layers.units(known.components[own]).sum(axis=0) / n
    found[STRESS] *= example.stress_unit
    return found
