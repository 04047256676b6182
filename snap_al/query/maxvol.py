"""MaxVol active sets and the extrapolation grade γ, which is no std: how large the coefficients are
with which a row is a combination of the active ones. γ ≤ 1 is interpolation.

    γ(a) = max_j |(a A⁻¹)_j|,  A (n, n) the n rows of largest |det|

By configuration, a is its energy row, as MLIP has it: Podryabinkin and Shapeev, Comput. Mater. Sci.
140, 171 (2017). By atom, a is an atom's own row and every element has its active set, as pacemaker
has it: Lysogorskiy et al., Phys. Rev. Mater. 7, 043801 (2023). The set: Goreinov et al., in Matrix
Methods (2010), p. 247.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from snap_al.errors import InputError
from snap_al.inference import Posterior
from snap_al.query.acquisition import Score
from snap_al.query.candidates import Candidate, Candidates
from snap_al.query.knowledge import Knowledge

Array = NDArray[np.float64]
GROWTH = 1.001
"""A swap that enlarges the volume by less than this is rounding."""
WEAK = 1e-6
"""Rows that stand in for what fewer rows than columns leave open, next to the columns' largest
entries.
"""
MOST_SWAPS = 100_000


@dataclass(frozen=True)
class ActiveSet:
    """The rows of largest volume."""

    rows: Array
    """(n, n) rows."""
    inverse: Array
    """(n, n) inverse of the rows."""
    members: NDArray[np.int64]
    """(n,) which of the given rows each is; -1 for a row that stands in for a missing one."""

    @classmethod
    def of(cls, rows: Array) -> ActiveSet:
        """Of rows (m, n), m any number: stand-ins are there from the start, and give way to real
        rows.
        """
        n = rows.shape[1]
        scale = np.abs(rows).max(axis=0, initial=0.0)
        scale[scale == 0] = (
            scale.max() or 1.0
        )  # no row has anything in these columns, so that any row that has extrapolates
        return cls(np.diag(WEAK * scale), np.diag(1.0 / (WEAK * scale)), np.full(n, -1)).with_rows(
            rows, np.arange(len(rows))
        )

    def with_rows(self, rows: Array, numbers: NDArray[np.int64]) -> ActiveSet:
        """Swaps rows in while that enlarges the volume; each swap multiplies |det A| by the row's
        grade.
        """
        active, members = self.rows.copy(), self.members.copy()
        inverse: Array = self.inverse
        shares: Array = np.asarray(rows @ inverse)
        for swap in range(MOST_SWAPS):
            i, j = (
                divmod(int(np.argmax(np.abs(shares))), shares.shape[1]) if shares.size else (0, 0)
            )
            if not shares.size or not abs(shares[i, j]) > GROWTH:
                break
            active[j], members[j] = rows[i], numbers[i]
            if swap % 50 == 49:  # computed anew now and then, so that rounding errors do not add up
                inverse = np.asarray(np.linalg.inv(active), dtype=float)
                shares = np.asarray(rows @ inverse)
            else:
                step = (shares[i] - np.eye(1, shares.shape[1], j)[0]) / shares[i, j]
                shares = shares - np.outer(shares[:, j], step)
                inverse = inverse - np.outer(inverse[:, j], step)
        return ActiveSet(active, np.asarray(np.linalg.inv(active)), members)

    def grade(self, rows: Array) -> Array:
        """(m,) γ of rows (m, n)."""
        return np.asarray(np.abs(rows @ self.inverse).max(axis=1))


def unique_whitening(posterior: Posterior) -> Array:
    """(n, n) the whitening that is symmetric in columns of unit norm: the posterior's own times a
    rotation.

    Stand-ins are rows along coordinates, so a grade depends on the coordinates where there are
    fewer rows than columns; and a posterior's are rotated by rounding in the directions that have
    no data.
    """
    norms = np.linalg.norm(np.linalg.inv(posterior.whitening), axis=0)
    u, _, vt = np.linalg.svd(norms[:, None] * posterior.whitening)
    return np.asarray(posterior.whitening @ (vt.T @ u.T))


@dataclass(frozen=True)
class Grade:
    """The extrapolation grade γ of a configuration's energy row, or the largest of its atoms. The
    active set is that of the labelled configurations, and follows imagined labels.

    Raises InputError for grades by atom where the rows of atoms were not computed.
    """

    by_atom: bool
    """Whether γ is the largest over atoms."""
    shrinks: ClassVar[bool] = False
    linear: ClassVar[bool] = True

    def prepare(self, candidates: Candidates, known: Knowledge) -> Score:
        labelled = known.labelled.atoms if self.by_atom else known.labelled.energy
        if labelled is None:
            raise InputError(
                "strategy maxvol: grades by atom need the atoms' rows of what is labelled"
            ).on_all_ranks()
        whitening = unique_whitening(known.posterior)
        begin = ActiveSet.of(labelled @ whitening)
        state: dict[tuple[int, ...], ActiveSet] = {(): begin}

        def grade(candidate: Candidate, known: Knowledge) -> float:
            if known.imagined not in state:
                added = np.vstack([self._rows(c) for c in known.added]) @ whitening
                state.clear()
                state[known.imagined] = begin.with_rows(added, np.arange(len(added)))
            return float(state[known.imagined].grade(self._rows(candidate) @ whitening).max())

        return grade

    def _rows(self, candidate: Candidate) -> Array:
        return (
            candidate.energy[None]
            if candidate.atoms is None or not self.by_atom
            else candidate.atoms
        )
