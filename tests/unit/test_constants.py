"""snap_al.inference.constants: The elements' constants: no error bar depends on a code's zero of
energy; against a dense oracle that leaves them out of the prior the slow way.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snap_al.inference import Block, fit_posterior, fit_settings
from snap_al.inference.committee import drawn
from snap_al.inference.constants import ANCHOR
from snap_al.inference.factor import Factor
from snap_al.parallel import SERIAL, triangular_factor


def compound(seed, elements=2, configurations=30, fixed=False, columns=4):
    """Energies and forces of a linear model with a constant and `columns` components per element;
    what it misses beside. Columns are element by element, the constant first. fixed: one
    composition for all."""
    rng = np.random.default_rng(seed)
    width = 1 + columns
    rows, kinds, units = [], [], []
    for n in range(configurations):
        x = np.full(elements, 1.0 / elements) if fixed else rng.dirichlet(np.ones(elements))
        energy = np.zeros(elements * width)
        for e in range(elements):
            energy[e * width] = x[e]
            energy[e * width + 1 : (e + 1) * width] = x[e] * (5.0 + rng.standard_normal(columns))
        forces = rng.standard_normal((9, elements * width))
        forces[:, ::width] = 0.0
        rows += [energy[None], forces]
        kinds += [0] + [1] * 9
        units += [n] * 10
    a, kinds = np.vstack(rows), np.array(kinds, dtype=np.int8)
    b = (
        a @ rng.standard_normal(a.shape[1])
        + 0.05 * np.sin(4.0 * a[:, 1])
        + 0.05 * np.sin(3.0 * a[:, -1])
    )
    w = np.where(kinds == 0, 30.0, 1.0)
    return (
        a,
        b,
        w,
        {"kinds": kinds, "units": np.array(units), "constants": tuple(range(0, a.shape[1], width))},
    )


METHODS = {
    "embedded": {},
    "whitened": {"embedding": "whitened"},
    "coefficients": {"embedding": "coefficients"},
    "joint": {"embedding": "coefficients", "mean": "joint"},
    "abc": {"embedding": "coefficients", "likelihood": "abc", "mean": "joint"},
    "multiplicative": {"embedding": "coefficients", "multiplicative": True, "prior": "half-normal"},
    "multiplicative, joint": {"embedding": "coefficients", "multiplicative": True, "mean": "joint"},
    "recalibrated": {"recalibrate": True},
    "bayes": {"posterior": "bayes"},
    "variational": {"posterior": "variational"},
    "committee": {"posterior": "committee"},
    "pops": {"posterior": "pops"},
    "mcmc": {"posterior": "mcmc", "draws": 150, "tune": 300},
}


SAMPLED = {"mcmc": 5e-2, "pops": 0.3}
"""What sampling leaves: chains part where roundings do; POPS' covariance is that of 200 points,
drawn along axes whose signs are rounding's."""


@pytest.mark.parametrize("fixed", [False, True], ids=["compositions vary", "one composition"])
@pytest.mark.parametrize(
    "name", [pytest.param(m, marks=pytest.mark.slow) if m == "mcmc" else m for m in METHODS]
)
def test_no_std_depends_on_the_zero_of_energy(name, fixed):
    if name == "pops":
        pytest.importorskip("popsregression", reason="popsregression is not installed")
    if name == "mcmc":
        pytest.importorskip("nutpie", reason="nutpie is not installed")
    a, b, w, options = compound(1, elements=3, configurations=20, fixed=fixed, columns=2)
    for energies in (np.array([-1e6, -4.5e4, -13.6]), np.array([7.0, 0.0, -3.0])):
        shift = a[:, list(options["constants"])] @ energies
        plain = fit_posterior(a, b, w, **options, **METHODS[name])
        moved = fit_posterior(a, b + shift, w, **options, **METHODS[name])
        one, other = (p.predict(a, kinds=options["kinds"]) for p in (plain, moved))
        np.testing.assert_allclose(other.total_std, one.total_std, rtol=SAMPLED.get(name, 1e-4))
        np.testing.assert_allclose(
            other.mean - shift, one.mean, rtol=1e-5, atol=3e-2 if name == "mcmc" else 1e-5
        )


def dense(a, b, w, options, ridge):
    """Mean and unit-noise covariance with prior κN² on all columns but the constants, by
    inverting.
    """
    rows, targets = a * w[:, None], b * w
    precision = ridge * np.square(np.linalg.norm(rows, axis=0))
    precision[list(options["constants"])] = 0.0
    information = rows.T @ rows + np.diag(precision)
    return np.linalg.solve(information, rows.T @ targets), np.linalg.inv(information)


@given(
    seed=st.integers(0, 10**6),
    elements=st.integers(1, 3),
    ridge=st.sampled_from([1e-6, 1e-2, 10.0]),
)
@settings(max_examples=20, deadline=None)
def test_constants_have_no_share_in_the_prior(seed, elements, ridge):
    a, b, w, options = compound(seed, elements)
    p = fit_posterior(a, b, w, posterior="bayes", prior_precision=ridge, **options)
    mean, covariance = dense(a, b, w, options, ridge)
    scale = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose((p.mean - mean) / scale, 0.0, atol=1e-5 * np.abs(mean / scale).max())
    found = p.epistemic / p.residual_variance
    np.testing.assert_allclose(
        found / np.outer(scale, scale), covariance / np.outer(scale, scale), atol=1e-5
    )


def test_whitened_rows_and_prior_together_have_unit_information():
    for fixed in (False, True):
        a, b, w, options = compound(3, 2, fixed=fixed)
        p = fit_posterior(a, b, w, **options)
        q = (a * w[:, None]) @ p.whitening
        np.testing.assert_allclose(q.T @ q + p.prior_information, np.eye(a.shape[1]), atol=1e-7)


def test_the_evidence_has_integrated_the_constants_out():
    """At its maximum in κ the restricted likelihood of what is left of the targets without their
    constants is stationary.
    """
    a, b, w, options = compound(5, 2)
    rows, targets = a * w[:, None], b * w
    constants = rows[:, list(options["constants"])]
    left = np.linalg.svd(constants)[0][:, 2:]  # the space orthogonal to the constants
    others = np.setdiff1d(np.arange(a.shape[1]), options["constants"])
    x, y = left.T @ rows[:, others], left.T @ targets
    norms = np.linalg.norm(rows[:, others], axis=0)
    triangle = triangular_factor(SERIAL, np.column_stack([rows, targets]))
    f = Factor.of(triangle, len(b), None, SERIAL, options["constants"])

    def density(ridge, variance):
        covariance = variance * (np.eye(len(y)) + (x / norms) @ (x / norms).T / ridge)
        return -0.5 * (y @ np.linalg.solve(covariance, y) + np.linalg.slogdet(covariance)[1])

    ridge = f.evidence_ridge()
    best = density(ridge, f.noise_variance(ridge))
    for factor in (0.8, 1.25):
        assert density(ridge * factor, f.noise_variance(ridge)) < best
        assert density(ridge, f.noise_variance(ridge) * factor) < best


def test_what_one_composition_leaves_open_is_wide_and_does_no_harm():
    """The split between two elements is not known; what was fitted keeps its stds."""
    a, b, w, options = compound(7, 2, fixed=True)
    p = fit_posterior(a, b, w, **options)
    found = p.predict(a, kinds=options["kinds"])
    energies = options["kinds"] == 0
    rms = np.sqrt(np.mean((b - found.mean)[energies] ** 2))
    assert 0.3 * rms < np.sqrt(np.mean(found.total_std[energies] ** 2)) < 3.0 * rms
    other = a[:1].copy()
    other[0, 0], other[0, 5] = 1.0, 0.0
    assert p.predict(other).epistemic_std[0] > 0.01 / np.sqrt(ANCHOR) * rms
    assert any("1 of 10 combinations" in text for text in p.remarks)


def test_a_given_mean_holds_where_compositions_say_nothing():
    a, b, w, options = compound(7, 2, fixed=True)
    prior = np.zeros(10)
    prior[[0, 5]] = 3.0, -1.0
    p = fit_posterior(a, b, w, prior_mean=prior, **options)
    assert p.mean[0] - p.mean[5] == pytest.approx(4.0, abs=1e-2 * np.abs(p.mean).max() + 0.5)


def test_a_committee_draws_configurations_one_by_one_where_only_energies_are_fitted():
    """Rows of forces are there, unlabelled; they do not make configurations of one size alike."""
    a, b, w, options = compound(3, 2, configurations=40)
    fitted = options["kinds"] == 0
    block = Block(
        a * w[:, None], np.where(fitted, b * w, 0.0), fitted, options["kinds"], options["units"]
    )
    counts = drawn(block, True, fit_settings(posterior="committee"))
    assert len(np.unique(counts[fitted], axis=0)) > 30


def test_no_more_energies_than_constants_leave_wide_stds():
    a, b, w, options = compound(3, 1, configurations=1)
    here = options["kinds"] == 0
    p = fit_posterior(
        a[here], b[here], w[here], kinds=options["kinds"][here], constants=options["constants"]
    )
    assert p.predict(a[:1] * 1.5).epistemic_std[0] > 0.1
