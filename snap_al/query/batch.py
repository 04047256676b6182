"""Chooses a batch by scores. It is used for pools, for walkers that run side by side, and for
learning curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from snap_al.query.acquisition import Acquisition, Score
from snap_al.query.candidates import Candidates
from snap_al.query.committee import one_of_each
from snap_al.query.knowledge import Knowledge
from snap_al.query.settings import QuerySettings

Array = NDArray[np.float64]
Diversity = Literal["conditional", "kmeans", "farthest", "none"]
LOOKED_AT = 64
"""Number of candidates whose scores are updated together, where old scores are upper bounds."""
SPREAD = 5
"""Number of best candidates that a diverse batch is taken from, per configuration of the batch."""
SAME = 1e-6
"""Two configurations are the same when they are nearer than this share of the candidates' typical
distance from their mean."""


@dataclass(frozen=True)
class BatchOptions:
    """How a batch is made from scores."""

    diversity: Diversity = "conditional"
    """conditional: each score is taken after the candidates before it are imagined labelled.
    kmeans, farthest: the batch is spread over the best candidates by mean descriptors. none: the
    largest scores."""
    by_cost: bool = False
    """Whether scores are divided by costs."""
    budget: float | None = None
    """Largest cost of the whole batch; None for no limit."""
    seed: int = 0
    """Seed of kmeans."""
    polish: int = 0
    """Largest number of sweeps of Fedorov's exchanges, with diversity conditional."""

    @classmethod
    def of(cls, settings: QuerySettings, seed: int) -> BatchOptions:
        """The options that a config asks for."""
        return cls(settings.diversity, settings.by_cost, settings.budget, seed, settings.polish)


@dataclass(frozen=True)
class Selection:
    """A batch of candidates."""

    numbers: tuple[int, ...]
    """Their numbers, in the order in which to label them."""
    scores: tuple[float, ...]
    """The score of each when it was taken."""
    duplicates: int
    """Number of candidates that were left out because they repeat another."""


def select(
    candidates: Candidates,
    acquisition: Acquisition,
    known: Knowledge,
    n: int,
    options: BatchOptions | None = None,
) -> Selection:
    """At most n of the available candidates; fewer when there are no more, or the budget is spent.
    Candidates that repeat a labelled one, or one before them, are left out. Collective.

    options: the defaults of BatchOptions when not given.
    """
    options = options or BatchOptions()
    kept, n_duplicates = without_duplicates(candidates, known)
    n = min(n, int(kept.available.sum()))
    if n <= 0:
        return Selection((), (), n_duplicates)
    score = acquisition.prepare(kept, known)
    budget = np.inf if options.budget is None else options.budget
    costs = _Costs(kept.costs(), options.by_cost, budget)
    if options.diversity != "conditional":
        chosen, values = _spread(kept, known, score, costs, n, options)
        return Selection(tuple(chosen), tuple(values), n_duplicates)
    picks = _Greedy(kept, known, score, costs, acquisition.shrinks)
    while len(picks.chosen) < n and picks.next():
        pass
    chosen, values = picks.chosen, picks.scores
    for _ in range(options.polish):
        better = _exchanged(kept, known, score, costs, chosen)
        if better == chosen:
            break
        chosen, values = better, _in_turn(kept, known, score, better)
    return Selection(tuple(chosen), tuple(values), n_duplicates)


@dataclass(frozen=True)
class _Costs:
    """The costs of labels, and what a batch may cost."""

    each: Array
    """(size,) cost of each candidate, larger than 0."""
    by_cost: bool
    """Whether scores are divided by costs."""
    budget: float
    """Largest cost of the whole batch."""

    def merit(self, scores: Array) -> Array:
        """(size,) values by which candidates are ranked. A cost lowers a positive score, and lowers
        a negative one as well."""
        if not self.by_cost:
            return scores
        return np.asarray(np.where(scores > 0, scores / self.each, scores * self.each))

    def left(self, chosen: list[int]) -> float:
        return self.budget - float(self.each[chosen].sum())


class _Greedy:
    """Takes one candidate after another, each as if those before it were labelled. Where scores can
    only fall, an old score is an upper bound, and only the best candidates are scored again:
    Minoux, Optimization Techniques (1978), p. 234."""

    def __init__(
        self, candidates: Candidates, known: Knowledge, score: Score, costs: _Costs, shrinks: bool
    ) -> None:
        self._candidates, self._known, self._score = candidates, known, score
        self._costs, self._shrinks = costs, shrinks
        self.chosen: list[int] = []
        self.scores: list[float] = []
        self._raw = self._look(None)
        self._fresh = set(range(len(candidates)))

    def next(self) -> bool:
        """Takes one more candidate. False when the budget allows none."""
        self._raw[self._costs.each > self._costs.left(self.chosen)] = -np.inf
        if not self._shrinks and not self._fresh:
            affordable = np.isfinite(self._raw)
            self._raw = np.where(affordable, self._look(None), -np.inf)
            self._fresh = set(range(len(self._raw)))
        while (best := int(np.argmax(merits := self._costs.merit(self._raw)))) not in self._fresh:
            order = np.argsort(-merits, kind="stable")[: 2 * LOOKED_AT]
            which = [int(i) for i in order if int(i) not in self._fresh][:LOOKED_AT]
            self._raw[which] = np.where(
                np.isfinite(self._raw[which]), self._look(which)[which], -np.inf
            )
            self._fresh |= set(which)
        value = float(self._raw[best])
        if value == -np.inf:
            return False
        self._known = self._known.with_label(self._candidates.fetch(best), value)
        self._candidates = self._candidates.without(best)
        self.chosen.append(best)
        self.scores.append(value)
        self._raw[best] = -np.inf
        self._fresh = {best} if self._shrinks else set()
        return True

    def _look(self, which: list[int] | None) -> Array:
        return self._candidates.scores(lambda c: self._score(c, self._known), which)


def _spread(
    candidates: Candidates,
    known: Knowledge,
    score: Score,
    costs: _Costs,
    n: int,
    options: BatchOptions,
) -> tuple[list[int], list[float]]:
    scores = candidates.scores(lambda c: score(c, known))
    merits = costs.merit(scores)
    order = np.argsort(-merits, kind="stable")
    order = order[(scores[order] > -np.inf) & (costs.each[order] <= costs.budget)]
    if options.diversity != "none" and len(order):
        points = candidates.geometry(known.labelled.energy)[0]
        leading, n = order[: SPREAD * n], min(n, len(order))
        if options.diversity == "kmeans":
            rng = np.random.default_rng(options.seed)
            order = np.array(
                one_of_each(points[leading], merits[leading].tolist(), leading.tolist(), n, rng)
            )
        else:
            order = _spread_out(points, leading, n)
    chosen: list[int] = []
    for number in candidates.comm.bcast(order).tolist():
        if len(chosen) < n and costs.each[number] <= costs.left(chosen):
            chosen.append(number)
    return chosen, scores[chosen].tolist()


def _spread_out(points: Array, leading: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """n of the leading candidates: the best, then each time the one farthest from the others."""
    taken = [int(leading[0])]
    nearest = np.linalg.norm(points[leading] - points[taken[0]], axis=1)
    while len(taken) < n:
        nearest[[int(np.flatnonzero(leading == t)[0]) for t in taken]] = -1.0
        taken.append(int(leading[int(np.argmax(nearest))]))
        nearest = np.minimum(nearest, np.linalg.norm(points[leading] - points[taken[-1]], axis=1))
    return np.array(taken)


def _exchanged(
    candidates: Candidates, known: Knowledge, score: Score, costs: _Costs, chosen: list[int]
) -> list[int]:
    """One sweep of Fedorov's algorithm (Theory of Optimal Experiments, 1972): each member gives way
    to the candidate that adds most to the others, if that is more than it adds itself. O(members ×
    candidates). For criteria that are functions of a set."""
    members = {number: candidates.fetch(number) for number in chosen}
    for member in chosen:
        others = [number for number in members if number != member]
        base, free = known, candidates
        for number in others:
            base, free = base.with_label(members[number]), free.without(number)
        gains = costs.merit(free.scores(lambda c, base=base: score(c, base)))  # type: ignore[misc]
        gains[costs.each > costs.left(others)] = -np.inf
        best = int(np.argmax(gains))
        if gains[best] > gains[member] + 1e-9 * abs(gains[member]):
            kept = candidates.fetch(best)
            members = {best if number == member else number: c for number, c in members.items()}
            members[best] = kept
    return list(members)


def _in_turn(
    candidates: Candidates, known: Knowledge, score: Score, chosen: list[int]
) -> list[float]:
    """The score of each candidate after those before it."""
    values = []
    for number in chosen:
        candidate = candidates.fetch(number)
        values.append(float(score(candidate, known)))
        known = known.with_label(candidate, values[-1])
    return values


def without_duplicates(candidates: Candidates, known: Knowledge) -> tuple[Candidates, int]:
    """The candidates without repetitions, and the number of repetitions: of a labelled
    configuration, or of an available candidate before."""
    from scipy.spatial import cKDTree  # late: it is slow to import

    if not candidates.available.any():
        return candidates, 0
    points, labelled = candidates.geometry(known.labelled.energy)
    spread = float(np.sqrt(np.mean(np.sum((points - points.mean(axis=0)) ** 2, axis=1))))
    near = max(SAME * spread, np.finfo(float).tiny)
    repeated = np.zeros(len(points), dtype=bool)
    if len(labelled):
        repeated |= cKDTree(labelled).query(points, distance_upper_bound=near)[0] < near
    open_numbers = np.flatnonzero(candidates.available & ~repeated)
    for i, j in (
        sorted(cKDTree(points[open_numbers]).query_pairs(near)) if len(open_numbers) else []
    ):
        repeated[open_numbers[j]] |= not repeated[open_numbers[i]]
    left = candidates.only(np.flatnonzero(~repeated).tolist())
    return left, int(candidates.available.sum() - left.available.sum())
