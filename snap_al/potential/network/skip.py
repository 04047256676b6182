"""A network with a linear skip as layers that LAMMPS knows.

`pair_style mliap model nn` has one activation for all nodes of a layer, and no way past a layer.
The skip, a single number β·x, goes through every hidden layer in one more node each, as

    tanh(ε β·x) / ε = β·x (1 - (ε β·x)² / 3 + …)

LAMMPS computes tanh(z) as 2 / (1 + exp(-2 z)) - 1, with an absolute error of a rounding, 1e-16, so
that ε may be neither large nor small: with ε = 2⁻¹⁹ both errors are some 1e-10 eV for β·x of a few
eV, and forces are off by 4e-12 (β·x)² of themselves. β·x has zero mean over the training set.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from snap_al.descriptors import Columns, SnapSettings
from snap_al.descriptors.derivatives import kept_components
from snap_al.errors import InputError
from snap_al.potential.network.layers import Hidden
from snap_al.potential.network.nn_file import ElementNetwork, NnFile

Array = NDArray[np.float64]
EPSILON = 2.0**-19
"""1/eV. A power of two, by which numbers are multiplied without rounding."""
TIED = 1e-12
"""Weights of equal components may differ by this share of the largest."""


def with_skip(settings: SnapSettings, hidden: Sequence[Hidden], blocks: Sequence[Array]) -> NnFile:
    """The file's networks.

    blocks: of each element a constant (without bzeroflag), β (K,) and c (n_L,), eV.
    """
    shares, kept = shares_of_equal(settings)
    elements = []
    for layers, block, share in zip(hidden, blocks, shares, strict=True):
        constant = 0.0 if settings.bzeroflag else block[0]
        rest = block[int(not settings.bzeroflag) :]
        beta, c = rest[: len(layers.shift)], rest[len(layers.shift) :]
        if settings.bzeroflag:  # features are taken off those of an atom without neighbours
            nothing = np.zeros((1, len(layers.shift)))
            constant = beta @ (layers.shift * layers.scale) - c @ layers.units(nothing)[0]
        used = np.where(layers.used, layers.scale, 1.0)
        first = np.vstack([layers.weights[0], EPSILON * beta]) * layers.used
        elements.append(
            ElementNetwork(
                np.where(layers.used, layers.shift, 0.0)[kept],
                (1.0 / used)[kept],
                (first[:, kept] * share, *_later(layers), np.append(c, 1.0 / EPSILON)[None]),
                (*(np.append(b, 0.0) for b in layers.biases), np.array([constant])),
            )
        )
    return NnFile((*("tanh",) * len(hidden[0].sizes), "linear"), tuple(elements))


def _later(layers: Hidden) -> list[Array]:
    """Weights between hidden layers, with the node of the skip last."""
    found = []
    for weights in layers.weights[1:]:
        grown = np.zeros((weights.shape[0] + 1, weights.shape[1] + 1))
        grown[:-1, :-1], grown[-1, -1] = weights, 1.0
        found.append(grown)
    return found


def shares_of_equal(settings: SnapSettings) -> tuple[Array, NDArray[np.int64]]:
    """(n_elements, K_all) the share of each component that LAMMPS computes, one over the number of
    those that are equal to it, and (K_all,) which of the kept components it is.

    With chemflag LAMMPS' forces are the gradient of its energy only when equal components have
    equal weights.
    """
    columns, kept = Columns.of(settings), kept_components(settings)
    blocks = columns.distinct_of.reshape(columns.n_elements, -1)[:, int(columns.has_constant) :]
    which = np.zeros(blocks.shape[1], dtype=np.int64)
    shares = np.zeros(blocks.shape)
    for element, block in enumerate(blocks):
        for k in np.flatnonzero(block >= 0):
            same = block == block[k]
            shares[element, k] = 1.0 / same.sum()
            which[k] = np.flatnonzero(block[kept] == block[k])[0]
    return shares, which


def check_tied(file: NnFile, settings: SnapSettings, where: str) -> None:
    """Raises InputError for a file whose first layer has another number of components or elements
    than the descriptor, or different weights of components that are equal: LAMMPS' forces would
    then not be the gradient of its energy."""
    shares, which = shares_of_equal(settings)
    if len(file.elements) != len(settings.elements):
        raise InputError(
            f"{where}: networks of {len(file.elements)} elements, and the descriptor has "
            f"{', '.join(settings.elements)}"
        )
    for symbol, network, share in zip(settings.elements, file.elements, shares, strict=True):
        if len(network.means) != len(which):
            raise InputError(
                f"{where}: {len(network.means)} components, and the descriptor has {len(which)}"
            )
        slopes = network.weights[0] / network.stds
        for k in np.flatnonzero((share > 0) & (share < 1)):
            first = int(np.flatnonzero((which == which[k]) & (share > 0))[0])
            off = np.abs(slopes[:, k] - slopes[:, first]).max()
            if off > TIED * np.abs(slopes).max():
                raise InputError(
                    f"{where}: {symbol}: components {first + 1} and {k + 1} are equal, and their "
                    f"weights differ by {off:.3g}; LAMMPS' forces would be wrong"
                )
