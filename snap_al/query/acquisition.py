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
    """A query strategy.

    shrinks: whether a candidate's score can only fall as more is known (submodular criteria): then
    few candidates are looked at again after each imagined label. linear: whether `prepare` and the
    scores of all candidates cost O(candidates).
    """

    shrinks: ClassVar[bool]
    linear: ClassVar[bool]

    def prepare(self, candidates: Candidates, known: Knowledge) -> Score:
        """What is computed once from all candidates. Collective."""
        ...
