"""The interface of all query strategies. A strategy takes predictions and design rows, and gives
one score per candidate."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Protocol

from snap_al.query.candidates import Candidate, Candidates
from snap_al.query.knowledge import Knowledge

Score = Callable[[Candidate, Knowledge], float]
"""The score of one candidate, given what is known. The candidate with the largest score is labelled
first. Not collective."""


class Acquisition(Protocol):
    """A query strategy."""

    shrinks: ClassVar[bool]
    """Whether the score of a candidate can only fall as more is known (submodular criteria). Then
    few candidates are scored again after each imagined label."""
    linear: ClassVar[bool]
    """Whether `prepare` and the scores of all candidates cost O(candidates)."""

    def prepare(self, candidates: Candidates, known: Knowledge) -> Score:
        """Computes what all scores need, from all candidates. Collective."""
        ...
