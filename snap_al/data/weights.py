"""Row weights of a configuration, and the rule that keeps unphysical labels from spoiling a small
linear model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, Field

Array = NDArray[np.float64]
LIGHTEST, HEAVIEST = 1e-20, 1e20
"""Smallest and largest weight other than 0. Rows with weights between them can be added in double
precision."""


def check_weight(weight: float) -> float:
    """The weight itself. Raises ValueError for one that rounding would lose, or that would lose all
    others."""
    if weight == 0 or LIGHTEST <= weight <= HEAVIEST:
        return weight
    raise ValueError(
        f"a weight of {weight:g} is neither 0 nor between {LIGHTEST:g} and {HEAVIEST:g}"
    )


Weight = Annotated[float, Field(ge=0), AfterValidator(check_weight)]
"""Weight of rows of one kind."""


@dataclass(frozen=True)
class Weights:
    """Weights of the rows of one configuration."""

    energy: float
    """1/eV, on the energy per atom."""
    force: float
    """Å/eV, on force components."""
    stress: float
    """1/bar, on stress components."""


class Damping(BaseModel, extra="forbid", frozen=True):
    """Less weight for labels far outside the range of use.

    Force rows of an atom:   fweight / (1 + (|F| / force)²), |F| its reference force.
    Energy and stress rows:  eweight / (1 + (ΔE / energy)²), ΔE the energy per atom above the
                             lowest of the training set.
    """

    force: float = Field(default=2.0, gt=0)
    """eV/Å."""
    energy: float = Field(default=0.3, gt=0)
    """eV/atom."""

    def of_forces(self, forces: Array) -> Array:
        """(n_atoms,) factors for each atom's three rows."""
        return np.asarray(1.0 / (1.0 + np.sum(np.square(forces), axis=1) / self.force**2))

    def of_energy(self, excess: float) -> float:
        """Factor for the energy and stress rows of a configuration that lies `excess` eV/atom above
        the lowest.
        """
        return 1.0 / (1.0 + (excess / self.energy) ** 2)
