"""The noise of targets: given, or found from residuals."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snap_al.errors import InputError
from snap_al.nn.checks import positive

Array = NDArray[np.float64]
LEAST = 1e-6
"""Least std of the noise next to that of the targets."""


def given_noise(noise_std: ArrayLike | None, n_outputs: int) -> Array | None:
    """(o,) stds that were given, as one number or one for each output. Raises InputError."""
    if noise_std is None:
        return None
    positive("noise_std", noise_std)
    values = np.asarray(noise_std, dtype=float)
    if values.shape not in ((), (n_outputs,)):
        raise InputError(f"noise_std has shape {values.shape} for {n_outputs} outputs")
    return np.broadcast_to(values, (n_outputs,)).copy()


def target_stds(y: Array) -> Array:
    """(o,) stds of targets (N, o); 1 where all are equal."""
    stds = y.std(axis=0)
    return np.asarray(np.where(stds > 0, stds, 1.0))


def noise_of_members(predictions: Array, y: Array, counts: Array) -> Array:
    """(o,) noise stds, from rows that members have not seen where there are such.

    The mean over members that have not seen a row is off by the noise and by about the spread of
    members, so that its squared residual less their variance is the variance of the noise. Where
    every member has seen every row, residuals of the mean over all members are taken, which are too
    small where a network fits the noise.

    predictions: (k, N, o), y: (N, o), counts: (k, N) how often each member saw each row.
    """
    unseen = counts == 0
    usable = unseen.sum(axis=0) >= 2
    if usable.sum() < 2:
        variance = np.square(y - predictions.mean(axis=0)).mean(axis=0)
    else:
        weights = unseen[:, usable] / unseen[:, usable].sum(axis=0)
        mean = np.einsum("kn,kno->no", weights, predictions[:, usable])
        spread = predictions[:, usable].var(axis=0, ddof=1)
        variance = (np.square(y[usable] - mean) - spread).mean(axis=0)
    least = np.square(LEAST * target_stds(y))
    return np.asarray(np.sqrt(np.maximum(variance, least)))
