"""An ensemble of networks with independent initial weights and draws of the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snap_al.errors import InputError
from snap_al.nn.checks import at_least
from snap_al.nn.noise import given_noise, noise_of_members
from snap_al.nn.regressor import FittedNetwork, spread
from snap_al.nn.training import Training, least_squares

Array = NDArray[np.float64]


class EnsRegr(FittedNetwork):
    """An ensemble of networks.

    Each member begins with initial weights of its own, drawn as its layers draw them, and sees rows
    drawn with replacement. All members are trained together. The epistemic std is the spread of
    their predictions.

    Parameters
    ----------
    module : torch.nn.Module
        What each member is a copy of; it is not changed. Its weights do not matter.
    nens : int
        Number of members, at least 2.
    fraction : float, optional
        How many rows each member sees, next to their number, drawn with replacement. None: each
        member sees all rows once, as in the paper below; only initial weights differ then.
    noise_std : float or (o,) array_like, optional
        Std of the targets' noise. When not given, it is estimated from rows that members have not
        seen.
    training : Training, optional
        How the weights are searched for.
    seed : int
        Seed of the initial weights, draws and batches.

    Raises
    ------
    InputError
        Without torch, and for options or modules that cannot be wrapped.

    References
    ----------
    Lakshminarayanan, Pritzel, Blundell, NeurIPS (2017), arXiv:1612.01474. Efron, Ann. Stat. 7, 1
    (1979).

    Examples
    --------
    >>> net = torch.nn.Sequential(torch.nn.Linear(1, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
    >>> EnsRegr(net, nens=20).fit(x, y).predict(x_new).total_std
    """

    def __init__(
        self,
        module: Any,
        nens: int = 10,
        *,
        fraction: float | None = 1.0,
        noise_std: ArrayLike | None = None,
        training: Training | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(module, seed)
        at_least("nens", nens, 2)
        if fraction is not None and not (np.isfinite(fraction) and fraction > 0):
            raise InputError(f"fraction is {fraction}; it must be above zero, or None")
        self.nens = nens
        self.fraction = fraction
        self.given = noise_std
        self.training = training or Training()
        self.members: Any = None
        self.noise_std = np.zeros(0)

    def _fit(self, x: Array, y: Array, rng: np.random.Generator) -> None:
        import torch

        known = given_noise(self.given, y.shape[1])
        start = self.network.initial(self.nens, rng)
        counts = self._counts(len(x), rng)
        shares = counts / counts.sum(axis=1, keepdims=True) * len(x)
        rows = tuple(torch.as_tensor(a) for a in (x, y, shares))
        self.members = least_squares(
            self.network, start, rows, self.training, int(rng.integers(2**62))
        )
        found = noise_of_members(self.network.predictions(self.members, x), y, counts)
        self.noise_std = found if known is None else known

    def _counts(self, n: int, rng: np.random.Generator) -> Array:
        """(nens, n) how often each member sees each row."""
        if self.fraction is None:
            return np.ones((self.nens, n))
        drawn = max(1, round(self.fraction * n))
        return rng.multinomial(drawn, np.full(n, 1.0 / n), size=self.nens).astype(float)

    def _usual_number(self) -> int:
        return self.nens

    def _draw(self, x: Array, n: int, rng: np.random.Generator) -> Array:
        chosen = rng.permutation(self.nens)[:n]
        return self.network.predictions(self.members[chosen], x)

    def _predict(self, x: Array) -> tuple[Array, Array, Array, Array]:
        return spread(self.network.predictions(self.members, x), self.noise_std)
