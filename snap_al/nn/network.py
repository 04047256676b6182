"""A module as a function of its weights, which are one vector."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snap_al.errors import FitError, InputError
from snap_al.nn.checks import RESETS, check_module, check_resets
from snap_al.nn.needed import require

Array = NDArray[np.float64]
AT_ONCE = 200_000
"""Members times rows that are computed together."""


class Network:
    """A copy of a torch.nn.Module in double precision, as a function of weights and inputs.

    Only parameters that require gradients are weights; others stay as they are. The module that was
    given is not changed.
    """

    def __init__(self, module: Any) -> None:
        """Raises InputError without torch, and for a module that cannot be wrapped."""
        require("torch")
        check_module(module)
        self.module = copy.deepcopy(module).double().eval()
        own = [(n, p) for n, p in self.module.named_parameters() if p.requires_grad]
        self.names = [name for name, _ in own]
        self.shapes = [tuple(p.shape) for _, p in own]
        self.sizes = [p.numel() for _, p in own]

    @property
    def n_weights(self) -> int:
        """How many weights there are."""
        return sum(self.sizes)

    def weights(self) -> Any:
        """(p,) tensor, the module's own."""
        return _flat(self.module)

    def call(self, weights: Any, x: Any) -> Any:
        """(N, o) tensor: predictions by weights (p,) for inputs (N, ...)."""
        import torch

        parts = weights.split(self.sizes, dim=-1)
        named = zip(self.names, self.shapes, parts, strict=True)
        values = {name: part.reshape(shape) for name, shape, part in named}
        return torch.func.functional_call(self.module, values, (x,)).reshape(len(x), -1)

    def call_many(self, weights: Any, x: Any) -> Any:
        """(k, N, o) tensor: predictions by k vectors of weights (k, p)."""
        import torch

        return torch.func.vmap(self.call, in_dims=(0, None))(weights, x)

    def initial(self, k: int, rng: np.random.Generator) -> Any:
        """(k, p) tensor of independent initial weights, as the layers themselves draw them.

        They draw from torch's global generator, which is put back as it was. Raises InputError for
        a layer that cannot.
        """
        import torch

        check_resets(self.module)
        fresh = copy.deepcopy(self.module)
        rows = []
        for seed in rng.integers(2**62, size=k):
            with torch.random.fork_rng(devices=[]):
                torch.random.default_generator.manual_seed(int(seed))
                fresh.apply(_reset)
            rows.append(_flat(fresh))
        return torch.stack(rows)

    def layer_scales(self) -> Array:
        """(p,) 1/√(inputs of the layer) for matrices of weights, 1 for vectors such as biases."""
        scales = [
            np.full(size, 1.0 if len(shape) < 2 else (size / shape[0]) ** -0.5)
            for size, shape in zip(self.sizes, self.shapes, strict=True)
        ]
        return np.concatenate(scales)

    def check(self, x: Array, n_outputs: int) -> None:
        """Raises FitError unless the module takes these inputs, also many members at once, and has
        this number of outputs.
        """
        import torch

        rows = torch.as_tensor(x[:2])
        try:
            with torch.no_grad():
                one = self.call(self.weights(), rows)
                self.call_many(self.weights()[None], rows)
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise FitError(f"the module refuses rows of shape {x.shape[1:]}: {error}") from error
        if one.shape[1] != n_outputs:
            raise FitError(f"the module has {one.shape[1]} outputs, the targets have {n_outputs}")

    def predictions(self, weights: Any, x: Array) -> Array:
        """(k, N, o) by weights (k, p) for inputs (N, ...), a few rows at a time."""
        import torch

        inputs = torch.as_tensor(x)
        step = max(1, AT_ONCE // len(weights))
        with torch.no_grad():
            parts = [self.call_many(weights, inputs[k : k + step]) for k in range(0, len(x), step)]
        return np.asarray(torch.cat(parts, dim=1).numpy())


def prior_stds(network: Network, prior_std: float | None) -> Array:
    """(p,) stds of a Gaussian prior on weights: one number for all, or `layer_scales` for None, so
    that a wider layer has the same spread of outputs. Neal, Bayesian Learning for Neural Networks
    (1996).
    """
    if prior_std is None:
        return network.layer_scales()
    if not (np.isfinite(prior_std) and prior_std > 0):
        raise InputError(f"prior_std is {prior_std}; it must be above zero, or None")
    return np.full(network.n_weights, float(prior_std))


def _flat(module: Any) -> Any:
    import torch

    own = [p.detach().reshape(-1) for p in module.parameters() if p.requires_grad]
    return torch.cat(own).clone()


def _reset(layer: Any) -> None:
    for method in RESETS:
        if hasattr(layer, method):
            getattr(layer, method)()
            return
