"""The contract that every query strategy must keep, ours and those of third parties."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from snap_al.inference import Posterior, fit_posterior
from snap_al.parallel import SERIAL
from snap_al.query.acquisition import Acquisition
from snap_al.query.batch import BatchOptions, Diversity, select
from snap_al.query.candidates import Candidate, Candidates
from snap_al.query.knowledge import Knowledge, Labelled

DIVERSITIES: tuple[Diversity, ...] = ("conditional", "none", "kmeans", "farthest")


def validate_acquisition(
    acquisition: Acquisition, posterior: str = "embedded", seed: int = 0
) -> None:
    """Raises AssertionError saying which law broke.

    Scores are finite numbers; asking twice gives the same; nothing given is changed; the order of a
    candidate's rows does not matter; what is not available is never chosen, and nothing twice,
    whatever the diversity; a batch has as many as were asked for, or all there are; scores of a
    strategy that says that they shrink never grow as more is known.
    """
    candidates, known = example(seed, posterior)
    score = acquisition.prepare(candidates, known)
    first = candidates.scores(lambda c: score(c, known))
    assert np.isfinite(first[candidates.available]).all(), "a score is not a finite number"
    before = [c.rows.copy() for c in candidates.own]
    again = acquisition.prepare(candidates, known)
    assert np.array_equal(candidates.scores(lambda c: again(c, known)), first), (
        "asked twice, a score changed"
    )
    assert all(np.array_equal(c.rows, b) for c, b in zip(candidates.own, before, strict=True)), (
        "rows were changed"
    )
    turned = Candidates([_turned(c) for c in candidates.own], candidates.available, SERIAL)
    other = acquisition.prepare(turned, known)
    close = np.isclose(
        turned.scores(lambda c: other(c, known)), first, rtol=1e-5, atol=1e-7, equal_nan=True
    )
    assert close.all(), "the order of a candidate's rows matters"
    for diversity in DIVERSITIES:
        for n in (1, 4, 1000):
            selection = select(candidates, acquisition, known, n, BatchOptions(diversity))
            expected = min(n, int(candidates.available.sum()) - selection.duplicates)
            assert len(selection.numbers) == expected, (
                f"{diversity}: {len(selection.numbers)} chosen, {expected} expected"
            )
            assert len(set(selection.numbers)) == expected, (
                f"{diversity}: a candidate was chosen twice"
            )
            assert candidates.available[list(selection.numbers)].all(), (
                f"{diversity}: one that is not available was chosen"
            )
    if acquisition.shrinks:
        more = known.with_label(candidates.own[0])
        later = candidates.scores(lambda c: score(c, more))
        kept = candidates.available
        assert (later[kept] <= first[kept] + 1e-9 * np.abs(first[kept])).all(), (
            "a score that shrinks grew"
        )


def example(
    seed: int = 0, posterior: str = "embedded", columns: int = 5, size: int = 12
) -> tuple[Candidates, Knowledge]:
    """A small pool, of which two are not available, and what a fit to four other configurations
    knows.
    """
    everyone = [_candidate(n, columns, seed) for n in range(size)]
    training = [_candidate(100 + n, columns, seed) for n in range(4)]
    available = np.ones(size, dtype=bool)
    available[[1, 5]] = False
    return Candidates(everyone, available, SERIAL), knowledge(training, seed, posterior)


def knowledge(
    training: Sequence[Candidate], seed: int = 0, posterior: str = "embedded", **options: Any
) -> Knowledge:
    """options: of `fit_posterior`."""
    fitted = fit(training, seed, posterior=posterior, **options)
    return Knowledge.of(fitted, Labelled.of(fitted, training, SERIAL))


def fit(training: Sequence[Candidate], seed: int = 0, **options: Any) -> Posterior:
    rows = np.concatenate([c.rows for c in training])
    rng = np.random.default_rng([seed, 2])
    targets = rows @ rng.standard_normal(rows.shape[1]) + 0.1 * rng.standard_normal(len(rows))
    weights, kinds = (
        np.concatenate([getattr(c, name) for c in training]) for name in ("weights", "kinds")
    )
    return fit_posterior(rows, targets, weights, kinds=kinds, **options)


def _candidate(number: int, columns: int, seed: int) -> Candidate:
    rng = np.random.default_rng([seed, 1, number])
    atoms = 2 + number % 3
    rows = (
        rng.standard_normal((7 + 3 * atoms, columns))
        * rng.lognormal(0.0, 0.7)
        * np.logspace(0, -1, columns)
    )
    kinds = np.repeat(np.array([0, 1, 2], np.int8), [1, 3 * atoms, 6])
    return Candidate(
        number,
        rows,
        np.array([10.0, 1.0, 0.1])[kinds],
        kinds,
        np.zeros(len(rows), dtype=bool),
        1.0 + number % 2,
    )


def _turned(c: Candidate) -> Candidate:
    """Its atoms, and its stress components, in another order."""
    atoms = (len(c.rows) - 7) // 3
    forces = 1 + np.arange(3 * atoms).reshape(atoms, 3)[::-1].ravel()
    order = np.concatenate([[0], forces, np.arange(len(c.rows) - 6, len(c.rows))[::-1]])
    return Candidate(
        c.number, c.rows[order], c.weights[order], c.kinds[order], c.vanishing[order], c.cost
    )
