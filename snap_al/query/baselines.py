"""Simple strategies to compare with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from snap_al.query.acquisition import Score
from snap_al.query.candidates import Candidate, Candidates
from snap_al.query.knowledge import Knowledge
from snap_al.query.uncertainty import Uncertainty

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Random:
    """Candidates in random order."""

    seed: int
    """Seed of the order."""
    shrinks: ClassVar[bool] = True
    linear: ClassVar[bool] = True

    def prepare(self, candidates: Candidates, known: Knowledge) -> Score:
        lots = np.random.default_rng([self.seed, len(candidates)]).random(len(candidates))
        return lambda candidate, known: float(lots[candidate.number])


@dataclass(frozen=True)
class Boltzmann:
    """Draws without replacement in proportion to exp(+std/τ): largest std/τ plus Gumbel noise.
    Kool, van Hoof, Welling, ICML (2019).

    The sign is positive: e^(-std) would avoid the uncertain region.
    """

    uncertainty: Uncertainty
    """The std."""
    temperature: float
    """τ, as a share of the spread of the candidates' stds when they are first scored."""
    seed: int
    """Seed of the noise."""
    shrinks: ClassVar[bool] = False
    linear: ClassVar[bool] = True

    def prepare(self, candidates: Candidates, known: Knowledge) -> Score:
        std = self.uncertainty.prepare(candidates, known)
        stds = candidates.each(lambda c: std(c, known))
        tau = max(
            self.temperature * float(stds.std()),
            1e-12 * float(np.abs(stds).max()),
            np.finfo(float).tiny,
        )
        lots = np.random.default_rng([self.seed, len(candidates)]).gumbel(size=len(candidates))
        return lambda candidate, known: std(candidate, known) / tau + float(lots[candidate.number])


@dataclass(frozen=True)
class FarthestPoint:
    """The candidate whose nearest neighbour among what is labelled is farthest, by mean
    descriptors. Gonzalez, Theor. Comput. Sci. 38, 293 (1985)."""

    shrinks: ClassVar[bool] = True
    linear: ClassVar[bool] = True

    def prepare(self, candidates: Candidates, known: Knowledge) -> Score:
        points, labelled = candidates.geometry(known.labelled.energy)
        nearest = np.full(len(points), np.inf)
        for row in labelled:
            nearest = np.minimum(nearest, np.linalg.norm(points - row, axis=1))

        def distance(candidate: Candidate, known: Knowledge) -> float:
            point = points[candidate.number]
            among = [float(np.linalg.norm(point - points[n])) for n in known.imagined]
            return min([float(nearest[candidate.number]), *among])

        return distance
