"""snap_al.inference.posterior: Posteriors against dense oracles written the slow way, and the laws
that any posterior must keep.
"""

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from snap_al.errors import FitError, InputError
from snap_al.inference import (
    Block,
    Posterior,
    fit_blocks,
    fit_posterior,
    fit_settings,
    refit,
    square_root,
    triangle_of,
)
from snap_al.inference.embedded import iid_variances
from snap_al.inference.factor import Factor
from snap_al.parallel import SERIAL, triangular_factor

BAYES = fit_settings(posterior="bayes")


def problem(seed=0, m=200, n=8, misfit=0.3):
    """Rows of very different columns, and targets that no coefficients reproduce."""
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((m, n)) * 10.0 ** rng.uniform(-3, 3, n)
    b = a @ (rng.standard_normal(n) / np.abs(a).mean(axis=0)) + misfit * np.sin(
        3 * a[:, 0] / np.abs(a[:, 0]).mean()
    )
    return a, b, rng.uniform(0.5, 2.0, m)


def dense_posterior(a, b, w, ridge, variance):
    """(ÃᵀÃ + κN²)⁻¹ by inverting; fine for small, well-scaled problems only."""
    rows, targets = a * w[:, None], b * w
    norms = np.linalg.norm(rows, axis=0)
    information = rows.T @ rows + ridge * np.diag(norms**2)
    return np.linalg.solve(information, rows.T @ targets), variance * np.linalg.inv(information)


@pytest.mark.parametrize("ridge", [1e-6, 1e-2, 1.0])
def test_bayes_is_the_conjugate_posterior(ridge):
    a, b, w = problem()
    p = fit_posterior(a, b, w, posterior="bayes", prior_precision=ridge)
    mean, covariance = dense_posterior(a, b, w, ridge, p.residual_variance)
    np.testing.assert_allclose(p.mean, mean, rtol=1e-7)
    np.testing.assert_allclose(
        p.epistemic, covariance, rtol=1e-6, atol=1e-8 * np.abs(covariance).min()
    )


def dense_evidence(a, b, w, ridge, variance):
    """log N(ỹ; 0, σ² (1 + Ã (κN²)⁻¹ Ãᵀ)) from its m by m covariance."""
    rows, targets = a * w[:, None], b * w
    norms = np.linalg.norm(rows, axis=0)
    covariance = variance * (np.eye(len(b)) + (rows / norms) @ (rows / norms).T / ridge)
    _, logdet = np.linalg.slogdet(covariance)
    return -0.5 * (targets @ np.linalg.solve(covariance, targets) + logdet)


def test_evidence_is_at_its_maximum():
    a, b, w = problem(m=60, n=5)
    rows = np.column_stack([a, b]) * w[:, None]
    f = Factor.of(triangular_factor(SERIAL, rows), len(b), None, SERIAL)
    ridge = f.evidence_ridge()
    best = dense_evidence(a, b, w, ridge, f.noise_variance(ridge))
    for factor in (0.8, 1.25):
        assert dense_evidence(a, b, w, ridge * factor, f.noise_variance(ridge)) < best
        assert dense_evidence(a, b, w, ridge, f.noise_variance(ridge) * factor) < best


def residual_block(rows, residuals):
    return [Block(rows.copy(), residuals, np.ones(len(rows), bool), residuals=residuals)]


def negative_log_posterior(v, squared, r, noise, alpha, mode):
    s2 = squared @ v + noise
    return 0.5 * np.sum(r**2 / s2 + np.log(s2)) + alpha * np.sum(np.log(v) + mode / v)


def test_variances_minimise_the_objective():
    """Against a general optimiser on log v with numerical gradients."""
    rng = np.random.default_rng(0)
    q, _ = np.linalg.qr(rng.standard_normal((120, 4)))
    squared, r, noise = q**2, rng.standard_normal(120) * (0.2 + np.abs(q[:, 0]) * 8), 0.01
    found = iid_variances(residual_block(q, r), noise, SERIAL, pseudo_rows=1.0, tolerance=1e-12)
    mode = max(np.sum(r**2) / 4, noise)

    def cost(x):
        return negative_log_posterior(np.exp(x), squared, r, noise, 0.5, mode)

    oracle = scipy.optimize.minimize(
        cost,
        np.full(4, np.log(mode)),
        method="Nelder-Mead",
        options={"maxiter": 20000, "fatol": 1e-11, "xatol": 1e-9},
    )
    assert found.objective[-1] == pytest.approx(oracle.fun, abs=1e-6)
    np.testing.assert_allclose(np.log(found.v), oracle.x, atol=1e-3)


@given(seed=st.integers(0, 10**6), pseudo=st.sampled_from([1e-3, 1.0, 10.0]))
@settings(max_examples=30, deadline=None)
def test_the_update_is_monotone(seed, pseudo):
    rng = np.random.default_rng(seed)
    squared = rng.gamma(0.3, size=(50, 6))
    r = rng.standard_normal(50) * 10.0 ** rng.uniform(-2, 2)
    found = iid_variances(
        residual_block(np.sqrt(squared), r), 1e-4, SERIAL, pseudo_rows=pseudo, tolerance=0.0
    )
    steps = np.diff(found.objective)
    assert (steps <= 1e-10 * np.abs(found.objective[:-1])).all()


def test_embedded_covers_what_the_model_cannot_represent():
    """The slides' example: sin⁴(2x - 0.3) by a cubic. With many points bayes' pushed-forward std
    covers next to nothing of the residual; the embedded one covers about what a std should. Over
    seeds, on points not fitted."""
    plain, embedded = [], []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        x, new = rng.uniform(-1, 1, (2, 2000))
        rows, test = (np.vander(t, 4) for t in (x, new))

        def truth(t):
            return np.sin(2 * t - 0.3) ** 4

        for settings_, out in ((BAYES, plain), (fit_settings(), embedded)):
            p = fit_posterior(rows, truth(x), **settings_.options).predict(test)
            std = np.hypot(p.epistemic_std, p.model_error_std)
            out.append(np.mean(np.abs(p.mean - truth(new)) <= std))
    assert np.mean(plain) < 0.15
    assert 0.5 < np.mean(embedded) < 0.85


def test_leaving_out_is_refitting_without():
    """Exact for bayes at a fixed prior; dense refit as oracle."""
    a, b, w = problem(m=100)
    prior = np.linalg.norm(a * w[:, None], axis=0) ** 2 * 1e-3
    p = fit_posterior(a, b, w, posterior="bayes", prior_precision=1e-3)
    rows = a * w[:, None]
    expected = p.residual_variance * np.linalg.inv(rows[30:].T @ rows[30:] + np.diag(prior))
    np.testing.assert_allclose(p.left_out(rows[:30]), expected, rtol=1e-6)


def test_model_error_does_not_shrink_with_more_of_the_same():
    """A label like those that are there takes away epistemic std, and leaves model error as it
    is.
    """
    rng = np.random.default_rng(0)
    a = rng.standard_normal((400, 5))
    b = a @ rng.standard_normal(5) + np.sin(4 * a[:, 0])
    p = fit_posterior(a, b)
    q = a[:100] @ p.whitening
    after = p.with_information(q.T @ q)
    error = np.sqrt(np.diag(after) / np.diag(p.covariance))
    np.testing.assert_allclose(error, 1.0, atol=0.05)
    refitted = fit_posterior(np.vstack([a, a[:100]]), np.concatenate([b, b[:100]]))
    np.testing.assert_allclose(np.diag(after), np.diag(refitted.covariance), rtol=0.25)


def test_prior_mean_is_where_there_is_no_data():
    a, b, w = problem(m=30)
    a[:, 3] = 0.0
    p = fit_posterior(a, b, w, prior_mean=np.full(8, 7.0))
    assert p.mean[3] == pytest.approx(7.0)
    assert p.epistemic[3, 3] > 0
    assert p.model_error[3, 3] > 0


@pytest.mark.parametrize("name", ["embedded", "bayes", "variational", "committee"])
def test_noise_is_that_of_the_kinds_own_residuals_whatever_their_weights(name):
    """σ² of a kind is a share of its mean square residual in its own unit, averaged with w²; the
    kinds' shares together are what the fit's σ² of all rows says."""
    a, b, w = problem()
    kinds = np.repeat([0, 1], 100).astype(np.int8)
    w[100:] *= 1e-3
    p = fit_posterior(a, b, w, kinds=kinds, posterior=name, prior_precision=1e-6)
    r = b - a @ p.mean
    mean_squares = [np.average(r[kinds == k] ** 2, weights=w[kinds == k] ** 2) for k in (0, 1)]
    share = (p.noise_by_kind[:2] ** 2) / mean_squares
    expected = 0.01 if name == "embedded" else 1.0
    np.testing.assert_allclose(share, expected, rtol=0.05)
    assert p.noise_by_kind[2] == 0.0
    np.testing.assert_array_equal(p.predict(a, kinds=kinds).noise_std, p.noise_by_kind[kinds])


@pytest.mark.parametrize("embedding", ["full", "whitened", "coefficients"])
def test_stds_of_a_kind_are_those_of_its_errors_at_any_weight(embedding):
    """A kind that hardly counts in the fit has errors, and stds, that do not depend on how little
    it counts.
    """
    rng = np.random.default_rng(0)
    a = rng.standard_normal((600, 6))
    b = a @ rng.standard_normal(6) + 0.2 * np.sin(3 * a[:, 0])
    kinds = (np.arange(600) % 3).astype(np.int8)
    scale = np.array([1.0, 1.0, 1e5])[kinds]
    stds = []
    for weight in (1e-5, 1e-8, 1e-12):
        w = np.array([10.0, 1.0, weight])[kinds]
        p = fit_posterior(a * scale[:, None], b * scale, w, kinds=kinds, embedding=embedding)
        found = p.predict(a * scale[:, None], kinds=kinds)
        stress = kinds == 2
        ratio = np.sqrt(
            np.mean((b * scale - found.mean)[stress] ** 2) / np.mean(found.total_std[stress] ** 2)
        )
        assert 0.7 < ratio < 1.4
        stds.append(found.total_std[stress])
    np.testing.assert_allclose(stds[1], stds[2], rtol=0.05)


def test_storage_keeps_every_bit():
    a, b, w = problem()
    p = fit_posterior(a, b, w)
    again = Posterior.from_bytes(p.to_bytes())
    for name, value in vars(p).items():
        assert np.array_equal(value, getattr(again, name)), name
    with pytest.raises(InputError, match="no posterior"):
        Posterior.from_bytes(b"something else")
    with pytest.raises(InputError, match="no posterior"):
        Posterior.from_bytes(p.to_bytes()[:-100])


def test_samples_have_the_posteriors_moments():
    a, b, w = problem(n=3)
    p = fit_posterior(a, b, w)
    draws = p.sample(200_000, np.random.default_rng(0))
    np.testing.assert_allclose(
        draws.mean(axis=0), p.mean, atol=0.02 * np.sqrt(np.diag(p.covariance)).max()
    )
    np.testing.assert_allclose(
        np.cov(draws.T), p.covariance, rtol=0.05, atol=0.02 * np.abs(p.covariance).max()
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"A": np.nan}, "A is not finite"),
        ({"b": np.inf}, "b is not finite"),
        ({"w": 0.0}, "weight 0.0 in row 3"),
        ({"w": -1.0}, "weight -1.0 in row 3"),
    ],
)
def test_bad_numbers_are_refused(change, message):
    a, b, w = problem(m=20)
    arrays = {"A": a, "b": b, "w": w}
    for name, value in change.items():
        arrays[name][3] = value
    with pytest.raises(FitError, match=message):
        fit_posterior(**arrays)


def test_no_rows_and_wrong_shapes():
    with pytest.raises(FitError, match="no rows"):
        fit_posterior(np.zeros((0, 3)), np.zeros(0))
    with pytest.raises(FitError, match="shape"):
        fit_posterior(np.zeros((4, 3)), np.zeros(5))
    a, b, w = problem()
    with pytest.raises(InputError, match="for a posterior over 8"):
        fit_posterior(a, b, w).predict(np.zeros((2, 5)))


@given(m=st.integers(0, 30), n=st.integers(1, 8), seed=st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_triangular_factor(m, n, seed):
    rows = np.random.default_rng(seed).standard_normal((m, n))
    r = triangular_factor(SERIAL, rows)
    assert r.shape == (n, n)
    assert (np.tril(r, -1) == 0).all()
    np.testing.assert_allclose(r.T @ r, rows.T @ rows, atol=1e-12 * max(m, 1))


def test_square_root_of_a_singular_covariance():
    x = np.random.default_rng(0).standard_normal((5, 2)) * np.array([[1], [1e-4], [1e3], [0], [1]])
    covariance = x @ x.T
    root = square_root(covariance)
    np.testing.assert_allclose(root @ root.T, covariance, atol=1e-10 * np.abs(covariance).max())


def weighted_blocks(a, b, w):
    return [Block(a * w[:, None], b * w, np.ones(len(a), dtype=bool), weights=w)]


@pytest.mark.parametrize("name", ["bayes", "embedded"])
@given(seed=st.integers(0, 10**6), split=st.integers(20, 190))
@settings(max_examples=15, deadline=None)
def test_refit_is_the_fit_of_all_rows_with_model_error_as_it_was(name, seed, split):
    """The mean is that of the whole fit; the epistemic covariance is the dense sandwich with Σ_δ of
    the first rows.
    """
    a, b, w = problem(seed=seed)
    chosen = fit_settings(posterior=name, prior_precision=1e-3)
    first = fit_posterior(a[:split], b[:split], w[:split], **chosen.options)
    triangle = triangle_of(weighted_blocks(a, b, w))
    found = refit(first, triangle, len(b), weighted_blocks(a[split:], b[split:], w[split:]), chosen)
    whole = fit_posterior(a, b, w, **chosen.options)
    np.testing.assert_allclose(found.mean, whole.mean, rtol=1e-8)
    np.testing.assert_allclose(found.residual_variance, whole.residual_variance, rtol=1e-8)
    rows = a * w[:, None]
    norms = np.linalg.norm(rows, axis=0)
    inverse = np.linalg.inv(rows.T @ rows / np.outer(norms, norms) + 1e-3 * np.eye(8)) / np.outer(
        norms, norms
    )
    if name == "bayes":
        dense = found.residual_variance * inverse
    else:
        np.testing.assert_allclose(found.model_error, first.model_error, rtol=1e-6)
        np.testing.assert_array_equal(found.noise_by_kind, first.noise_by_kind)
        s2 = (
            np.einsum("mi,ij,mj->m", rows, first.model_error, rows)
            + (w * first.noise_by_kind[0]) ** 2
        )
        variance = found.residual_variance
        dense = (
            inverse
            @ ((rows * s2[:, None]).T @ rows + 1e-3 * variance * np.diag(norms**2))
            @ inverse
        )
    scale = np.sqrt(np.diag(dense))
    np.testing.assert_allclose(
        found.epistemic / np.outer(scale, scale), dense / np.outer(scale, scale), atol=1e-6
    )
    q = (rows @ found.whitening).T @ (rows @ found.whitening)
    prior = (found.whitening * norms[:, None]).T @ (found.whitening * norms[:, None]) * 1e-3
    np.testing.assert_allclose(q + prior, np.eye(8), atol=1e-8)


@pytest.mark.parametrize("embedding", ["full", "whitened"])
def test_a_warm_start_finds_the_same(embedding):
    a, b, w = problem(m=400)
    chosen = fit_settings(embedding=embedding)
    first = fit_posterior(a[:300], b[:300], w[:300], **chosen.options)
    cold, _ = fit_blocks(weighted_blocks(a, b, w), chosen)
    warm, _ = fit_blocks(weighted_blocks(a, b, w), chosen, previous=first)
    np.testing.assert_allclose(warm.predict(a).total_std, cold.predict(a).total_std, rtol=0.2)
    assert warm.objective[-1] <= cold.objective[-1] + 1e-3 * abs(cold.objective[-1])
    assert warm.objective[0] < cold.objective[1]


def test_errors_of_the_rows_are_those_that_are_predicted():
    """What a fit says of its own rows, weighted, from the whitened rows: as predict() says from the
    rows themselves.
    """
    a, b, w = problem()
    w[:] = 2.0
    fitted = np.arange(len(b)) % 7 != 0
    blocks = [Block(a[k::2] * 2.0, b[k::2] * 2.0, fitted[k::2]) for k in range(2)]
    p, errors = fit_blocks(blocks, fit_settings())
    for k, e in enumerate(errors):
        expected = p.predict(a[k::2])
        np.testing.assert_allclose(e.residuals / 2.0, b[k::2] - expected.mean, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(e.epistemic_std / 2.0, expected.epistemic_std, rtol=1e-7)
        np.testing.assert_allclose(e.model_error_std / 2.0, expected.model_error_std, rtol=1e-7)
    only = fit_posterior(a[fitted], b[fitted], w[fitted])
    np.testing.assert_allclose(p.mean, only.mean, rtol=1e-9)


@pytest.mark.parametrize("precision", [1e-24, "evidence"])
def test_equal_columns_leave_the_stds_of_data_alone(precision):
    """Columns of a fixed composition are combinations of others: no data in some directions, for
    ever. The stds of rows like those fitted, from the stored covariances, are those that the fit
    found for its own rows; others' are large."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((200, 28)) @ rng.standard_normal((28, 30))
    b = a @ rng.standard_normal(30) + np.sin(a[:, 0])
    chosen = fit_settings(prior_precision=precision)
    p, (errors,) = fit_blocks([Block(a.copy(), b, np.ones(200, bool))], chosen)
    found = Posterior.from_bytes(p.to_bytes()).predict(a)
    np.testing.assert_allclose(found.model_error_std, errors.model_error_std, rtol=1e-3)
    np.testing.assert_allclose(found.epistemic_std, errors.epistemic_std, rtol=1e-3)
    outside = np.linalg.svd(a)[2][-1:]
    assert (
        p.predict(outside * np.linalg.norm(a[0])).model_error_std > 10 * found.model_error_std.max()
    )


def test_a_prior_mean_that_is_not_finite_is_refused():
    a, b, w = problem()
    with pytest.raises(FitError, match="prior_mean is not finite"):
        fit_posterior(a, b, w, prior_mean=np.full(8, np.nan))


@pytest.mark.parametrize("mean", ["anchored", "joint"])
def test_inferred_noise_is_the_noise_that_is_there(mean):
    """Rows that scatter about a linear model with σ = 0.3, without model error: stds are right
    wherever the search begins.
    """
    rng = np.random.default_rng(0)
    a = rng.standard_normal((4000, 5))
    b = a @ rng.standard_normal(5) + 0.3 * rng.standard_normal(4000)
    for start in (0.01, 1.0):
        p = fit_posterior(a, b, noise="inferred", mean=mean, noise_fraction=start)
        total = p.predict(a, kinds=np.zeros(4000, np.int8)).total_std
        assert np.sqrt(np.mean(np.square((b - a @ p.mean) / total))) == pytest.approx(1.0, abs=0.1)
