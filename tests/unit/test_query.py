"""snap_al.query: Query strategies: one contract for all, and each against an oracle written the
slow way.
"""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from snap_al.errors import InputError
from snap_al.inference import atom_force_std, square_root
from snap_al.parallel import SERIAL
from snap_al.query import (
    ActiveSet,
    BatchOptions,
    Candidates,
    Committee,
    Knowledge,
    Labelled,
    QuerySettings,
    acquisition,
    select,
)
from snap_al.query.committee import one_of_each
from snap_al.query.contract import example, fit, knowledge, validate_acquisition
from snap_al.query.novel import Herding
from snap_al.query.settings import Strategy

EVERY = list(Strategy.__args__)
LETTERS = "ACDETGIV"


def of(name, **options):
    return acquisition(QuerySettings(strategy=name, **options), 0)


@pytest.mark.parametrize("name", EVERY)
def test_contract(name):
    for seed in range(2):
        validate_acquisition(of(name), "committee" if name == "committee" else "embedded", seed)


@pytest.mark.parametrize(
    "options",
    [
        {"of": "energy"},
        {"of": "stress", "part": "model_error"},
        {"of": "weighted", "atoms": "mean"},
        {"atoms": 0.5, "part": "epistemic"},
    ],
)
@pytest.mark.parametrize("name", ["uncertainty", "committee", "boltzmann"])
def test_contract_of_every_std(name, options):
    if name == "committee":  # its std has no parts
        options = {k: v for k, v in options.items() if k != "part"}
    validate_acquisition(of(name, **options), "committee" if name == "committee" else "embedded")


def dense(known, chosen=()):
    """Information (n, n) about the coefficients, prior and labels together, in the rows' own
    coordinates.
    """
    inverse = np.linalg.inv(known.posterior.whitening)
    return inverse.T @ inverse + sum(
        (c.weighted.T @ c.weighted for c in chosen), np.zeros_like(inverse)
    )


def criterion(letter, information, candidates, targets):
    covariance = np.linalg.inv(information)
    rows = np.concatenate([c.weighted for c in candidates.own])
    energies = np.array([c.energy for c in candidates.own])
    return {
        "A": lambda: -np.trace(covariance),
        "C": lambda: -targets.mean(axis=0) @ covariance @ targets.mean(axis=0),
        "D": lambda: np.linalg.slogdet(information)[1],
        "E": lambda: np.log(np.linalg.eigvalsh(information)[0]),
        "T": lambda: np.trace(information),
        "G": lambda: -max(e @ covariance @ e for e in energies),
        "I": lambda: -np.trace(rows @ covariance @ rows.T) / len(candidates),
        "V": lambda: -np.mean([t @ covariance @ t for t in targets]),
    }[letter]()


@pytest.mark.parametrize("letter", LETTERS)
@pytest.mark.parametrize("seed", range(3))
def test_criteria_are_what_brute_force_finds(letter, seed):
    candidates, known = example(seed)
    targets = np.random.default_rng(seed).standard_normal((4, 5))
    one = candidates.own[0]
    for chosen in ([], [one]):
        now = known
        for c in chosen:
            now = now.with_label(c)
        score = acquisition(QuerySettings(), 0, targets, letter).prepare(candidates, known)
        before = criterion(letter, dense(known, chosen), candidates, targets)
        for c in candidates.own[1:]:
            gain = criterion(letter, dense(known, [*chosen, c]), candidates, targets) - before
            assert score(c, now) == pytest.approx(gain, rel=1e-6, abs=1e-9 * abs(before))


def scaled(candidates, training, scale):
    def of(c):
        return replace(c, rows=c.rows * scale)

    return Candidates([of(c) for c in candidates.own], candidates.available, SERIAL), knowledge(
        [of(c) for c in training], prior_precision=1e-6
    )


@pytest.mark.parametrize("letter", LETTERS)
def test_which_criteria_depend_on_the_columns_units(letter):
    """D, G, I and V do not; A, E and T do. C, of rows that are scaled with the columns, does not
    either.
    """
    candidates, _ = example(3)
    training = [replace(c, number=n) for n, c in enumerate(example(4)[0].own[:4])]
    found = []
    for scale in (np.ones(5), np.array([1.0, 30.0, 1.0, 0.02, 1.0])):
        pool, known = scaled(candidates, training, scale)
        score = of(letter).prepare(pool, known)
        found.append(pool.scores(lambda c, score=score, known=known: score(c, known)))
    same = np.allclose(*found, rtol=1e-5)
    assert same == (letter not in "AET")


def test_greedy_d_is_the_slow_greedy_and_near_the_best():
    """Lazily and naively the same; within 1 - 1/e of the exhaustive optimum, as for any submodular
    function.
    """
    candidates, known = example(1, size=12)
    found = select(candidates, of("D"), known, 4).numbers
    everyone = [c for c in candidates.own if candidates.available[c.number]]
    slow = []
    for _ in range(4):
        values = {
            c.number: np.linalg.slogdet(dense(known, [*slow, c]))[1]
            for c in everyone
            if c.number not in [s.number for s in slow]
        }
        slow.append(candidates.by_number[max(values, key=values.get)])
    assert list(found) == [c.number for c in slow]
    start = np.linalg.slogdet(dense(known))[1]
    best = (
        max(
            np.linalg.slogdet(dense(known, list(s)))[1] for s in itertools.combinations(everyone, 4)
        )
        - start
    )
    gained = np.linalg.slogdet(dense(known, slow))[1] - start
    assert gained >= (1 - 1 / np.e) * best
    polished = select(candidates, of("D"), known, 4, BatchOptions(polish=5)).numbers
    after = np.linalg.slogdet(dense(known, [candidates.by_number[n] for n in polished]))[1] - start
    assert after >= gained - 1e-12
    assert after >= 0.98 * best


@pytest.mark.parametrize("name", ["A", "E", "V"])
def test_exchanges_never_make_it_worse(name):
    candidates, known = example(5)

    def value(numbers):
        return criterion(
            name, dense(known, [candidates.by_number[n] for n in numbers]), candidates, targets
        )

    targets = np.array([c.energy for c in candidates.own])
    plain, polished = (
        select(candidates, of(name), known, 3, BatchOptions(polish=p)).numbers for p in (0, 3)
    )
    assert value(polished) >= value(plain) - 1e-9 * abs(value(plain))


def test_left_out_stds_are_those_of_fits_without():
    training = [replace(c, number=n) for n, c in enumerate(example(0)[0].own[:5])]
    p = fit(training)
    stds = Labelled.of(p, training, SERIAL).stds
    for c, (energy, force) in zip(training, stds, strict=True):
        inverse = np.linalg.inv(p.whitening)
        covariance = np.linalg.inv(inverse.T @ inverse - c.weighted.T @ c.weighted)
        assert energy == pytest.approx(np.sqrt(c.energy @ covariance @ c.energy), rel=1e-6)
        assert force == pytest.approx(
            np.sqrt(np.mean([f @ covariance @ f for f in c.forces])), rel=1e-6
        )


@pytest.mark.parametrize("part", ["total", "epistemic", "model_error"])
def test_uncertainty_is_the_posteriors_std(part):
    candidates, known = example(2)
    p = known.posterior
    covariance = {"total": p.covariance, "epistemic": p.epistemic, "model_error": p.model_error}[
        part
    ]
    root = square_root(covariance)
    for how, over in (("max", np.max), ("mean", np.mean), (0.25, lambda x: np.quantile(x, 0.25))):
        score = of("uncertainty", part=part, atoms=how).prepare(candidates, known)
        for c in candidates.own:
            assert score(c, known) == pytest.approx(
                over(atom_force_std(c.of_kind(1), root)), rel=1e-8
            )
    score = of("uncertainty", part=part, of="energy").prepare(candidates, known)
    c = candidates.own[3]
    assert score(c, known) == pytest.approx(np.sqrt(c.energy @ covariance @ c.energy), rel=1e-8)


def test_model_change_is_the_gradients_expected_length():
    """By drawing the residuals that the candidate's rows are predicted to have."""
    candidates, known = example(2)
    score, p = of("model-change").prepare(candidates, known), known.posterior
    rng = np.random.default_rng(0)
    c = candidates.own[4]
    spread = c.weighted @ square_root(p.covariance)
    noise = np.sqrt(c.noise_variance(p))[:, None]
    r = spread @ rng.standard_normal((5, 40000)) + noise * rng.standard_normal((len(spread), 40000))
    lengths = np.square(known.whitened(c.weighted).T @ r).sum(axis=0)
    assert score(c, known) == pytest.approx(np.sqrt(lengths.mean()), rel=0.02)


def test_variance_and_error_reduction_by_brute_force():
    candidates, known = example(6)
    rows = np.array([c.energy for c in candidates.own])
    mean_forces = [c.of_kind(1) for c in candidates.own]
    score = of("variance-reduction", energy_std=0.01, force_std=0.2).prepare(candidates, known)

    def mean_variance(covariance):
        e = np.einsum("ij,jk,ik->i", rows, covariance, rows).mean() / 0.01**2
        return (
            e
            + np.mean([np.mean([f @ covariance @ f for f in forces]) for forces in mean_forces])
            / 0.2**2
        )

    for c in candidates.own:
        before, after = (mean_variance(np.linalg.inv(dense(known, chosen))) for chosen in ([], [c]))
        assert score(c, known) == pytest.approx(before - after, rel=1e-6)
    score = of("error-reduction").prepare(candidates, known)
    assert all(score(c, known) > 0 for c in candidates.own)
    big, small = (
        replace(candidates.own[0], weights=candidates.own[0].weights * f) for f in (10.0, 0.1)
    )
    assert score(big, known) > score(small, known)


def test_herding_lowers_the_distance_in_kernel_space_most():
    candidates, known = example(7)
    herding = Herding.of(candidates, known, np.ones(len(candidates), dtype=bool))
    points, labelled = candidates.geometry(known.labelled.energy)

    def kernel(a, b):
        return np.exp(-cdist(a, b) / herding.width)

    def distance(numbers):
        chosen = np.vstack([labelled, points[numbers]])
        return (
            kernel(chosen, chosen).mean()
            - 2 * kernel(chosen, points).mean()
            + kernel(points, points).mean()
        )

    imagined = (0, 3)
    scores = herding.scores(imagined)
    values = [distance([*imagined, n]) for n in range(len(points))]
    m = len(labelled) + 3
    expected = -m * np.array(values) / 4
    np.testing.assert_allclose(scores - scores.mean(), expected - expected.mean(), atol=1e-12)


def test_novel_asks_for_what_is_novel_then_for_what_is_like_the_pool():
    candidates, known = example(8)
    far = replace(candidates.own[2], rows=candidates.own[2].rows * 50.0)
    useless = replace(candidates.own[3], weights=candidates.own[3].weights * 1e-9)
    own = [far if c.number == 2 else useless if c.number == 3 else c for c in candidates.own]
    pool = replace(candidates, own=own, shared={})
    found = select(pool, of("novel", novel_share=0.2), known, 10)
    assert found.numbers[0] == 2
    assert found.scores[0] > 1
    assert all(s < 1 for s in found.scores[1:5])
    assert found.numbers[-1] == 3


@given(seed=st.integers(0, 10**6), m=st.integers(1, 30), n=st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_active_sets(seed, m, n):
    """All rows it was made of are within γ = 1, each active one has exactly that, and no swap
    enlarges the volume.
    """
    rows = np.random.default_rng(seed).standard_normal((m, n))
    active = ActiveSet.of(rows)
    np.testing.assert_allclose(active.rows @ active.inverse, np.eye(n), atol=1e-6)
    assert active.grade(rows).max() <= 1.01
    np.testing.assert_allclose(active.grade(active.rows), 1.0, rtol=1e-6)
    probe = np.random.default_rng(seed + 1).standard_normal((3, n)) * 5
    slow = [
        max(
            abs(np.linalg.det(np.vstack([active.rows[:j], p, active.rows[j + 1 :]])))
            for j in range(n)
        )
        for p in probe
    ]
    np.testing.assert_allclose(
        active.grade(probe), np.array(slow) / abs(np.linalg.det(active.rows)), rtol=1e-5
    )
    if m <= 12 and n <= 3 and m >= n:
        best = max(abs(np.linalg.det(rows[list(s)])) for s in itertools.combinations(range(m), n))
        assert abs(np.linalg.det(active.rows)) >= best / (n**n) * 0.99


def test_extrapolation_grade_does_not_depend_on_units():
    rows = np.random.default_rng(0).standard_normal((20, 4))
    scale = np.array([1.0, 1e3, 1e-3, 7.0])
    probe = np.random.default_rng(1).standard_normal((5, 4))
    np.testing.assert_allclose(
        ActiveSet.of(rows).grade(probe), ActiveSet.of(rows * scale).grade(probe * scale), rtol=1e-6
    )


def test_boltzmann_draws_in_proportion():
    """exp(+std/τ): of many draws of one, the counts; against the talk's e^(-std), the uncertain
    ones are drawn more.
    """
    candidates, known = example(9)
    std = of("uncertainty").prepare(candidates, known)
    stds = candidates.scores(lambda c: std(c, known))
    counts = np.zeros(len(candidates))
    for seed in range(3000):
        score = acquisition(QuerySettings(strategy="boltzmann"), seed).prepare(candidates, known)
        counts[np.argmax(candidates.scores(lambda c, score=score: score(c, known)))] += 1
    open_ = candidates.available
    everyone = candidates.each(lambda c: std(c, known))
    expected = np.where(open_, np.exp((everyone - everyone.max()) / everyone.std()), 0.0)
    expected *= 3000 / expected.sum()
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected.max())
    assert np.corrcoef(counts[open_], stds[open_])[0, 1] > 0.5


def test_doubles_are_left_out():
    candidates, known = example(0)
    twin = replace(candidates.own[4], number=12)
    labelled = replace(
        candidates.own[0], rows=np.vstack([known.labelled.energy[2], candidates.own[0].rows[1:]])
    )
    pool = Candidates(
        [labelled, *candidates.own[1:], twin], np.append(candidates.available, True), SERIAL
    )
    found = select(pool, of("random"), known, 100)
    assert found.duplicates == 2
    assert 0 not in found.numbers
    assert len({4, 12} & set(found.numbers)) == 1


def test_costs_and_budgets():
    candidates, known = example(0)
    costs = candidates.costs()
    found = select(candidates, of("T"), known, 100, BatchOptions(budget=5.0))
    assert costs[list(found.numbers)].sum() <= 5.0
    per = of("T").prepare(candidates, known)
    values = candidates.scores(lambda c: per(c, known)) / costs
    best = select(candidates, of("T"), known, 1, BatchOptions(by_cost=True)).numbers
    assert best == (int(np.argmax(values)),)


def test_nothing_to_choose_from():
    candidates, known = example(0)
    nothing = replace(candidates, available=np.zeros(len(candidates), dtype=bool))
    assert select(nothing, of("novel"), known, 5).numbers == ()


def test_a_committee_is_needed():
    candidates, known = example(0)
    with pytest.raises(InputError, match="no members"):
        of("committee").prepare(candidates, known)


def test_committee_of_any_regressor():
    """Disagreement is the members' std; new points go to the learners by share; what is asked for
    is spread.
    """
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (200, 2))
    y = x[:, 0] + 0.1 * rng.standard_normal(200)
    committee = Committee.of(lambda: Ridge(1e-3), 6, 0.8, np.arange(20), rng).fit(x, y)
    assert [len(p) for p in committee.points] == [16] * 6
    mean, std = committee.predict(x)
    each = np.array([m.predict(x) for m in committee.members])
    np.testing.assert_allclose(std, each.std(axis=0))
    np.testing.assert_allclose(mean, each.mean(axis=0))
    asked = committee.ask(x, np.arange(20, 200), 10, rng)
    assert len(set(asked.tolist())) == 10
    assert min(asked) >= 20
    assert std[asked].mean() > std[20:].mean()
    committee.tell(x, asked, rng)
    assert [len(p) for p in committee.points] == [24] * 6
    assert all(set(p[16:]) <= set(asked.tolist()) for p in committee.points)


def test_one_of_each_cluster():
    x = np.repeat(
        np.array([[0.0, 0.0], [5.0, 5.0], [9.0, 0.0]]), 5, axis=0
    ) + 0.01 * np.random.default_rng(0).standard_normal((15, 2))
    taken = one_of_each(x, np.arange(15.0), list(range(15)), 3, np.random.default_rng(0))
    assert taken == [14, 9, 4]


def test_imagined_labels_are_what_a_refit_would_know():
    """The covariance at unit noise is that of a fit with the label; doubling a label twice is
    adding its information twice.
    """
    candidates, known = example(3)
    a, b = candidates.own[0], candidates.own[6]
    both = known.with_label(a).with_label(b)
    t = known.posterior.whitening
    np.testing.assert_allclose(
        t @ both.covariance @ t.T, np.linalg.inv(dense(known, [a, b])), rtol=1e-6
    )
    np.testing.assert_allclose(
        both.covariance, known.with_label(b).with_label(a).covariance, rtol=1e-8, atol=1e-14
    )
    assert isinstance(both, Knowledge)
    assert both.imagined == (0, 6)


def test_a_cost_makes_a_good_score_less_and_a_bad_one_worse():
    candidates, known = example(7)
    costs = {c.number: 1.0 for c in candidates.own}
    plain = select(candidates, of("novel", novel_share=0.0), known, 10).numbers
    costs[plain[-1]] = 1e4
    own = [replace(c, cost=costs[c.number]) for c in candidates.own]
    dear = replace(candidates, own=own, shared={})
    options = BatchOptions(by_cost=True)
    assert select(dear, of("novel", novel_share=0.0), known, 10, options).numbers[-1] == plain[-1]
    all_dear = replace(candidates, own=[replace(c, cost=64.0) for c in candidates.own], shared={})
    for share in (0.5, 1.0):
        found = select(all_dear, of("novel", novel_share=share), known, 10, options)
        assert found == select(candidates, of("novel", novel_share=share), known, 10)


def test_a_budget_passes_over_what_is_too_dear():
    candidates, known = example(0)
    best = select(candidates, of("T"), known, 1).numbers[0]
    own = [replace(c, cost=100.0 if c.number == best else 1.0) for c in candidates.own]
    pool = replace(candidates, own=own, shared={})
    for diversity in ("conditional", "none", "kmeans", "farthest"):
        found = select(
            pool, of("T"), known, 3, BatchOptions(budget=3.0, diversity=diversity)
        ).numbers
        assert best not in found
        assert 1 <= len(found) <= 3
    assert select(pool, of("T"), known, 3, BatchOptions(budget=0.5)).numbers == ()


def test_what_has_no_score_is_not_chosen():
    candidates, known = example(0)

    class Few:
        shrinks = False
        linear = True

        def prepare(self, candidates, known):
            return lambda c, known: 1.0 if c.number < 4 else float("nan")

    for diversity in ("conditional", "none", "kmeans", "farthest"):
        chosen = select(candidates, Few(), known, 9, BatchOptions(diversity)).numbers
        assert set(chosen) == {0, 2, 3}


def test_an_element_without_data_extrapolates():
    rows = np.random.default_rng(0).standard_normal((20, 4)) * [1.0, 1.0, 1.0, 0.0]
    active = ActiveSet.of(rows)
    assert active.grade(rows).max() <= 1.01
    assert active.grade(np.array([[0.1, 0.1, 0.1, 1.0]]))[0] > 1e3
    assert np.isfinite(ActiveSet.of(0.0 * rows).grade(rows)).all()


def test_a_pool_whose_labels_would_weigh_nothing():
    candidates, known = example(0)
    pool = replace(
        candidates, own=[replace(c, weights=0.0 * c.weights) for c in candidates.own], shared={}
    )
    for name in ("novel", "farthest", "D", "uncertainty"):
        assert len(select(pool, of(name), known, 3).numbers) == 3


def test_polish_is_for_criteria_of_sets():
    with pytest.raises(ValueError, match="polish does not apply with strategy: novel"):
        QuerySettings(strategy="novel", polish=1)
    with pytest.raises(ValueError, match="finite"):
        QuerySettings(cost=float("nan"))
