"""The contract that every regressor must keep, for our own and for those of third parties."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from snap_al.errors import SnapALError
from snap_al.inference import Prediction
from snap_al.nn.regressor import Regressor

Array = NDArray[np.float64]
Make = Callable[[], Regressor]
ROUNDING = 1e-9
"""Relative; what the same sums may differ by in another order."""
MEAN_OFF, SPREAD_OFF = 0.5, 0.6
"""What moments of a sample may differ by from those of `predict`, next to its stds."""


def validate_regressor(make: Make, seed: int = 0) -> None:
    """Raises AssertionError saying which law broke.

    make: a regressor that has not been fitted, for two inputs and two outputs, the same at each
    call. The rows are 40 of a linear model with noise.

    `fit` returns the regressor and changes no rows; the same seed gives the same predictions; the
    global random numbers of numpy and torch are left alone; a row's prediction does not depend on
    the other rows; results have their shapes; stds are finite, and the epistemic one is positive;
    moments of samples are those of `predict`; rows that are no numbers or do not fit together are
    refused by name.
    """
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1.0, 1.0, (40, 2))
    y = x @ np.array([[1.0, -0.5], [0.5, 2.0]]) + 0.2 + 0.1 * rng.standard_normal((40, 2))
    probe = rng.uniform(-1.5, 1.5, (7, 2))
    before = x.copy(), y.copy()
    regressor = make()
    state = _global_state()
    assert regressor.fit(x, y) is regressor, "fit does not return the regressor"
    assert np.array_equal(before[0], x), "fit changed x"
    assert np.array_equal(before[1], y), "fit changed y"
    prediction = regressor.predict(probe)
    _check_prediction(prediction, y)
    assert _global_state() == state, "global random numbers were used"
    again = make().fit(x, y).predict(probe)
    assert np.array_equal(prediction.mean, again.mean), "the same seed gives another mean"
    assert np.array_equal(prediction.total_std, again.total_std), "the same seed gives another std"
    for name in ("mean", "epistemic_std", "model_error_std", "noise_std"):
        whole, part = getattr(prediction, name), getattr(regressor.predict(probe[2:4]), name)
        assert np.allclose(whole[2:4], part, rtol=ROUNDING, atol=ROUNDING), (
            f"a row depends on the other rows: {name}"
        )
    _check_samples(regressor, probe, prediction)
    _check_moments(regressor, probe, prediction)
    _check_refusals(make, regressor, x, y)


def _check_prediction(prediction: Prediction, y: Array) -> None:
    for name in ("mean", "epistemic_std", "model_error_std", "noise_std", "total_std"):
        values = getattr(prediction, name)
        assert values.shape == (7, 2), f"{name} has shape {values.shape}, not that of the targets"
        assert np.isfinite(values).all(), f"{name} is not finite"
    for name in ("model_error_std", "noise_std"):
        assert (getattr(prediction, name) >= 0).all(), f"{name} is negative"
    assert (prediction.epistemic_std > 0).all(), "the epistemic std vanishes"
    assert (prediction.total_std < 10.0 * np.ptp(y)).all(), "a std is beyond use"


def _check_samples(regressor: Regressor, probe: Array, prediction: Prediction) -> None:
    one = regressor.predict_sample(probe, rng=np.random.default_rng(1))
    same = regressor.predict_sample(probe, rng=np.random.default_rng(1))
    assert one.shape == (7, 2), f"a sample has shape {one.shape}"
    assert np.array_equal(one, same), "the same generator gives another sample"
    assert not np.array_equal(one, prediction.mean), "a sample is the mean"
    ensemble = regressor.predict_ens(probe, nens=3)
    assert ensemble.shape == (3, 7, 2), f"three samples have shape {ensemble.shape}"
    assert not np.array_equal(ensemble[0], ensemble[1]), "two samples are equal"
    assert regressor.predict_ens(probe).shape[1:] == (7, 2), "the usual number of samples"


def _check_moments(regressor: Regressor, probe: Array, prediction: Prediction) -> None:
    mean, variance, covariance = regressor.predict_mom_sample(probe, msc=0, nsam=20)
    assert mean.shape == (7, 2), f"a mean has shape {mean.shape}"
    assert variance is None, "a variance that was not asked for"
    mean, variance, covariance = regressor.predict_mom_sample(probe, msc=1, nsam=20)
    assert variance is not None, "no variance"
    assert covariance is None, "a covariance that was not asked for"
    mean, variance, covariance = regressor.predict_mom_sample(probe, msc=2, nsam=2000)
    assert variance is not None, "no variance"
    assert covariance is not None, "no covariance"
    assert covariance.shape == (7, 7, 2), f"a covariance has shape {covariance.shape}"
    diagonal = np.einsum("iio->io", covariance)
    assert np.allclose(diagonal, variance), "the covariance's diagonal is not the variance"
    assert np.allclose(covariance, covariance.transpose(1, 0, 2)), "a covariance is not symmetric"
    std = np.hypot(prediction.epistemic_std, prediction.model_error_std)
    assert (np.abs(mean - prediction.mean) < MEAN_OFF * std).all(), "samples have another mean"
    assert (np.abs(np.sqrt(variance) - std) < SPREAD_OFF * std).all(), "samples have another std"


def _check_refusals(make: Make, regressor: Regressor, x: Array, y: Array) -> None:
    wrong = np.where(np.arange(len(x))[:, None] == 3, np.nan, y)
    _refused(lambda: make().fit(x, wrong), "targets that are no numbers")
    _refused(lambda: make().fit(x[:-1], y), "rows of another number than targets")
    _refused(lambda: regressor.predict(x[:, :1]), "inputs of another width")
    _refused(lambda: make().predict(x), "a prediction before the fit")


def _refused(call: Callable[[], object], what: str) -> None:
    try:
        call()
    except SnapALError:
        return
    raise AssertionError(f"not refused by an error of snap_al: {what}")


def _global_state() -> tuple[object, ...]:
    import torch

    name, keys, *rest = np.random.get_state()
    return (name, np.asarray(keys).tobytes(), *rest, torch.get_rng_state().numpy().tobytes())
