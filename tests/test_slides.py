"""examples/slides: The numbers of examples/slides: what the talk says of each method is so."""

import sys

import numpy as np
import pytest
from helpers.calls import ROOT

sys.path.insert(0, str(ROOT / "examples" / "slides"))
import committee
import polynomials
import residuals
import sine


def over_seeds(n):
    found = [sine.coverage(n, seed) for seed in range(5)]
    return {m: np.median([f[m] for f in found], axis=0) for m in sine.METHODS}


def test_more_data_make_a_wrong_model_surer():
    """The conventional std goes down as 1/√N and its coverage with it; embedded model error stays
    with the residual.
    """
    few, many = over_seeds(100), over_seeds(10000)
    assert many["conventional"][1] == pytest.approx(few["conventional"][1] / 10, rel=0.3)
    assert many["conventional"][0] < 0.05
    for name in ("IID", "ABC", "default"):
        assert 0.45 < many[name][0] < 0.8, name
        assert 0.5 < many[name][1] / few[name][1] < 2.0, name


def test_an_external_correction_is_of_no_use_elsewhere():
    found = [sine.transfer(seed) for seed in range(3)]
    mean = {k: np.mean([f[k] for f in found]) for k in found[0]}
    assert mean["Kennedy-O'Hagan, y"] > 0.9
    assert (
        mean["Kennedy-O'Hagan, rms residual of the cubic"]
        > 1.3 * mean["least squares, rms residual of the cubic"]
    )
    assert mean["width of that slope"] > 3 * mean["default, width of that slope"]


@pytest.mark.parametrize("scenario", list(polynomials.SCENARIOS))
def test_variational_underestimates(scenario):
    """By a factor that grows with the order; the full posterior is about right once the polynomial
    can follow.
    """
    orders, _ = polynomials.SCENARIOS[scenario]
    found = {order: polynomials.compared(scenario, order) for order in orders}
    factors = [found[o]["full over variational"] for o in orders]
    assert factors == sorted(factors)
    assert factors[0] > 2
    assert factors[-1] > 5
    assert 0.4 < found[orders[-1]]["std over error, full"] < 1.6
    assert found[orders[-1]]["std over error, variational"] < 0.25


def test_where_a_committee_helps():
    """Ten seeds: Griewank in four dimensions."""
    low = committee.compared("Griewank", 4, "polynomial")
    assert low["high"] < 0.9
    assert (np.diff(np.log(low["committee"])) < 0.3).all()


@pytest.mark.slow
def test_where_a_committee_does_not_help():
    """Ten seeds: Griewank in 32 dimensions, where no learner can follow it yet."""
    high = committee.compared("Griewank", 32, "polynomial")
    assert 0.9 < high["ratio"] < 1.2


def test_stds_follow_residuals_of_ta(data, tmp_path):
    """Three splits: conventional stds cover next to nothing of the forces; IID more than half of it
    within one std.
    """
    rows = residuals.rows_of(data / residuals.DECKS["Ta"], tmp_path)
    found = [residuals.compared(rows, seed) for seed in range(3)]
    mean = {
        m: {
            k: np.mean([getattr(f[m]["metrics"], k) for f in found])
            for k in ("coverage_1sigma", "coverage_2sigma", "spearman")
        }
        for m in found[0]
    }
    assert mean["conventional"]["coverage_2sigma"] < 0.2
    for name in ("embedded, IID", "embedded, any covariance (default)"):
        assert mean[name]["coverage_2sigma"] > 0.75, name
        assert mean[name]["spearman"] > 0.5, name
    assert mean["embedded, ABC"]["coverage_2sigma"] > 3 * mean["conventional"]["coverage_2sigma"]
