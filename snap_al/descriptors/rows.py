"""Rows of labelled configurations, as a fit takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

INDEX_TYPE = np.dtype(
    [
        ("configuration", "i4"),
        ("kind", "i1"),
        ("atom", "i4"),
        ("component", "i1"),
        ("group", "i4"),
        ("core", "?"),
    ]
)
"""The row index. atom is -1 for energy and stress rows; component is 0-2 for forces, 0-5 (Voigt)
for stress. core: False for forces outside the core of a carved cell, which are not fitted."""


@dataclass(frozen=True)
class Rows:
    """Rows of one or more configurations."""

    values: Array
    """(m, n) rows of the design matrix."""
    targets: Array
    """(m,) with the reference potential taken off; NaN where there is no label."""
    weights: Array
    """(m,) weights."""
    labelled: NDArray[np.bool_]
    """(m,) which have a label and a weight."""
    vanishing: NDArray[np.bool_]
    """(m,) which are zero by symmetry."""
    index: NDArray[np.void]
    """(m,) row index, see INDEX_TYPE."""
    damping: Array
    """(m,) share of the row's weight that damping has left."""

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(m,) the rows that a fit sees and calibration counts."""
        return np.asarray(self.labelled & ~self.vanishing)

    def used(self) -> Rows:
        """A copy of the rows of the mask."""
        m = self.mask
        return Rows(*(getattr(self, f.name)[m] for f in fields(self)))

    @classmethod
    def nothing(cls, n_columns: int) -> Rows:
        """No rows."""
        none = np.zeros(0, dtype=bool)
        return cls(
            np.zeros((0, n_columns)),
            np.zeros(0),
            np.zeros(0),
            none,
            none,
            np.zeros(0, INDEX_TYPE),
            np.zeros(0),
        )

    @classmethod
    def joined(cls, parts: Sequence[Rows]) -> Rows:
        """A copy of all parts, at least one, together."""
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))
