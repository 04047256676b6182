"""A linear model with embedded model error on the last layer of a trained network."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from snap_al.errors import InputError
from snap_al.inference import Posterior, fit_posterior, fit_settings
from snap_al.nn.regressor import FittedNetwork
from snap_al.nn.training import Training, least_squares

Array = NDArray[np.float64]


class LastLayerRegr(FittedNetwork):
    """A trained network whose last layer is fitted anew with error bars.

    The network is trained by least squares. What its last layer is given are then the columns of a
    linear model, which `fit_posterior` fits: by default with an embedded model error, so that the
    std holds what the network cannot represent. The other layers are taken as they are.

    Parameters
    ----------
    module : torch.nn.Module
        The network; it is not changed. Training begins with its weights. Its result must be that of
        a torch.nn.Linear.
    training : Training, optional
        How the network is trained; `Training(steps=0)` for one that is trained already.
    seed : int
        Seed of the batches and of samples.
    **options
        Fields of `FitSettings`, such as ``posterior="bayes"``.

    Raises
    ------
    InputError
        Without torch, and for options or modules that cannot be wrapped.

    Notes
    -----
    A bias is one of the columns, and the prior leaves it alone, as it does the constants of
    elements. Each output has a posterior of its own, in `posteriors`.

    References
    ----------
    Sargsyan, Huan, Najm, Int. J. Uncertain. Quantif. 9, 365 (2019).

    Examples
    --------
    >>> LastLayerRegr(net).fit(x, y).predict(x_new).model_error_std
    """

    def __init__(
        self, module: Any, *, training: Training | None = None, seed: int = 0, **options: Any
    ) -> None:
        super().__init__(module, seed)
        import torch

        try:
            fit_settings(**options)
        except ValueError as error:
            raise InputError(f"options of fit_posterior: {error}") from error
        if not any(isinstance(m, torch.nn.Linear) for m in self.network.module.modules()):
            raise InputError("the module has no torch.nn.Linear, and its last layer must be one")
        self.training = training or Training()
        self.options = options
        self.posteriors: tuple[Posterior, ...] = ()
        self._trained = self.network.weights()

    def _fit(self, x: Array, y: Array, rng: np.random.Generator) -> None:
        import torch

        self._columns(x[:2])  # is the last layer linear? Before the time is spent
        network = self.network
        counts = np.ones((1, len(x)))
        rows = tuple(torch.as_tensor(a) for a in (x, y, counts))
        start = network.weights()[None]
        found = least_squares(network, start, rows, self.training, int(rng.integers(2**62)))
        self._trained = found[0]
        columns, constants = self._columns(x)
        self.posteriors = tuple(
            fit_posterior(columns, target, constants=constants, **self.options) for target in y.T
        )

    def rows(self, x: Any) -> Array:
        """(N, n) columns of the linear model for inputs (N, d); the last is of ones for a bias."""
        return self._columns(self._inputs(x))[0]

    def _columns(self, x: Array) -> tuple[Array, tuple[int, ...]]:
        """(N, n) columns, and which of them is the bias."""
        import torch

        calls: list[tuple[Any, ...]] = []

        def keep(layer: Any, given: Any, result: Any) -> None:
            calls.append((layer, given[0], result, result.clone()))

        layers = [m for m in self.network.module.modules() if isinstance(m, torch.nn.Linear)]
        hooks = [layer.register_forward_hook(keep) for layer in layers]
        try:
            with torch.no_grad():
                result = self.network.call(self._trained, torch.as_tensor(x))
        finally:
            for hook in hooks:
                hook.remove()
        layer, given = _last_layer(calls, result)
        columns = given.reshape(len(x), -1).numpy()
        if layer.bias is None:
            return columns, ()
        return np.column_stack([columns, np.ones(len(x))]), (columns.shape[1],)

    def _draw(self, x: Array, n: int, rng: np.random.Generator) -> Array:
        columns, _ = self._columns(x)
        samples = [posterior.sample(n, rng) @ columns.T for posterior in self.posteriors]
        return np.stack(samples, axis=2)

    def _predict(self, x: Array) -> tuple[Array, Array, Array, Array]:
        columns, _ = self._columns(x)
        each = [posterior.predict(columns) for posterior in self.posteriors]
        names = ("mean", "epistemic_std", "model_error_std", "noise_std")
        mean, epistemic, model_error, noise = (
            np.column_stack([getattr(one, name) for one in each]) for name in names
        )
        return mean, epistemic, model_error, noise


def _last_layer(calls: list[tuple[Any, ...]], result: Any) -> tuple[Any, Any]:
    """The linear layer that the result (N, o) is from, and what it was given. Raises InputError."""
    import torch

    last = calls[-1] if calls else None
    if last is None or not (
        last[2].data_ptr() == result.data_ptr()  # not a copy that happens to be equal, as by ReLU
        and torch.equal(last[3].reshape(len(result), -1), result)  # and not changed in place
    ):
        raise InputError(
            "the module's last layer is not a torch.nn.Linear: its result is not what a linear "
            "layer gives. Leave out what comes after it"
        )
    if sum(call[0] is last[0] for call in calls) > 1:
        raise InputError("the module calls its last layer more than once")
    if last[1].numel() != len(result) * last[0].in_features:
        raise InputError("the last layer is given more than one row for each row of the inputs")
    return last[0], last[1]
