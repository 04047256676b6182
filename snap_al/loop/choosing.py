"""Which of the frames at which several walkers stopped in one pass are labelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from snap_al.data import LabelledConfiguration
from snap_al.data.configuration import Configuration
from snap_al.descriptors import DesignMatrix, RowSource
from snap_al.inference import Posterior
from snap_al.loop.pool import as_candidates
from snap_al.loop.settings import RunConfig
from snap_al.loop.state import RunState
from snap_al.parallel import Communicator
from snap_al.query import Candidate, Candidates, Knowledge, Labelled, Score, select
from snap_al.query.uncertainty import Tolerances, Uncertainty


@dataclass(frozen=True)
class StillWorth:
    """The largest force std while it is over the limit and a label would lower it by `gain`;
    otherwise -inf, and the candidate is never chosen."""

    std: Uncertainty
    """The force std of a candidate, eV/Å."""
    limit: float
    """eV/Å, below which a candidate is not labelled."""
    gain: float
    """Smallest share by which a label must lower the std."""
    shrinks: ClassVar[bool] = False
    linear: ClassVar[bool] = True

    def prepare(self, candidates: Candidates, known: Knowledge) -> Score:
        std = self.std.prepare(candidates, known)

        def score(candidate: Candidate, known: Knowledge) -> float:
            before = std(candidate, known)
            if (
                before <= self.limit
                or std(candidate, known.with_label(candidate)) > (1.0 - self.gain) * before
            ):
                return -np.inf
            return before

        return score


def worth_labelling(
    frames: Sequence[Configuration],
    config: RunConfig,
    state: RunState,
    posterior: Posterior,
    source: RowSource,
    comm: Communicator,
) -> list[int]:
    """Numbers of the frames to label, at least one and at most query.batch. Collective.

    The frame with the largest force std is chosen first; the others are then compared as if it had
    been labelled. Walkers that start from similar structures stop at similar frames, and one label
    can serve all of them.
    """
    matrix = DesignMatrix(source, comm)
    matrix.append([LabelledConfiguration(frame, config.label.weights) for frame in frames])
    candidates = Candidates(as_candidates(matrix), np.ones(len(frames), dtype=bool), comm)
    no_labels = Labelled(np.zeros((0, len(posterior.mean))), np.zeros((0, 2)))
    known, q = Knowledge.of(posterior, no_labels), config.query
    largest = Uncertainty(
        "force", "max", "total", Tolerances(q.energy_std, q.force_tolerance, q.stress_std)
    )
    still = StillWorth(largest, max(state.tolerance, state.novelty), q.min_gain)
    # MD and these rows may differ by rounding, so that no frame is over the limit
    kept = (
        select(candidates, still, known, q.batch).numbers
        or select(candidates, largest, known, 1).numbers
    )
    return sorted(kept)


def spread(count: int, most: int) -> list[int]:
    """At most `most` of the numbers 0 … count - 1, evenly spaced."""
    return sorted({int(n) for n in np.linspace(0, count - 1, min(count, most)).round()})
