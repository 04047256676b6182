"""The default: what is novel first, and then what makes the labelled set most like the pool.

A linear model that cannot represent everything depends on where its labels are. Asking for the
largest std alone fills the training set with what is far out, and the error on the rest grows; a
set that is like the pool serves the average, and misses what is rare. So a candidate is asked for
by its std only while that is above all but a few of the same stds of labelled configurations, each
left out of the fit; otherwise kernel herding picks.

    Novel:    ratio = max(energy std, RMS force std, each next to the (rank + 1)-th largest of
              the left-out ones) > 1
    Herding:  argmin over candidates of ‖μ_pool - μ_labelled‖² in the kernel's space.
              Chen, Welling, Smola, UAI (2010).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from snap_al.query.acquisition import Score
from snap_al.query.candidates import Candidate, Candidates
from snap_al.query.knowledge import Knowledge

Array = NDArray[np.float64]
LEAST_SHARE = 1e-3
"""Candidates whose weights are smaller than this share of the pool's largest of the same kind are
chosen last."""
USELESS = -2.0
MOST_PAIRED = 1000
"""Number of configurations between which the median distance is taken."""


@dataclass(frozen=True)
class Novel:
    """Novel candidates score above 1, by the ratio of their std to the limit; the others score
    below 1, by herding."""

    rank: int
    """Number of left-out stds of labelled configurations that may be above the std of a novel
    candidate."""
    share: float
    """Largest share of a batch that may be novel."""
    shrinks: ClassVar[bool] = False
    linear: ClassVar[bool] = False

    def prepare(self, candidates: Candidates, known: Knowledge) -> Score:
        useful = _useful(candidates)
        limits, herding = self._limits(known), Herding.of(candidates, known, useful)
        # Stds only fall with labels: a candidate that is not novel does not become novel.
        ratios: dict[int, float] = {}
        state: dict[tuple[int, ...], Array] = {}

        def score(candidate: Candidate, known: Knowledge) -> float:
            number, imagined = candidate.number, known.imagined
            if not useful[number]:
                return USELESS
            asked = sum(value > 1.0 for value in known.scores)
            if asked < self.share * (len(imagined) + 1) and ratios.get(number, np.inf) > 1.0:
                ratios[number] = float(np.max(unit_stds(candidate, known) / limits))
                if ratios[number] > 1.0:
                    return ratios[number]
            if imagined not in state:
                state.clear()
                state[imagined] = herding.scores(imagined)
            return float(state[imagined][number])

        return score

    def _limits(self, known: Knowledge) -> Array:
        """(2,) limits on energy and force; infinite where nothing is known of the kind."""
        largest_first = [np.sort(column[column > 0])[::-1] for column in known.labelled.stds.T]
        return np.array(
            [c[min(self.rank, len(c) - 1)] if len(c) else np.inf for c in largest_first]
        )


@dataclass(frozen=True)
class Herding:
    """Scores in (-1, 1): how much a candidate lowers the distance of the labelled set's mean in
    kernel space from that of the pool."""

    points: Array
    """(size, k) points between which distances are taken."""
    affinity: Array
    """(size,) mean kernel with the pool."""
    sums: Array
    """(size,) sum of the kernel with the labelled configurations."""
    n_labelled: int
    """Number of labelled configurations."""
    width: float
    """Width of the kernel exp(-distance/width)."""

    @classmethod
    def of(cls, candidates: Candidates, known: Knowledge, useful: NDArray[np.bool_]) -> Herding:
        """Collective. The cost is O(candidates²); each rank computes its share of the pairs.

        useful: (size,) which candidates the pool is made of.
        """
        comm = candidates.comm
        points, labelled = candidates.geometry(known.labelled.energy)
        pool = points[useful]
        some = pool[:: max(1, len(pool) // MOST_PAIRED)]
        separations = np.concatenate([distances(some, p)[n + 1 :] for n, p in enumerate(some)])
        width = float(np.median(separations[separations > 0])) if (separations > 0).any() else 1.0
        local = {
            n: float(np.exp(-distances(pool, points[n]) / width).mean())
            for n in range(comm.rank, len(points), comm.size)
        }
        merged = {n: value for part in comm.allgather(local) for n, value in part.items()}
        affinity = np.array([merged[n] for n in range(len(points))])
        sums = np.zeros(len(points))
        for row in labelled:
            sums += np.exp(-distances(points, row) / width)
        return cls(points, affinity, sums, len(labelled), width)

    def scores(self, imagined: tuple[int, ...]) -> Array:
        """(size,) decrease of the squared distance, up to a constant that is the same for all
        candidates."""
        sums = self.sums.copy()
        for n in imagined:
            sums += np.exp(-distances(self.points, self.points[n]) / self.width)
        m = self.n_labelled + len(imagined) + 1
        # The part of (1/m²)(Σ Σ k + 2 Σ k_i + 1) - (2/m) Σ affinity that differs between
        # candidates, times m/2.
        return np.asarray((self.affinity - (sums + 0.5) / m) / 2.0)


def _useful(candidates: Candidates) -> NDArray[np.bool_]:
    """(size,) which candidates have rows of some kind whose weights are not negligible in the pool.
    Collective."""

    def heaviest(c: Candidate) -> Array:
        return np.array(
            [c.weights[(c.kinds == kind) & ~c.vanishing].max(initial=0.0) for kind in range(3)]
        )

    weights = candidates.each(heaviest, (3,))
    useful = (weights > LEAST_SHARE * np.maximum(weights.max(axis=0), np.finfo(float).tiny)).any(
        axis=1
    )
    return np.asarray(useful if useful.any() else ~useful)


def unit_stds(candidate: Candidate, known: Knowledge) -> Array:
    """(2,) energy std and RMS force std at unit noise, 0 where all forces vanish by symmetry."""
    forces = known.whitened(candidate.forces) @ known.root
    energy = known.whitened(candidate.energy) @ known.root
    return np.array(
        [np.linalg.norm(energy), np.sqrt(np.sum(np.square(forces)) / max(len(forces), 1))]
    )


def distances(points: Array, point: Array) -> Array:
    return np.asarray(np.linalg.norm(points - point, axis=1))
