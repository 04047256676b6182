"""From scores to a batch: the one selector of pools, of walkers side by side, and of studies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from snap_al.query.acquisition import Acquisition, Score
from snap_al.query.candidates import Candidates
from snap_al.query.committee import one_of_each
from snap_al.query.knowledge import Knowledge

Array = NDArray[np.float64]
Diversity = Literal["conditional", "kmeans", "farthest", "none"]
LOOKED_AT = 64
"""Candidates whose scores are brought up to date together, where old scores are upper bounds."""
SPREAD = 5
"""Foremost candidates that a diverse batch is taken from, for each that is asked for."""
SAME = 1e-6
"""Two configurations nearer than this, next to the candidates' typical distance from their mean, are one."""


@dataclass(frozen=True)
class Selection:
    """numbers: in the order in which to label them. scores: of each when it was taken. duplicates: left out as such."""

    numbers: tuple[int, ...]
    scores: tuple[float, ...]
    duplicates: int


def select(
    candidates: Candidates, acquisition: Acquisition, known: Knowledge, n: int, *,
    diversity: Diversity = "conditional", by_cost: bool = False, budget: float | None = None, seed: int = 0, polish: int = 0,
) -> Selection:  # fmt: skip
    """At most n of the available candidates; fewer when there are no more, or the budget is spent. Collective.

    diversity: conditional takes the score of the next after the last is imagined labelled; kmeans and farthest spread the
    batch over the foremost by mean descriptors; none takes the n largest. by_cost: scores count per cost. budget: of the
    batch's costs together. polish: at most so many sweeps of Fedorov's exchanges. Candidates that are the same as a labelled
    one, or as one before them, are left out.
    """
    kept, n_duplicates = without_duplicates(candidates, known)
    n = min(n, int(kept.available.sum()))
    if n <= 0:
        return Selection((), (), n_duplicates)
    score = acquisition.prepare(kept, known)
    costs = kept.costs()
    shares = costs if by_cost else np.ones(len(costs))
    if diversity == "conditional":
        picks = _Greedy(kept, known, score, shares, acquisition.shrinks)
        chosen, values = _within(picks.next, costs, n, budget)
        for _ in range(polish):
            before = chosen
            chosen = _exchanged(kept, known, score, shares, chosen, costs, budget)
            if chosen == before:
                break
    else:
        chosen, values = _spread(kept, known, score, shares, n, diversity, seed, costs, budget)
    return Selection(tuple(chosen), tuple(values), n_duplicates)


class _Greedy:
    """One candidate after another, each imagined labelled before the next. Where scores only shrink, an old one is an upper
    bound, and only the foremost are looked at again: Minoux, Optimization Techniques (1978), p. 234."""

    def __init__(self, candidates: Candidates, known: Knowledge, score: Score, shares: Array, shrinks: bool) -> None:
        self._candidates, self._known, self._score = candidates, known, score
        self._shares, self._shrinks = shares, shrinks
        self._bounds = self._look(None)
        self._fresh = set(range(len(candidates)))

    def next(self) -> tuple[int, float]:
        """The number and score of the next; -1 when there are no more."""
        if not self._shrinks and not self._fresh:
            self._bounds, self._fresh = self._look(None), set(range(len(self._bounds)))
        while (best := int(np.argmax(self._bounds))) not in self._fresh:
            stale = [
                int(i) for i in np.argsort(-self._bounds, kind="stable")[: 2 * LOOKED_AT] if int(i) not in self._fresh
            ]
            which = stale[:LOOKED_AT]
            self._bounds[which] = self._look(which)[which]
            self._fresh |= set(which)
        value = float(self._bounds[best])
        if value == -np.inf:
            return -1, value
        self._known = self._known.with_label(self._candidates.fetch(best), value)
        self._candidates = self._candidates.without(best)
        self._bounds[best] = -np.inf
        self._fresh = {best}
        if not self._shrinks:
            self._fresh = set()
        return best, value

    def _look(self, which: list[int] | None) -> Array:
        return self._candidates.scores(lambda c: self._score(c, self._known), which) / self._shares


def _within(
    pick: Callable[[], tuple[int, float]], costs: Array, n: int, budget: float | None
) -> tuple[list[int], list[float]]:
    """Picks until n, or the next one is over the budget."""
    chosen: list[int] = []
    values: list[float] = []
    spent = 0.0
    while len(chosen) < n:
        number, value = pick()
        if number < 0 or (budget is not None and spent + costs[number] > budget):
            break
        spent += float(costs[number])
        chosen.append(number)
        values.append(value)
    return chosen, values


def _spread(
    candidates: Candidates, known: Knowledge, score: Score, shares: Array, n: int, diversity: Diversity, seed: int,
    costs: Array, budget: float | None,
) -> tuple[list[int], list[float]]:  # fmt: skip
    scores = candidates.scores(lambda c: score(c, known)) / shares
    order = np.argsort(-scores, kind="stable")[: int(candidates.available.sum())]
    if diversity != "none":
        points = candidates.geometry(known.labelled.energy)[0]
        foremost = order[: SPREAD * n]
        if diversity == "kmeans":
            rng = np.random.default_rng(seed)
            order = np.array(one_of_each(points[foremost], scores[foremost].tolist(), foremost.tolist(), n, rng))
        else:
            order = _apart(points, foremost, n)
    left = iter(order[:n])

    def pick() -> tuple[int, float]:
        number = int(next(left, -1))
        return number, float(scores[number])

    return _within(pick, costs, n, budget)


def _apart(points: Array, foremost: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """n of the foremost, from the best on each the farthest from those before it."""
    taken = [int(foremost[0])]
    nearest = np.linalg.norm(points[foremost] - points[taken[0]], axis=1)
    while len(taken) < n:
        nearest[[int(np.flatnonzero(foremost == t)[0]) for t in taken]] = -1.0
        taken.append(int(foremost[int(np.argmax(nearest))]))
        nearest = np.minimum(nearest, np.linalg.norm(points[foremost] - points[taken[-1]], axis=1))
    return np.array(taken)


def _exchanged(
    candidates: Candidates, known: Knowledge, score: Score, shares: Array, chosen: list[int], costs: Array,
    budget: float | None,
) -> list[int]:  # fmt: skip
    """One sweep of Fedorov's algorithm (Theory of Optimal Experiments, 1972): each member gives way to the candidate that adds
    most to the others, if that is more than it adds itself. O(members × candidates)."""
    members = list(chosen)
    for place, member in enumerate(members):
        others = [m for m in members if m != member]
        base = known
        for m in others:
            base = base.with_label(candidates.fetch(m))
        free = candidates
        for m in others:
            free = free.without(m)
        gains = free.scores(lambda c, base=base: score(c, base)) / shares  # type: ignore[misc]
        if budget is not None:
            gains[costs > budget - float(costs[others].sum())] = -np.inf
        best = int(np.argmax(gains))
        if gains[best] > gains[member] + 1e-9 * abs(gains[member]):
            members[place] = best
    return members


def without_duplicates(candidates: Candidates, known: Knowledge) -> tuple[Candidates, int]:
    """Those that are nobody's double, and how many are: of a labelled configuration, or of an available one before them."""
    from scipy.spatial import cKDTree  # late: it is slow to import

    if not candidates.available.any():
        return candidates, 0
    points, labelled = candidates.geometry(known.labelled.energy)
    spread = float(np.sqrt(np.mean(np.sum((points - points.mean(axis=0)) ** 2, axis=1))))
    near = max(SAME * spread, np.finfo(float).tiny)
    double = np.zeros(len(points), dtype=bool)
    if len(labelled):
        double |= cKDTree(labelled).query(points, distance_upper_bound=near)[0] < near
    open_numbers = np.flatnonzero(candidates.available & ~double)
    for i, j in sorted(cKDTree(points[open_numbers]).query_pairs(near)) if len(open_numbers) else []:
        double[open_numbers[j]] |= not double[open_numbers[i]]
    left = candidates.only(np.flatnonzero(~double).tolist())
    return left, int(candidates.available.sum() - left.available.sum())
