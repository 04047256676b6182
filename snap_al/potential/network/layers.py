"""The hidden layers of a network, and their derivatives by the components of the bispectrum.

x = (B - m) / s        h_0 = x        h_l = tanh(W_l h_{l-1} + b_l)        φ = h_L

∂φ/∂B = diag(1 - h_L²) W_L … diag(1 - h_1²) W_1 diag(1 / s)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snap_al.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Hidden:
    """Hidden layers of one element."""

    shift: Array
    """(K,) m, mean of each component."""
    scale: Array
    """(K,) 1 / s, one over the std of each component; 0 for one that the element does not use."""
    weights: tuple[Array, ...]
    """(n_l, n_{l-1}) W_l of each layer."""
    biases: tuple[Array, ...]
    """(n_l,) b_l of each layer."""

    def __post_init__(self) -> None:
        n = len(self.shift)
        if self.scale.shape != (n,) or len(self.weights) != len(self.biases) or not self.weights:
            raise InputError("network: layers, shifts and scales are not of one size")
        for weights, biases in zip(self.weights, self.biases, strict=True):
            if weights.shape != (len(biases), n):
                raise InputError(
                    f"network: a layer's weights are {weights.shape}, expected {(len(biases), n)}"
                )
            n = len(biases)
        arrays = (self.shift, self.scale, *self.weights, *self.biases)
        if not all(np.isfinite(array).all() for array in arrays):
            raise InputError("network: a weight is not finite")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of each layer."""
        return tuple(len(biases) for biases in self.biases)

    @property
    def used(self) -> NDArray[np.bool_]:
        """(K,) components that the element uses."""
        return np.asarray(self.scale != 0.0)

    def standardised(self, components: Array) -> Array:
        """(c, K) components → (c, K) x, zero where a component is not used."""
        return (components - self.shift) * self.scale

    def layers(self, components: Array) -> list[Array]:
        """(c, K) components → (c, n_l) h_l of each layer."""
        found = []
        h = self.standardised(components)
        for weights, biases in zip(self.weights, self.biases, strict=True):
            h = np.tanh(h @ weights.T + biases)
            found.append(h)
        return found

    def units(self, components: Array) -> Array:
        """(c, K) components → (c, n_L) φ."""
        return self.layers(components)[-1]

    def slopes(self, components: Array) -> Array:
        """(c, K) components → (c, n_L, K) ∂φ/∂B."""
        slopes = np.broadcast_to(np.diag(self.scale), (len(components), *[len(self.scale)] * 2))
        for weights, h in zip(self.weights, self.layers(components), strict=True):
            slopes = (1.0 - h**2)[:, :, None] * (weights @ slopes)
        return slopes

    def stored(self) -> dict[str, Any]:
        """As JSON, from which `restored` has the same bits."""
        return {
            "shift": self.shift.tolist(),
            "scale": self.scale.tolist(),
            "weights": [weights.tolist() for weights in self.weights],
            "biases": [biases.tolist() for biases in self.biases],
        }

    @classmethod
    def restored(cls, stored: Mapping[str, Any]) -> Hidden:
        """From what `stored` gave. Raises InputError."""
        try:
            return cls(
                np.array(stored["shift"], dtype=float),
                np.array(stored["scale"], dtype=float),
                tuple(np.array(w, dtype=float) for w in stored["weights"]),
                tuple(np.array(b, dtype=float) for b in stored["biases"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"network: no hidden layers: {error}") from error


def standardisation(components: Array, used: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Shift (K,) and scale (K,) of components (n, K) of one element's atoms.

    used: (K,) components that the element uses. One that never varies has scale 1, and none has a
    scale so large that rounding would be seen.
    """
    if not len(components):
        return np.zeros(len(used)), used.astype(float)
    shift, std = components.mean(axis=0), components.std(axis=0)
    least = LEAST_STD * np.maximum(np.abs(shift), 1.0)
    scale = np.where(std > least, 1.0 / np.maximum(std, least), 1.0)
    return np.where(used, shift, 0.0), np.where(used, scale, 0.0)


LEAST_STD = 1e-8
"""A std below this share of the mean is that of rounding."""


def random_hidden(
    standards: Sequence[tuple[Array, Array]],
    whitenings: Sequence[Array],
    sizes: Sequence[int],
    seed: int,
) -> tuple[Hidden, ...]:
    """Layers with random weights, which leave inputs of unit variance about as large as they are.

    standards: shift and scale of each element. whitenings: (K, K) M of each element, which makes x
    of unit variance as x M. sizes: units of each layer.
    """
    found = []
    for element, ((shift, scale), whitening) in enumerate(zip(standards, whitenings, strict=True)):
        rng = np.random.default_rng(np.random.SeedSequence([seed, element]))
        n = len(shift)
        weights, biases = [], []
        for size in sizes:
            weights.append(rng.standard_normal((size, n)) / np.sqrt(n))
            biases.append(0.1 * rng.standard_normal(size))
            n = size
        weights[0] = weights[0] @ whitening.T * (scale != 0.0)
        found.append(Hidden(shift, scale, tuple(weights), tuple(biases)))
    return tuple(found)
