"""snap_al.inference.methods: The family of posteriors: one contract for all, and each against an
oracle written the slow way.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snap_al.errors import FitError
from snap_al.inference import Posterior, fit_posterior, fit_settings
from snap_al.inference.contract import validate_posterior

SHORT = {"posterior": "mcmc", "draws": 300, "tune": 400}
METHODS = {
    "embedded": {},
    "bayes": {"posterior": "bayes"},
    "bayes, known noise": {"posterior": "bayes", "noise_std": 0.1},
    "variational": {"posterior": "variational"},
    "committee": {"posterior": "committee"},
    "pops": {"posterior": "pops"},
    "whitened": {"embedding": "whitened"},
    "whitened abc": {"embedding": "whitened", "likelihood": "abc"},
    "whitened joint": {"embedding": "whitened", "mean": "joint"},
    "full joint": {"mean": "joint"},
    "coefficients": {"embedding": "coefficients"},
    "some coefficients": {"embedding": "coefficients", "embed": (0, 2)},
    "coefficients joint": {"embedding": "coefficients", "mean": "joint"},
    "coefficients auto": {"embedding": "coefficients", "embed": "auto"},
    "full likelihood": {"embedding": "whitened", "likelihood": "full"},
    "inferred noise": {"noise": "inferred"},
    "whitened, inferred noise": {"embedding": "whitened", "noise": "inferred"},
    "half-normal": {"embedding": "whitened", "prior": "half-normal"},
    "half-cauchy": {"embedding": "whitened", "prior": "half-cauchy"},
    "laplace": {"embedding": "whitened", "laplace": True},
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("options", METHODS.values(), ids=METHODS)
def test_contract(options):
    samples = options.get("posterior") == "pops"  # drawn along axes whose signs follow rounding
    approximate = (
        {"tolerance": 2e-2} if samples or options.get("likelihood") or "mean" in options else {}
    )
    validate_posterior(
        lambda a, b, w, comm: fit_posterior(a, b, w, comm=comm, **options), **approximate
    )


def line(seed=0, m=300, n=4, misfit=0.5):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, m)
    a = np.vander(x, n)
    return a, np.sin(3.0 * x) ** 2 + misfit * x**5, rng.uniform(0.5, 2.0, m)


def test_variational_is_the_nearest_mean_field():
    """No other diagonal covariance is nearer to N(μ, Σ) in Kullback-Leibler divergence."""
    a, b, w = line()
    full = fit_posterior(a, b, w, posterior="bayes", prior_precision=1e-3)
    field = fit_posterior(a, b, w, posterior="variational", prior_precision=1e-3)
    inverse = np.linalg.inv(full.epistemic)
    np.testing.assert_allclose(
        field.epistemic, np.diag(1.0 / np.diag(inverse)), rtol=1e-6, atol=1e-14
    )

    def divergence(v):
        return 0.5 * (np.sum(np.diag(inverse) * v) - np.sum(np.log(v)))

    best = divergence(np.diag(field.epistemic))
    rng = np.random.default_rng(0)
    assert all(
        divergence(np.diag(field.epistemic) * rng.uniform(0.7, 1.4, 4)) > best for _ in range(50)
    )
    assert (field.predict(a).epistemic_std <= full.predict(a).epistemic_std.max()).all()


def test_inverse_gamma_noise():
    """σ² and the covariance are the means of the normal-inverse-gamma posterior, by integration
    over σ² on a grid.
    """
    a, b, w = line(m=30)
    shape, scale, ridge = 3.0, 0.2, 0.1
    p = fit_posterior(
        a, b, w, posterior="bayes", prior_precision=ridge, noise_shape=shape, noise_scale=scale
    )
    rows, targets = a * w[:, None], b * w
    precision = ridge * np.diag(np.square(np.linalg.norm(rows, axis=0)))
    gram = rows.T @ rows + precision
    mean = np.linalg.solve(gram, rows.T @ targets)
    misfit = np.sum((targets - rows @ mean) ** 2) + mean @ precision @ mean
    grid = np.exp(np.linspace(np.log(1e-4), np.log(10), 20001))
    log_density = -(shape + 1 + 15) * np.log(grid) - (scale + 0.5 * misfit) / grid
    density = np.exp(log_density - log_density.max()) * grid  # d(log σ²)
    expected = np.sum(grid * density) / np.sum(density)
    assert p.residual_variance == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(p.epistemic, expected * np.linalg.inv(gram), rtol=1e-6)


def test_committee_members_are_weighted_least_squares():
    a, b, w = line(m=60)
    units = np.repeat(np.arange(20), 3)
    p = fit_posterior(a, b, w, posterior="committee", members=6, prior_precision=1e-6, units=units)
    rows, targets = a * w[:, None], b * w
    precision = 0.8e-6 * np.diag(np.square(np.linalg.norm(rows, axis=0)))
    for draw in p.draws:
        best = None
        residual = targets - rows @ p.mean
        # what a member solves is linear in its counts; they are integers, equal within a unit
        gradient = np.array(
            [rows[units == u].T @ (targets - rows @ draw)[units == u] for u in range(20)]
        )
        counts, *_ = np.linalg.lstsq(gradient.T, precision @ (draw - p.mean), rcond=None)
        best = np.abs(gradient.T @ counts - precision @ (draw - p.mean)).max()
        assert best < 1e-8
        assert np.isfinite(residual).all()
    again = fit_posterior(
        a[::-1],
        b[::-1],
        w[::-1],
        posterior="committee",
        members=6,
        prior_precision=1e-6,
        units=units[::-1],
    )
    np.testing.assert_allclose(again.draws, p.draws, rtol=1e-8)


def test_committee_spread_is_the_bootstrap_s():
    """Against members drawn and solved one by one; over many, the same covariance."""
    a, b, w = line(m=200)
    rng = np.random.default_rng(1)
    rows, targets = a * w[:, None], b * w
    slow = []
    for _ in range(400):
        k = rng.poisson(0.8, 200)
        slow.append(
            np.linalg.lstsq(rows * np.sqrt(k)[:, None], targets * np.sqrt(k), rcond=None)[0]
        )
    p = fit_posterior(a, b, w, posterior="committee", members=400, prior_precision=1e-8)
    expected = np.sqrt(np.diag(np.cov(np.array(slow).T)))
    np.testing.assert_allclose(np.sqrt(np.diag(p.epistemic)), expected, rtol=0.15)


def test_pops_is_the_package():
    from popsregression import POPSRegression

    a, b, w = line()
    p = fit_posterior(a, b, w, posterior="pops", seed=3)
    rows, targets = a * w[:, None], b * w
    norms = np.linalg.norm(rows, axis=0)
    np.random.seed(3)
    package = POPSRegression().fit(rows / norms, targets)
    mean, std, epistemic = package.predict(a / norms, return_std=True, return_epistemic_std=True)
    ours = p.predict(a)
    np.testing.assert_allclose(ours.mean, mean, rtol=1e-9)
    np.testing.assert_allclose(ours.total_std, std, rtol=1e-6)
    np.testing.assert_allclose(ours.epistemic_std, epistemic, rtol=1e-6)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("likelihood", "embedding"), [("iid", "coefficients"), ("iid", "full"), ("abc", "whitened")]
)
def test_mcmc(likelihood, embedding):
    """Near the point estimate of the same likelihood, with chains that have mixed and say so; and
    it is stored.
    """
    a, b, w = line(m=150, n=3)
    p = fit_posterior(a, b, w, **SHORT, likelihood=likelihood, embedding=embedding)
    assert p.diagnostics["largest_r_hat"] < 1.05
    assert p.diagnostics["smallest_ess"] > 50
    point = fit_posterior(
        a,
        b,
        w,
        likelihood=likelihood,
        embedding="whitened" if embedding == "full" else embedding,
        mean="joint",
    )
    sampled, expected = p.predict(a), point.predict(a)
    scale = expected.total_std.mean()
    np.testing.assert_allclose(sampled.mean, expected.mean, atol=0.7 * scale)
    assert 0.6 < np.median(sampled.total_std / expected.total_std) < 1.8
    draws = p.sample(4000, np.random.default_rng(0)) @ a.T
    np.testing.assert_allclose(
        draws.std(axis=0), np.hypot(sampled.epistemic_std, sampled.model_error_std), rtol=0.2
    )
    again = Posterior.from_bytes(p.to_bytes())
    assert again.diagnostics == p.diagnostics
    assert np.array_equal(again.draws, p.draws)


@pytest.mark.filterwarnings("ignore")
def test_mcmc_that_has_not_mixed_is_refused():
    a, b, w = line(m=40, n=4)
    with pytest.raises(FitError, match="not mixed"):
        fit_posterior(a, b, w, posterior="mcmc", embedding="coefficients", draws=10, tune=10)


@pytest.mark.filterwarnings("ignore")
def test_mcmc_that_cannot_begin_is_refused():
    """The sampler's panic would pass by all handlers of exceptions."""
    a, b, w = line(m=60, n=4)
    options = {"likelihood": "abc", "noise": "inferred", "embedding": "whitened"}
    with pytest.raises(FitError, match="take `noise: fixed`"):
        fit_posterior(a, b, w, posterior="mcmc", draws=50, tune=50, **options)


def test_auto_takes_the_coefficients_that_matter():
    """Noise that grows along two columns is embedded in those two."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((2000, 8))
    b = (
        a @ rng.standard_normal(8)
        + rng.standard_normal(2000) * a[:, 2]
        + 0.8 * rng.standard_normal(2000) * a[:, 5]
    )
    p = fit_posterior(a, b, embedding="coefficients", embed="auto", noise_fraction=1e-3)
    v = np.diag(p.model_error)
    assert set(np.flatnonzero(v > 0.05 * v.max())) == {2, 5}
    assert np.count_nonzero(v > 1e-12 * v.max()) <= 4
    np.testing.assert_allclose(np.sqrt(v[[2, 5]]), [1.0, 0.8], rtol=0.15)


@pytest.mark.parametrize("embed", [(9,), ("B_1.1.0",)])
def test_a_coefficient_that_is_not_there(embed):
    a, b, w = line()
    with pytest.raises(FitError, match="embed"):
        fit_posterior(a, b, w, embedding="coefficients", embed=embed)


def test_settings_that_do_not_go_together_are_refused():
    for options in (
        {"multiplicative": True},
        {"embed": "auto"},
        {"likelihood": "abc"},
        {"posterior": "mcmc", "likelihood": "full"},
        {"posterior": "mcmc", "prior": "flat"},
        {"prior": "jeffreys"},
    ):
        with pytest.raises(ValueError, match=r"embedding|mcmc|does not apply"):
            fit_settings(**options)


@given(seed=st.integers(0, 10**6), scale=st.floats(-4, 4))
@settings(max_examples=10, deadline=None)
def test_a_column_without_data_keeps_a_std(seed, scale):
    rng = np.random.default_rng(seed)
    a = np.column_stack([rng.standard_normal((60, 3)), np.zeros(60)]) * 10.0**scale
    b = a.sum(axis=1) + rng.standard_normal(60)
    for options in (
        {},
        {"posterior": "committee"},
        {"posterior": "variational"},
        {"embedding": "whitened"},
    ):
        p = fit_posterior(a, b, **options).predict(np.eye(4))
        assert np.isfinite(p.total_std).all()
        assert p.epistemic_std[3] > 0


def test_bad_rows_give_an_answer_or_an_error():
    """Fewer rows than columns, equal and zero columns, constant targets, weights over 12 decades,
    one outlier of 1e6.
    """
    rng = np.random.default_rng(0)
    a = rng.standard_normal((80, 6))
    b = a.sum(axis=1) + 0.1 * rng.standard_normal(80)
    w = np.ones(80)
    outlier = b.copy()
    outlier[3] = 1e6
    cases = [
        (a[:4], b[:4], w[:4]),
        (np.column_stack([a, a[:, 0], np.zeros(80)]), b, w),
        (a, np.zeros(80), w),
        (a, np.full(80, 3.0), w),
        (a, b, 10.0 ** rng.uniform(-12, 0, 80)),
        (a, outlier, w),
    ]
    for (rows, targets, weights), options in itertools.product(
        cases, ({}, {"posterior": "bayes"}, {"embedding": "whitened"})
    ):
        p = fit_posterior(rows, targets, weights, **options).predict(rows)
        assert np.isfinite(p.mean).all()
        assert np.isfinite(p.total_std).all()
        assert (p.total_std >= 0).all()
    kept = fit_posterior(*cases[4]).predict(a)
    heavy = cases[4][2] > 1e-2
    assert np.abs(kept.mean - b)[heavy].max() < 1.0


@pytest.mark.parametrize(
    "options", [{}, {"posterior": "bayes"}, {"embedding": "coefficients", "mean": "joint"}]
)
def test_remarks_name_columns_and_rows(options):
    rng = np.random.default_rng(0)
    a = rng.standard_normal((80, 4))
    b = a.sum(axis=1) + 0.1 * rng.standard_normal(80)
    assert fit_posterior(a, b, **options).remarks == ()
    holes = fit_posterior(np.column_stack([a, np.zeros(80), a[:, 0]]), b, **options)
    assert "column 4" in holes.remarks[0]
    assert "leave 1 of 6 combinations" in holes.remarks[1]
    assert Posterior.from_bytes(holes.to_bytes()).remarks == holes.remarks
    b[7] = 1e6
    assert "row 7 (energy" in fit_posterior(a, b, **options).remarks[0]
    with pytest.raises(FitError, match="every row is zero"):
        fit_posterior(0.0 * a, b, embedding="whitened", laplace=True)
