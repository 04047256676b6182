"""How long work says how far it is, without knowing who listens."""

from collections.abc import Callable

Report = Callable[[str, int, int], None]
"""Told what is being done, how much of it is, and of how much; 0 of 0 where that cannot be known.
Cheap, on rank 0.
"""


def silent(what: str, done: int, of: int) -> None:
    """Nobody listens."""
