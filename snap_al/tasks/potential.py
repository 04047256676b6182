"""The potential that a task is given."""

from __future__ import annotations

from pathlib import Path

from snap_al.potential import FittedPotential

GivenPotential = FittedPotential | Path | str
"""A potential, or the folder of a run or a fit that holds one."""


def potential_of(given: GivenPotential) -> FittedPotential:
    """The potential. Raises InputError for a folder without one."""
    return given if isinstance(given, FittedPotential) else FittedPotential.read(Path(given))
