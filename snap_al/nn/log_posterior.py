"""The log posterior of a network's weights and of the noise, with its gradient."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snap_al.nn.network import Network
from snap_al.nn.noise import target_stds

Array = NDArray[np.float64]


@dataclass
class LogPosterior:
    """log p(w, log σ | y) up to a constant, for Gaussian noise σ of each output, a Gaussian prior
    on weights of mean zero, and a half-normal one on σ with the std of the targets as its scale.

    Positions are weights (p,), followed by log σ (o,) unless the noise is known.
    """

    network: Network
    """The network."""
    x: Array
    """(N, ...) inputs."""
    y: Array
    """(N, o) targets."""
    prior: Array
    """(p,) stds of the prior on weights."""
    noise: Array | None
    """(o,) stds of the noise, where it is known."""
    gradients: int = 0
    """How many gradients have been computed."""
    _module: Any = field(init=False, repr=False)
    _weights: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """A copy of the module whose parameters are views of one vector: faster than a functional
        call, and each chain needs thousands.
        """
        import torch

        self._module = copy.deepcopy(self.network.module)
        self._weights = self.network.weights()
        own = [p for p in self._module.parameters() if p.requires_grad]
        for part, parameter in zip(self._weights.split(self.network.sizes), own, strict=True):
            parameter.data = part.view(parameter.shape)
        self._own = own
        self._inputs, self._targets = torch.as_tensor(self.x), torch.as_tensor(self.y)

    @property
    def n(self) -> int:
        """Length of a position."""
        return len(self.prior) + (self.y.shape[1] if self.noise is None else 0)

    def parts(self, positions: Array) -> tuple[Array, Array]:
        """Weights (..., p) and noise stds (..., o) of positions (..., n)."""
        p = len(self.prior)
        if self.noise is None:
            return positions[..., :p], np.exp(positions[..., p:])
        return positions, np.broadcast_to(self.noise, (*positions.shape[:-1], len(self.noise)))

    def __call__(self, position: Array) -> tuple[float, Array]:
        """The log density at a position (n,), and its gradient (n,)."""
        import torch

        self.gradients += 1
        weights, sigma = self.parts(position)
        self._weights.copy_(torch.as_tensor(weights.copy()))
        found = self._module(self._inputs).reshape(len(self.x), -1)
        scaled = (found - self._targets) / torch.as_tensor(sigma.copy())
        squares = scaled.square().sum(dim=0)
        slopes = torch.autograd.grad(0.5 * squares.sum(), self._own)
        misfit = squares.detach().numpy()
        by_weight = np.concatenate([g.reshape(-1).numpy() for g in slopes])
        z = weights / self.prior
        value = -0.5 * float(misfit.sum()) - 0.5 * float(z @ z)
        gradient = -by_weight - z / self.prior
        if self.noise is None:
            relative = np.square(sigma / target_stds(self.y))
            n = len(self.x)
            value += float((np.log(sigma) * (1 - n)).sum() - 0.5 * relative.sum())
            gradient = np.concatenate([gradient, misfit - n + 1 - relative])
        return value, gradient
