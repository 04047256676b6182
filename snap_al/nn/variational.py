"""Mean-field variational inference of a network's weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snap_al.nn.checks import at_least
from snap_al.nn.network import prior_stds
from snap_al.nn.noise import given_noise, target_stds
from snap_al.nn.regressor import FittedNetwork, spread
from snap_al.nn.training import Training, minimise

Array = NDArray[np.float64]
START_STD = 0.1
"""Stds of weights where the search begins, next to those of the prior."""
START_NOISE = 0.3
"""Noise where the search begins, next to the targets' std."""


class VIRegr(FittedNetwork):
    """Independent Gaussians for a network's weights, nearest to their posterior.

    The evidence lower bound is maximised over means, stds and the noise. Random weights are means
    plus stds times normal numbers, in pairs of opposite sign. Correlations of weights are lost, so
    that stds of weights are too small wherever the posterior has correlations.

    Parameters
    ----------
    module : torch.nn.Module
        The network; it is not changed. Its weights do not matter.
    prior_std : float, optional
        As of `MCMCRegr`.
    noise_std : float or (o,) array_like, optional
        Std of the targets' noise; found with the weights when not given.
    training : Training, optional
        How the bound is maximised.
    pairs : int
        Pairs of random weights at each step.
    draws : int
        Pairs of random weights that `predict` computes means and stds from.
    seed : int
        Seed of the start and of the random numbers.

    Raises
    ------
    InputError
        Without torch, and for options or modules that cannot be wrapped.

    References
    ----------
    Blundell, Cornebise, Kavukcuoglu, Wierstra, ICML (2015), arXiv:1505.05424. Kingma, Welling, ICLR
    (2014), arXiv:1312.6114.

    Examples
    --------
    >>> VIRegr(net, noise_std=0.1).fit(x, y).predict(x_new).epistemic_std
    """

    def __init__(
        self,
        module: Any,
        *,
        prior_std: float | None = None,
        noise_std: ArrayLike | None = None,
        training: Training | None = None,
        pairs: int = 4,
        draws: int = 500,
        seed: int = 0,
    ) -> None:
        super().__init__(module, seed)
        at_least("pairs", pairs, 1)
        at_least("draws", draws, 1)
        self.prior = prior_stds(self.network, prior_std)
        self.given = noise_std
        self.training = training or Training(steps=3000)
        self.pairs, self.draws = pairs, draws
        self.mean = np.zeros(0)
        self.std = np.zeros(0)
        self.noise_std = np.zeros(0)
        self.objective = np.zeros(0)

    def _fit(self, x: Array, y: Array, rng: np.random.Generator) -> None:
        import torch

        known = given_noise(self.given, y.shape[1])
        start = START_NOISE * target_stds(y) if known is None else known
        mean = self.network.initial(1, rng)[0].requires_grad_()
        log_std = torch.log(START_STD * torch.as_tensor(self.prior)).requires_grad_()
        log_noise = torch.log(torch.as_tensor(start)).requires_grad_(known is None)
        sought = [mean, log_std] + [log_noise] * (known is None)
        loss = self._loss(x, y, (mean, log_std, log_noise), int(rng.integers(2**62)))
        seed = int(rng.integers(2**62))
        self.objective = minimise(sought, loss, len(x), self.training, seed)
        self.mean = mean.detach().numpy()
        self.std = log_std.detach().exp().numpy()
        self.noise_std = log_noise.detach().exp().numpy()

    def _loss(self, x: Array, y: Array, sought: tuple[Any, Any, Any], seed: int) -> Any:
        """A function of the rows that are seen: minus the bound, for each row."""
        import torch

        mean, log_std, log_noise = sought
        inputs, targets, prior = (torch.as_tensor(a) for a in (x, y, self.prior))
        generator = torch.Generator().manual_seed(seed)
        shape = (self.pairs, len(self.prior))

        def loss(seen: Any) -> Any:
            here, there = (inputs, targets) if seen is None else (inputs[seen], targets[seen])
            normal = torch.randn(shape, generator=generator, dtype=mean.dtype)
            off = torch.cat([normal, -normal]) * log_std.exp()
            scaled = (self.network.call_many(mean + off, here) - there) / log_noise.exp()
            misfit = 0.5 * scaled.square().mean(dim=(0, 1)).sum() + log_noise.sum()
            ratio = (log_std.exp() / prior).square() + (mean / prior).square()
            divergence = 0.5 * (ratio - 1.0).sum() - (log_std - prior.log()).sum()
            return misfit + divergence / len(inputs)

        return loss

    def _weights(self, n: int, rng: np.random.Generator) -> Any:
        import torch

        off = self.std * rng.standard_normal((n, len(self.std)))
        return torch.as_tensor(self.mean + off), torch.as_tensor(self.mean - off)

    def _draw(self, x: Array, n: int, rng: np.random.Generator) -> Array:
        return self.network.predictions(self._weights(n, rng)[0], x)

    def _predict(self, x: Array) -> tuple[Array, Array, Array, Array]:
        import torch

        pairs = self._weights(self.draws, np.random.default_rng(self.seed))
        return spread(self.network.predictions(torch.cat(pairs), x), self.noise_std)
