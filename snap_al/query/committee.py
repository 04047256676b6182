"""Query by committee: K learners, each fitted to a share f of the training points drawn with
replacement. The M candidates on which they disagree most are labelled, and each learner gets its
share fM of them.

`Disagreement` uses a posterior that is a committee (`fit.committee`: members solved from one pass
over the rows, each configuration drawn Poisson(f) times). `Committee` does the same for any
regressor with scikit-learn's interface, on points x. Seung, Opper, Sompolinsky, COLT (1992).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from snap_al.errors import InputError
from snap_al.query.acquisition import Score
from snap_al.query.candidates import Candidates
from snap_al.query.knowledge import Knowledge
from snap_al.query.uncertainty import Uncertainty

Array = NDArray[np.float64]
SPREAD = 5
"""Number of candidates that are clustered, per point of the batch."""


@dataclass(frozen=True)
class Disagreement:
    """The std of the members' predictions. A batch needs diversity, because an imagined label does
    not change the members.

    Raises InputError for a posterior without members.
    """

    uncertainty: Uncertainty
    """The std."""
    shrinks: ClassVar[bool] = True
    linear: ClassVar[bool] = True

    def prepare(self, candidates: Candidates, known: Knowledge) -> Score:
        if len(known.posterior.draws) < 2:
            raise InputError(
                f"strategy committee: `fit.posterior: {known.posterior.name}` has no members; "
                "take committee"
            ).on_all_ranks()
        return lambda candidate, known: self.uncertainty.disagreement(candidate, known.posterior)


@dataclass
class Committee:
    """A committee of K regressors, each fitted to points of its own."""

    members: list[Any]
    """The regressors."""
    points: list[NDArray[np.int64]]
    """The points of each, as numbers in a pool x (N, d). A number may occur several times."""
    fraction: float
    """Share of the labelled points that each member is fitted to."""

    @classmethod
    def of(
        cls,
        make: Callable[[], Any],
        k: int,
        fraction: float,
        numbers: NDArray[np.int64],
        rng: np.random.Generator,
    ) -> Committee:
        """A committee whose members each have a share of `numbers` (N,), drawn with replacement.

        make: makes a regressor.
        """
        size = max(1, round(fraction * len(numbers)))
        return cls(
            [make() for _ in range(k)], [rng.choice(numbers, size) for _ in range(k)], fraction
        )

    def fit(self, x: Array, y: Array) -> Committee:
        """Fits each member to its points.

        x: (N, d), y: (N,) of the whole pool.
        """
        for member, points in zip(self.members, self.points, strict=True):
            member.fit(x[points], y[points])
        return self

    def predict(self, x: Array) -> tuple[Array, Array]:
        """Mean and std (N,) over the members."""
        each = np.array([member.predict(x) for member in self.members])
        return each.mean(axis=0), each.std(axis=0)

    def ask(
        self, x: Array, available: NDArray[np.int64], m: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """(m,) of `available`, of large disagreement and spread over the geometry: the 5m largest
        in m clusters, of each the one of largest disagreement."""
        _, std = self.predict(x[available])
        leading = available[np.argsort(-std, kind="stable")[: SPREAD * m]]
        best = {int(n): float(s) for n, s in zip(available, std, strict=True)}
        return np.array(
            one_of_each(x[leading], [best[int(n)] for n in leading], leading.tolist(), m, rng),
            dtype=int,
        )

    def tell(self, x: Array, numbers: NDArray[np.int64], rng: np.random.Generator) -> None:
        """Each learner gets its share of new points with replacement, evenly from their
        clusters.
        """
        share = max(1, round(self.fraction * len(numbers)))
        labels = clusters(x[numbers], min(share, len(numbers)), rng)
        for k, points in enumerate(self.points):
            drawn = [rng.choice(numbers[labels == c]) for c in np.unique(labels)][:share]
            self.points[k] = np.concatenate([points, np.array(drawn, dtype=int)])


def clusters(x: Array, k: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(N,) numbers of K-means clusters; fewer than k when points coincide."""
    from sklearn.cluster import KMeans  # late: it is slow to import

    different = len(np.unique(x, axis=0))
    k = min(k, different)
    if k >= different == len(x):
        return np.arange(len(x))
    return np.asarray(
        KMeans(k, n_init=3, random_state=int(rng.integers(2**31))).fit_predict(x), dtype=np.int64
    )


def one_of_each(
    x: Array, scores: Sequence[float], numbers: Sequence[int], m: int, rng: np.random.Generator
) -> list[int]:
    """m of the numbers, the best of each of m clusters of x (N, d), best first; filled up with the
    best of the rest.
    """
    order = np.argsort(-np.asarray(scores), kind="stable")
    labels = clusters(x, m, rng)
    taken: list[int] = []
    for i in order:
        if labels[i] not in [labels[t] for t in taken]:
            taken.append(int(i))
    taken += [int(i) for i in order if int(i) not in taken]
    return [numbers[i] for i in taken[:m]]
