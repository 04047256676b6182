"""The one interface of all query strategies: predictions and design rows in, one score per
candidate out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Protocol

from snap_al.query.candidates import Candidate, Candidates
from snap_al.query.knowledge import Knowledge

Score = Callable[[Candidate, Knowledge], float]
"""Of one candidate, given what is known; the largest is asked for first. Communicates with
nobody.
"""


class Acquisition(Protocol):
    """A query strategy."""

    shrinks: ClassVar[bool]
    """Whether the score of a candidate can only fall as more is known (submodular criteria). Then
    few candidates are scored again after each imagined label."""
    linear: ClassVar[bool]
    """Whether `prepare` and the scores of all candidates cost O(candidates)."""

    def prepare(self, candidates: Candidates, known: Knowledge) -> Score:
        """What is computed once from all candidates. Collective."""
        ...
