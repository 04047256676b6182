"""snap_al.uncertainty.calibration: Calibration measures against their definitions, on errors whose
distribution is known.
"""

import numpy as np
import pytest
from helpers.samples import CHEM, COPPER, PLAIN
from scipy import stats

from snap_al.descriptors import columns_named
from snap_al.errors import InputError
from snap_al.inference import Posterior, fit_posterior, fit_settings
from snap_al.uncertainty import kind_metrics, scale_factor, wilson


def gaussian(factor, n=20000):
    rng = np.random.default_rng(0)
    std = rng.uniform(0.1, 2.0, n)
    return factor * std * rng.standard_normal(n), std


def test_a_calibrated_gaussian():
    error, std = gaussian(1.0)
    m = kind_metrics(error, std)
    for level, inside in m.coverage.items():
        assert inside == pytest.approx(level, abs=0.012)
    np.testing.assert_allclose(m.pit, 0.1, atol=0.01)
    assert m.sharpness == pytest.approx(np.sqrt(np.mean(error**2)), rel=0.02)
    assert m.nll == pytest.approx(-np.mean(stats.norm.logpdf(error, scale=std)), rel=1e-9)
    assert scale_factor(error, std) == pytest.approx(1.0, abs=0.02)


def test_crps_by_its_integral():
    error, std = np.array([0.3, -2.0]), np.array([0.5, 1.0])
    x = np.linspace(-15, 15, 400001)
    expected = [
        np.trapezoid((stats.norm.cdf(x, e, s) - (x >= 0)) ** 2, x)
        for e, s in zip(error, std, strict=True)
    ]
    assert kind_metrics(error, std).crps == pytest.approx(np.mean(expected), rel=1e-4)


def test_stds_that_are_too_small_fill_the_ends():
    error, std = gaussian(3.0)
    m = kind_metrics(error, std)
    assert m.pit[0] > 0.3
    assert m.pit[-1] > 0.3
    assert m.coverage_1sigma < 0.3
    assert scale_factor(error, std) == pytest.approx(3.0, rel=0.02)


def test_the_pit_has_the_truth_s_side():
    """Predictions too low: the truth is in the upper tail."""
    assert kind_metrics(np.full(50, -1.5), np.ones(50)).pit[9] == 1.0


def test_wilson_interval():
    low, high = wilson(0.5, 20)
    found = stats.binomtest(10, 20).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((found.low, found.high), abs=1e-4)


def test_recalibration_is_recorded():
    """By the kind's factor, stored, and cross-validated factors are those of refits without each
    unit.
    """
    rng = np.random.default_rng(0)
    a = rng.standard_normal((120, 4))
    b = a @ rng.standard_normal(4) + rng.standard_normal(120) * np.abs(a[:, 0])
    kinds, units = np.tile([0, 1, 1], 40).astype(np.int8), np.repeat(np.arange(40), 3)
    p = fit_posterior(a, b, kinds=kinds, units=units, recalibrate=True, prior_precision=1e-9)
    plain = fit_posterior(a, b, kinds=kinds, units=units, prior_precision=1e-9)
    assert (p.recalibration[:2] != 1.0).all()
    assert p.recalibration[2] == 1.0
    np.testing.assert_allclose(
        p.predict(a, kinds=kinds).total_std,
        p.recalibration[kinds] * plain.predict(a, kinds=kinds).total_std,
        rtol=1e-12,
    )
    assert np.array_equal(Posterior.from_bytes(p.to_bytes()).recalibration, p.recalibration)
    z2 = np.zeros((2, 2))
    for unit in range(40):
        here = units == unit
        mean = np.linalg.lstsq(a[~here], b[~here], rcond=None)[0]
        root = plain.left_out(a[here])
        variance = (
            np.einsum("ij,jk,ik->i", a[here], root, a[here]) + plain.noise_by_kind[kinds[here]] ** 2
        )
        for z, k in zip((b[here] - a[here] @ mean) ** 2 / variance, kinds[here], strict=True):
            z2[k] += (z, 1.0)
    np.testing.assert_allclose(p.recalibration[:2], np.sqrt(z2[:, 0] / z2[:, 1]), rtol=1e-4)
    with pytest.raises(ValueError, match="recalibrate"):
        fit_settings(posterior="bayes", recalibrate=True)


def test_columns_by_name():
    names = columns_named(PLAIN, ["Cu:B_0.0.0"])
    assert names == (0,)
    assert len(columns_named(PLAIN, ["B_0.0.0"])) == 2
    assert len(columns_named(COPPER, ["constant", 1])) == 2
    assert len(columns_named(CHEM, ["Ag"])) > 10
    with pytest.raises(InputError, match=r"'B_9\.9\.9' is no column"):
        columns_named(PLAIN, ["B_9.9.9"])
