"""snap_al.inference.embedded: Embedded model error: gradients by complex step, minima against
general optimisers, iterations that never go up.
"""

from dataclasses import replace

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from snap_al.errors import FitError
from snap_al.inference import Block, fit_posterior, fit_settings
from snap_al.inference.covariance import Steps, _geometric_mean, iid_covariance
from snap_al.inference.dense import FullObjective
from snap_al.inference.joint import MeanPrior, RowModel, scored
from snap_al.inference.likelihood import ABC, IID, prior
from snap_al.inference.objective import Objective
from snap_al.inference.sampled import Marginal
from snap_al.parallel import SERIAL

PRIORS = ("inverse-gamma", "flat", "half-normal", "half-cauchy", "jeffreys")


def block_of(q, r, kinds=None):
    return [
        Block(
            q.copy(),
            r,
            np.ones(len(q), bool),
            np.zeros(len(q), np.int8) if kinds is None else kinds,
            residuals=r,
        )
    ]


def made(seed=0, m=60, n=4):
    rng = np.random.default_rng(seed)
    q = np.linalg.qr(rng.standard_normal((m, n)))[0]
    return q, rng.standard_normal(m) * (0.2 + 4.0 * np.abs(q[:, 0])), rng


def objective(
    kind=Objective,
    likelihood=None,
    name="inverse-gamma",
    relative=False,
    infer=True,
    joint=True,
    seed=0,
):
    q, r, rng = made(seed)
    n = q.shape[1]
    chosen = np.array([0, 2, 3])
    mixing = np.eye(n) + 0.1 * rng.standard_normal((n, n))
    return kind(
        block_of(q, r),
        likelihood or IID(),
        prior(name, 0.7, 1.0),
        chosen,
        rng.uniform(0.5, 2, n) if relative else None,
        0.1 * np.eye(n),
        rng.standard_normal(n),
        mixing,
        0.05,
        infer,
        joint,
        SERIAL,
    )


@pytest.mark.parametrize("name", PRIORS)
@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize(
    ("kind", "likelihood"),
    [(Objective, IID()), (Objective, ABC(1.25, 0.3)), (FullObjective, IID())],
)
def test_gradients_by_complex_step(kind, likelihood, relative, name):
    f = objective(kind, likelihood, name, relative)
    at = 0.3 * np.random.default_rng(1).standard_normal(f.n_parameters)
    gradient = f(at)[1]
    for k in range(f.n_parameters):
        shifted = at.astype(complex)
        shifted[k] += 1e-30j
        assert gradient[k] == pytest.approx(np.imag(f(shifted)[0]) / 1e-30, rel=1e-9, abs=1e-9)


def test_the_marginal_is_the_joint_integrated():
    """-log of ∫ exp(-joint) dc by the Gaussian integral at its dense minimum; its gradient by
    differences.
    """
    f = replace(objective(), mixing=np.eye(4))
    marginal = Marginal(replace(f, joint=False))
    at = np.array([0.1, -0.4, 0.3, np.log(0.07)])
    value, gradient = marginal(at)

    def joint(phi):
        value, gradient = f(np.concatenate([at, phi]))
        return value, gradient[4:]

    found = scipy.optimize.minimize(joint, np.zeros(4), jac=True, tol=1e-12)
    curvature = f.curvature(np.concatenate([at, found.x]))[4:, 4:]
    # the joint counts the pull of the prior; the marginal leaves out what does not depend on d
    constant = 0.5 * f.pull @ f.precision @ f.pull
    assert value == pytest.approx(
        joint(found.x)[0] - constant + 0.5 * np.linalg.slogdet(curvature)[1], rel=1e-8
    )
    for k in range(4):
        step = np.zeros(4)
        step[k] = 1e-5
        assert gradient[k] == pytest.approx(
            (marginal(at + step)[0] - marginal(at - step)[0]) / 2e-5, rel=1e-5, abs=1e-6
        )


def dense_cost(sigma, q, r, noise, counts, nu, mode):
    s2 = np.einsum("ij,jk,ik->i", q, sigma, q) + noise
    value = 0.5 * np.sum(counts * (r**2 / s2 + np.log(s2)))
    return value + 0.5 * nu * (np.linalg.slogdet(sigma)[1] + mode * np.trace(np.linalg.inv(sigma)))


def test_covariance_minimises_the_objective():
    """Against a general optimiser over Cholesky factors, from another start."""
    q, r, _ = made(m=150, n=3)
    found = iid_covariance(block_of(q, r), 0.01, SERIAL, pseudo_rows=1.0, steps=Steps(0.0, 3000))
    mode = np.sum(r**2) / 3
    lower = np.tril_indices(3)

    def cost(x):
        factor = np.zeros((3, 3))
        factor[lower] = x
        return dense_cost(factor @ factor.T + 1e-12 * np.eye(3), q, r, 0.01, 1.0, 1.0, mode)

    oracle = scipy.optimize.minimize(
        cost, np.eye(3)[lower], method="BFGS", options={"maxiter": 5000}
    )
    assert found.objective[-1] == pytest.approx(oracle.fun, rel=1e-6)
    assert found.objective[-1] == pytest.approx(
        dense_cost(found.sigma, q, r, 0.01, 1.0, 1.0, mode), rel=1e-10
    )


@given(
    seed=st.integers(0, 10**6),
    nu=st.sampled_from([1e-2, 1.0, 20.0]),
    length=st.sampled_from([1.0, 1.9]),
    infer=st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_the_covariance_never_makes_it_worse(seed, nu, length, infer):
    q, r, _ = made(seed, m=40, n=5)
    found = iid_covariance(
        block_of(q, r),
        1e-3,
        SERIAL,
        pseudo_rows=nu,
        steps=Steps(0.0, 40, length),
        infer_noise=infer,
    )
    assert (np.diff(found.objective) <= 1e-10 * np.abs(found.objective[:-1])).all()
    assert (np.linalg.eigvalsh(found.sigma) > 0).all()


@given(seed=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_the_geometric_mean_is_where_the_bound_is_least(seed):
    rng = np.random.default_rng(seed)
    a, b = (x @ x.T + 0.1 * np.eye(4) for x in rng.standard_normal((2, 4, 4)))
    mean = _geometric_mean(a, b)
    np.testing.assert_allclose(mean @ a @ mean, b, atol=1e-8 * np.abs(b).max())
    best = np.trace(a @ mean) + np.trace(b @ np.linalg.inv(mean))
    for _ in range(5):
        other = mean + 0.05 * np.diag(rng.uniform(0, 1, 4)) * np.trace(mean)
        assert np.trace(a @ other) + np.trace(b @ np.linalg.inv(other)) > best


def test_fast_and_general_ways_find_the_same():
    """Joint IID on all coefficients, additive: in turns, and by L-BFGS on the exact gradient
    (laplace takes that way).
    """
    rng = np.random.default_rng(0)
    a = rng.standard_normal((400, 5)) * [1, 10, 0.1, 1, 1]
    b = a @ rng.standard_normal(5) + np.sin(3 * a[:, 0]) * a[:, 3]
    options = {"embedding": "coefficients", "mean": "joint", "prior_precision": 1e-6}
    turns = fit_posterior(a, b, **options)
    general = fit_posterior(a, b, **options, laplace=True)
    # by x = log d the inverse-gamma prior of v is the same function
    assert turns.objective[-1] == pytest.approx(general.objective[-1], abs=0.2)
    np.testing.assert_allclose(turns.predict(a).mean, general.predict(a).mean, atol=0.02 * b.std())
    free = {**options, "prior": "flat"}
    assert fit_posterior(a, b, **free).objective[-1] == pytest.approx(
        fit_posterior(a, b, **free, multiplicative=True).objective[-1], rel=1e-9
    )


@pytest.mark.parametrize("likelihood", [IID(), ABC(1.25, 0.3)])
@pytest.mark.parametrize("joint", [False, True])
def test_scoring_finds_what_a_bounded_optimiser_finds(likelihood, joint):
    """Without a prior, v ≥ 0, some of it at zero: L-BFGS-B over v and θ from the same start, on the
    dense objective.
    """
    rng = np.random.default_rng(3)
    q = np.linalg.qr(rng.standard_normal((300, 5)))[0]
    r = rng.standard_normal(300) * (0.2 + 4.0 * np.abs(q[:, 0]))
    precision, pulled, chosen = 0.1 * np.eye(5), rng.standard_normal(5), np.arange(5)
    found = scored(
        block_of(q, r),
        RowModel(likelihood, 0.01, chosen),
        SERIAL,
        mean=MeanPrior(precision, pulled) if joint else None,
        pseudo_rows=0.0,
        settled=1e-12,
    )
    squared = q**2

    def cost(x):
        v, theta = x[:5], x[5:] if joint else np.zeros(5)
        value, by_r, by_s2 = likelihood(r - q @ theta, squared @ v + 0.01)
        away = precision @ (pulled + theta) * joint
        slope = [by_s2 @ squared] + [away - by_r @ q] * joint
        return value.sum() + 0.5 * (pulled + theta) @ away, np.concatenate(slope)

    mode = np.full(5, np.sum(r**2) / 5)
    start = np.concatenate([mode] + [np.zeros(5)] * joint)
    bounds = [(0, None)] * 5 + [(None, None)] * 5 * joint
    oracle = scipy.optimize.minimize(
        cost, start, jac=True, bounds=bounds, options={"maxiter": 5000, "ftol": 1e-15}
    )
    at = np.concatenate([found.v] + [found.theta] * joint)
    assert found.objective[-1] == pytest.approx(cost(at)[0], rel=1e-10)
    assert found.objective[-1] <= oracle.fun + 1e-3 * abs(oracle.fun)
    assert (found.v >= 0).all()
    if isinstance(likelihood, IID):
        np.testing.assert_allclose(found.v, oracle.x[:5], atol=0.02 * oracle.x[:5].max())


@given(
    seed=st.integers(0, 10**6),
    pseudo_rows=st.sampled_from([0.0, 1.0]),
    abc=st.booleans(),
    joint=st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_scoring_never_makes_it_worse(seed, pseudo_rows, abc, joint):
    q, r, _ = made(seed, m=40, n=5)
    likelihood = ABC(1.25, 0.5) if abc else IID()
    found = scored(
        block_of(q, r),
        RowModel(likelihood, 1e-3, np.array([0, 2, 3])),
        SERIAL,
        mean=MeanPrior(np.eye(5), np.zeros(5)) if joint else None,
        pseudo_rows=pseudo_rows,
    )
    assert (np.diff(found.objective) < 0).all()
    assert np.isfinite(found.v).all()
    assert (found.v >= 0).all()
    assert joint or not found.theta.any()


def test_abc_calibrates_by_its_alpha():
    """s follows α|r|: √(π/2) makes the mean std that of Gaussian residuals, 1 makes it 0.8 of
    that.
    """
    rng = np.random.default_rng(0)
    a = rng.standard_normal((3000, 4))
    b = a.sum(axis=1) + rng.standard_normal(3000) * np.linalg.norm(a, axis=1)
    stds = []
    for alpha in (np.sqrt(np.pi / 2), 1.0):
        p = fit_posterior(
            a, b, embedding="coefficients", likelihood="abc", abc_alpha=alpha, noise_fraction=1e-3
        ).predict(a)
        stds.append(np.mean(p.model_error_std / np.linalg.norm(a, axis=1)))
        assert np.mean(np.abs(p.mean - b) < p.total_std) == pytest.approx(
            0.68 if alpha > 1 else 0.57, abs=0.04
        )
    assert stds[0] / stds[1] == pytest.approx(np.sqrt(np.pi / 2), rel=0.05)


def test_the_full_likelihood_refuses_large_problems():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((5000, 2))
    with pytest.raises(FitError, match="5000 rows"):
        fit_posterior(a, a[:, 0], embedding="whitened", likelihood="full")


@pytest.mark.parametrize("name", PRIORS)
def test_priors_on_d(name):
    """Densities by their textbook forms, up to a constant, and their derivatives by complex
    step.
    """
    from scipy import stats

    terms, x = prior(name, 0.7, 1.0), np.array([-1.0, 0.2, 0.9])
    d = np.exp(x)
    expected = {
        "inverse-gamma": lambda d: 0.5 * np.log(d**2) + 0.5 * 0.49 / d**2,
        "flat": lambda d: 0.0 * d,
        "half-normal": lambda d: -stats.halfnorm.logpdf(d, scale=0.7),
        "half-cauchy": lambda d: -stats.halfcauchy.logpdf(d, scale=0.7),
        "jeffreys": np.log,
    }[name]
    difference = terms(x)[0] - terms(x + 0.3)[0]
    assert difference == pytest.approx(
        np.sum(expected(d) - expected(d * np.exp(0.3))), rel=1e-9, abs=1e-12
    )
    for k in range(3):
        moved = x.astype(complex)
        moved[k] += 1e-30j
        assert terms(x)[1][k] == pytest.approx(
            np.imag(terms(moved)[0]) / 1e-30, rel=1e-12, abs=1e-12
        )


def test_kinds_count_alike():
    """Few energies that are fitted far better than the many forces keep small stds when kinds are
    balanced.
    """
    rng = np.random.default_rng(0)
    energies = np.column_stack([np.ones(40), rng.standard_normal((40, 3))])
    forces = np.column_stack([np.zeros(4000), rng.standard_normal((4000, 3))])
    a = np.vstack([energies, forces])
    b = a @ np.array([1.0, 0.5, -0.5, 0.2])
    b[:40] += 0.02 * rng.standard_normal(40)
    b[40:] += rng.standard_normal(4000) * np.abs(forces[:, 1])
    kinds = np.repeat([0, 1], [40, 4000]).astype(np.int8)
    w = np.where(kinds == 0, 30.0, 1.0)
    std = [
        fit_posterior(a, b, w, kinds=kinds, balance=on).predict(a, kinds=kinds).total_std
        for on in (True, False)
    ]
    assert np.median(std[0][:40]) < np.median(std[1][:40])
    error = np.abs(fit_posterior(a, b, w, kinds=kinds).predict(a).mean - b)[:40]
    assert 0.5 < np.mean(error < std[0][:40]) <= 1.0
    assert fit_settings().balance


def test_rows_that_are_trusted_less_count_less():
    """A row of trust ½ twice is that row once, and a row of next to no trust is not there."""
    q, r, rng = made(m=80)
    trust = rng.uniform(0.2, 1.0, 80)
    found = []
    for rows, residuals, t in (
        (q, r, trust),
        (np.repeat(q, 2, axis=0), np.repeat(r, 2), np.repeat(trust / 2, 2)),
    ):
        block = Block(
            rows.copy(), residuals, np.ones(len(rows), bool), trust=t, residuals=residuals
        )
        found.append(
            iid_covariance([block], 0.01, SERIAL, pseudo_rows=1.0, steps=Steps(0.0, 500)).sigma
        )
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4, atol=1e-6)
    wild = np.append(r, 1e3)
    rows, trust = np.vstack([q, q[:1]]), np.append(np.ones(80), 1e-9)
    block = Block(rows, wild, np.ones(81, bool), trust=trust, residuals=wild)
    with_it = iid_covariance([block], 0.01, SERIAL, pseudo_rows=1.0, steps=Steps(0.0, 500)).sigma
    without = iid_covariance(
        block_of(q, r), 0.01, SERIAL, pseudo_rows=1.0, steps=Steps(0.0, 500)
    ).sigma
    assert np.abs(with_it - without).max() < 0.01 * np.abs(without).max()
