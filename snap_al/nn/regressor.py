"""The methods that all wrappers have, and what they share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snap_al.errors import InputError
from snap_al.inference import Prediction
from snap_al.nn.checks import at_least, checked_inputs, checked_rows
from snap_al.nn.network import Network

Array = NDArray[np.float64]
Moments = tuple[Array, Array | None, Array | None]
"""Mean (N, o), variance (N, o) or None, covariance (N, N, o) or None."""


class Regressor(Protocol):
    """A network that is fitted to rows and predicts with stds. `snap_al.nn.contract` has the laws.

    Inputs are (N, d); the layers of the module say what more dimensions mean.
    """

    def fit(self, x: ArrayLike, y: ArrayLike) -> Self:
        """Fits targets (N,) or (N, o); returns itself."""
        ...

    def predict_sample(self, x: ArrayLike, rng: np.random.Generator | None = None) -> Array:
        """(N, o) one random sample of the predictions, without noise."""
        ...

    def predict_ens(
        self, x: ArrayLike, nens: int | None = None, rng: np.random.Generator | None = None
    ) -> Array:
        """(M, N, o) an ensemble of predictions, without noise."""
        ...

    def predict_mom_sample(
        self, x: ArrayLike, msc: int = 0, nsam: int = 1000, rng: np.random.Generator | None = None
    ) -> Moments:
        """Moments of an ensemble of predictions: the mean, and variance and covariance where they
        are asked for.
        """
        ...

    def predict(self, x: ArrayLike) -> Prediction:
        """Means and stds, in the shape of the targets."""
        ...


class FittedNetwork(ABC):
    """What the wrappers share: checks, and samples' moments."""

    def __init__(self, module: object, seed: int) -> None:
        """Raises InputError without torch, and for a module that cannot be wrapped."""
        self.network = Network(module)
        at_least("seed", seed, 0)
        self.seed = seed
        self._shape: tuple[int, ...] | None = None
        self._flat = False
        self._rng = np.random.default_rng(seed)

    def fit(self, x: ArrayLike, y: ArrayLike) -> Self:
        """Fit the network to rows.

        Parameters
        ----------
        x : (N, d) array_like
            Inputs, of order 1: nothing scales them.
        y : (N,) or (N, o) array_like
            Targets, of order 1.

        Returns
        -------
        Self
            This object, which predicts from now on.

        Raises
        ------
        FitError
            For values that are not finite, shapes that differ or that the module refuses, and where
            the method fails.
        InputError
            For options or modules that the method does not take.
        """
        inputs, targets, flat = checked_rows(x, y)
        self.network.check(inputs, targets.shape[1])
        self._shape = None
        self._rng = np.random.default_rng(self.seed)
        self._fit(inputs, targets, self._rng)
        self._shape, self._flat = inputs.shape[1:], flat
        return self

    def predict_sample(self, x: ArrayLike, rng: np.random.Generator | None = None) -> Array:
        """Draw one sample of the predictions.

        Parameters
        ----------
        x : (N, d) array_like
            Inputs.
        rng : numpy.random.Generator, optional
            Where the random numbers come from; this object's own generator when not given, which
            begins with its seed when it is fitted.

        Returns
        -------
        (N, o) ndarray
            Predictions of one set of weights, without noise.
        """
        return np.asarray(self._draw(self._inputs(x), 1, rng or self._rng)[0])

    def predict_ens(
        self, x: ArrayLike, nens: int | None = None, rng: np.random.Generator | None = None
    ) -> Array:
        """Draw an ensemble of predictions.

        Parameters
        ----------
        x : (N, d) array_like
            Inputs.
        nens : int, optional
            How many, M. A method with a finite number of members or samples gives at most these,
            each once. When not given: all members of an ensemble, and 10 of other methods.
        rng : numpy.random.Generator, optional
            As of `predict_sample`.

        Returns
        -------
        (M, N, o) ndarray
            Predictions without noise, each of one set of weights.
        """
        wanted = self._usual_number() if nens is None else nens
        at_least("nens", wanted, 1)
        return self._draw(self._inputs(x), wanted, rng or self._rng)

    def predict_mom_sample(
        self, x: ArrayLike, msc: int = 0, nsam: int = 1000, rng: np.random.Generator | None = None
    ) -> Moments:
        """Compute moments of an ensemble of predictions.

        Parameters
        ----------
        x : (N, d) array_like
            Inputs.
        msc : int
            0: the mean; 1: also the variance; 2: also the covariance of rows.
        nsam : int
            Size of the ensemble, see `predict_ens`.
        rng : numpy.random.Generator, optional
            As of `predict_sample`.

        Returns
        -------
        mean : (N, o) ndarray
            Mean.
        variance : (N, o) ndarray or None
            Variance without noise, by M - 1; None for msc = 0.
        covariance : (N, N, o) ndarray or None
            Covariance of each output's rows; None unless msc = 2.
        """
        if msc not in (0, 1, 2):
            raise InputError(f"msc is {msc}; 0, 1 and 2 are known")
        at_least("nsam", nsam, 1 if msc == 0 else 2)
        sample = self._draw(self._inputs(x), nsam, rng or self._rng)
        mean = sample.mean(axis=0)
        variance = sample.var(axis=0, ddof=1) if msc else None
        covariance = None
        if msc == 2:
            off = sample - mean
            covariance = np.einsum("kio,kjo->ijo", off, off) / (len(sample) - 1)
        return mean, variance, covariance

    def predict(self, x: ArrayLike) -> Prediction:
        """Predict with stds.

        Parameters
        ----------
        x : (N, d) array_like
            Inputs.

        Returns
        -------
        Prediction
            Fields of the shape of the targets that were fitted, (N,) or (N, o), in their units. The
            noise has a field of its own, and is part of `total_std`.

        Raises
        ------
        InputError
            For inputs of another shape than fitted, and before `fit`.
        """
        parts = self._predict(self._inputs(x))
        return Prediction(*(part[:, 0] if self._flat else part for part in parts))

    def _inputs(self, x: ArrayLike) -> Array:
        if self._shape is None:
            raise InputError(f"{type(self).__name__} has not been fitted: call fit(x, y) first")
        return checked_inputs(x, self._shape)

    def _usual_number(self) -> int:
        return 10

    @abstractmethod
    def _fit(self, x: Array, y: Array, rng: np.random.Generator) -> None:
        """Fits inputs (N, ...) and targets (N, o)."""

    @abstractmethod
    def _draw(self, x: Array, n: int, rng: np.random.Generator) -> Array:
        """(n or fewer, N, o) predictions without noise."""

    @abstractmethod
    def _predict(self, x: Array) -> tuple[Array, Array, Array, Array]:
        """(N, o) each: mean, epistemic std, model-error std, noise std."""


def spread(predictions: Array, noise: Array) -> tuple[Array, Array, Array, Array]:
    """Mean, epistemic std, no model error, and noise (o,) of predictions (k, N, o)."""
    mean, std = predictions.mean(axis=0), predictions.std(axis=0, ddof=1)
    return mean, std, np.zeros_like(mean), np.broadcast_to(noise, mean.shape).copy()
