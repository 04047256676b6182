"""Uncertainty sampling: ask where the predictive std is largest. Settles, Active Learning
Literature Survey (2009), 3.1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from snap_al.inference import Posterior, atom_force_std
from snap_al.query.acquisition import Score
from snap_al.query.candidates import FORCE, STRESS, Candidate, Candidates
from snap_al.query.knowledge import Knowledge, Part
from snap_al.units import ASE_STRESS_TO_ROWS

Array = NDArray[np.float64]
Of = Literal["energy", "force", "stress", "weighted"]


@dataclass(frozen=True)
class Tolerances:
    """The std of each kind that counts as one."""

    energy: float
    """eV/atom."""
    force: float
    """eV/Å."""
    stress: float
    """eV/Å³."""


@dataclass(frozen=True)
class Uncertainty:
    """The std of a configuration's energy (eV/atom), of its atoms' forces (eV/Å), of its stress
    (eV/Å³, RMS of the components), or the sum of all three in units of the tolerances."""

    of: Of
    """Which of these."""
    atoms: Literal["max", "mean"] | float
    """How the forces of atoms are combined: the largest, the mean, or a quantile."""
    part: Part
    """The total std, or one of its parts."""
    tolerances: Tolerances
    """Tolerances of the sum."""
    shrinks: ClassVar[bool] = False  # the model error does not shrink
    linear: ClassVar[bool] = True

    def prepare(self, candidates: Candidates, known: Knowledge) -> Score:
        return self.std

    def std(self, candidate: Candidate, known: Knowledge) -> float:
        root, factors = known.std_root(self.part), known.posterior.recalibration
        return self._combined(
            lambda: factors[0] * float(np.linalg.norm(candidate.energy @ root)),
            lambda: (
                factors[1] * over_atoms(atom_force_std(candidate.of_kind(FORCE), root), self.atoms)
            ),
            lambda: factors[2] * _rms(candidate.of_kind(STRESS) @ root) / abs(ASE_STRESS_TO_ROWS),
        )

    def _combined(
        self, energy: Callable[[], float], force: Callable[[], float], stress: Callable[[], float]
    ) -> float:
        if self.of == "weighted":
            t = self.tolerances
            return energy() / t.energy + force() / t.force + stress() / t.stress
        return {"energy": energy, "force": force, "stress": stress}[self.of]()

    def disagreement(self, candidate: Candidate, posterior: Posterior) -> float:
        """The same for a committee: the std of its members' predictions about their mean."""
        spread = (posterior.draws - posterior.draws.mean(axis=0)).T / np.sqrt(len(posterior.draws))
        return self._combined(
            lambda: float(np.linalg.norm(candidate.energy @ spread)),
            lambda: over_atoms(atom_force_std(candidate.of_kind(FORCE), spread), self.atoms),
            lambda: _rms(candidate.of_kind(STRESS) @ spread) / abs(ASE_STRESS_TO_ROWS),
        )


def over_atoms(stds: Array, how: Literal["max", "mean"] | float) -> float:
    """The value over atoms.

    how: max, mean, or a quantile between 0 and 1.
    """
    if not len(stds):
        return 0.0
    if how == "max":
        return float(stds.max())
    return float(stds.mean()) if how == "mean" else float(np.quantile(stds, float(how)))


def _rms(rows: Array) -> float:
    return float(np.sqrt(np.mean(np.square(rows).sum(axis=1))))
