"""Markov chain Monte Carlo of a network's weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.optimize
from numpy.typing import ArrayLike, NDArray

from snap_al.nn.checks import at_least
from snap_al.nn.log_posterior import LogPosterior
from snap_al.nn.needed import require
from snap_al.nn.network import prior_stds
from snap_al.nn.noise import given_noise, target_stds
from snap_al.nn.nuts import Chains, mixing, require_mixed, sample
from snap_al.nn.regressor import FittedNetwork, spread

Array = NDArray[np.float64]
START_STEPS = 200
"""Most steps of the search for a mode where a chain begins."""
START_NOISE = 0.1
"""Noise next to the targets' std in this search, where it is not known."""
WATCHED_ROWS = 50
"""Rows, evenly chosen, whose predictions are watched for mixing."""


class MCMCRegr(FittedNetwork):
    """Samples of a network's weights from their posterior, by the No-U-Turn sampler.

    Each chain begins at a mode that is found from initial weights of its own. Chains are judged by
    their predictions and noise: a permutation of hidden units changes weights and no prediction.

    Parameters
    ----------
    module : torch.nn.Module
        The network; it is not changed.
    prior_std : float, optional
        Std of the Gaussian prior on weights, of mean zero. When not given: 1/√(inputs of the layer)
        for matrices of weights and 1 for biases.
    noise_std : float or (o,) array_like, optional
        Std of the targets' noise; sampled with the weights when not given.
    draws : int
        Samples of each chain.
    tune : int
        Steps before these, which adapt the sampler.
    chains : int
        Number of independent chains.
    seed : int
        Seed of the starts and of the sampler.
    depth : int
        Most doublings of a trajectory: a sample takes at most 2 to this power gradients.

    Raises
    ------
    InputError
        Without torch or nutpie, and for options or modules that cannot be wrapped.

    Notes
    -----
    `fit` raises FitError where the chains have not mixed: R-hat, the effective sample size and
    divergences as for the posterior `mcmc` of linear models. `diagnostics` has them then, too.

    References
    ----------
    Hoffman, Gelman, J. Mach. Learn. Res. 15, 1593 (2014). R-hat of predictions: Izmailov et al.,
    ICML (2021), arXiv:2104.14421.

    Examples
    --------
    >>> net = torch.nn.Sequential(torch.nn.Linear(1, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    >>> MCMCRegr(net).fit(x, y).diagnostics["largest_r_hat"]
    """

    def __init__(
        self,
        module: Any,
        *,
        prior_std: float | None = None,
        noise_std: ArrayLike | None = None,
        draws: int = 500,
        tune: int = 500,
        chains: int = 2,
        seed: int = 0,
        depth: int = 8,
    ) -> None:
        super().__init__(module, seed)
        require("nutpie", "arviz")
        at_least("draws", draws, 10)
        at_least("tune", tune, 10)
        at_least("chains", chains, 2)
        at_least("depth", depth, 1)
        self.prior = prior_stds(self.network, prior_std)
        self.given = noise_std
        self.run = Chains(draws, tune, chains, seed, depth)
        self.samples = np.zeros((0, 0))
        self.noise_std = np.zeros(0)
        self.diagnostics: dict[str, float] = {}

    def _fit(self, x: Array, y: Array, rng: np.random.Generator) -> None:
        known = given_noise(self.given, y.shape[1])
        target = LogPosterior(self.network, x, y, self.prior, known)
        positions, found = sample(
            target, target.n, lambda seed: self._start(target, seed), self.run
        )
        weights, sigma = target.parts(positions)
        self.diagnostics = found | self._mixing(x, weights, None if known is not None else sigma)
        require_mixed(self.diagnostics)
        self.samples = weights.reshape(-1, weights.shape[-1])
        self.noise_std = np.sqrt(np.square(sigma).mean(axis=(0, 1)))

    def _start(self, target: LogPosterior, seed: int) -> Array:
        """A mode of the posterior where the noise is known, or taken as a share of the targets."""
        scale = target_stds(target.y)
        noise = START_NOISE * scale if target.noise is None else target.noise
        search = LogPosterior(self.network, target.x, target.y, self.prior, noise)
        first = self.network.initial(1, np.random.default_rng(seed))[0].numpy()

        def cost(w: Array) -> tuple[float, Array]:
            value, gradient = search(w)
            return -value, -gradient

        options = {"maxiter": START_STEPS}
        found = scipy.optimize.minimize(cost, first, jac=True, method="L-BFGS-B", options=options)
        if target.noise is not None:
            return np.asarray(found.x)
        return np.concatenate([found.x, np.log(noise)])

    def _mixing(self, x: Array, weights: Array, sigma: Array | None) -> dict[str, float]:
        rows = np.unique(np.linspace(0, len(x) - 1, WATCHED_ROWS).astype(int))
        chains, draws, p = weights.shape
        predictions = self.network.predictions(_tensor(weights.reshape(-1, p)), x[rows])
        watched = {"predictions": predictions.reshape(chains, draws, -1)}
        if sigma is not None:
            watched["noise"] = np.log(sigma)
        r_hat, ess = mixing(watched)
        of_weights = mixing({"weights": weights})
        return {
            "largest_r_hat": r_hat,
            "smallest_ess": ess,
            "largest_r_hat_of_weights": of_weights[0],
            "smallest_ess_of_weights": of_weights[1],
        }

    def _draw(self, x: Array, n: int, rng: np.random.Generator) -> Array:
        chosen = rng.permutation(len(self.samples))[:n]
        return self.network.predictions(_tensor(self.samples[chosen]), x)

    def _predict(self, x: Array) -> tuple[Array, Array, Array, Array]:
        return spread(self.network.predictions(_tensor(self.samples), x), self.noise_std)


def _tensor(weights: Array) -> Any:
    import torch

    return torch.as_tensor(np.ascontiguousarray(weights))
