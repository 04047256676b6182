"""What a label is expected to change: coefficients, variances, errors. Settles, Active Learning
Literature Survey (2009), 3.3-3.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from snap_al.inference import row_std
from snap_al.query.acquisition import Score
from snap_al.query.candidates import FORCE, Candidate, Candidates
from snap_al.query.knowledge import Knowledge
from snap_al.query.optimality import TraceReduction, grown, pool_information
from snap_al.query.uncertainty import Tolerances

Array = NDArray[np.float64]
MOST_ROWS = 512
"""Rows that the expected error is averaged over."""


@dataclass(frozen=True)
class ModelChange:
    """Expected model change: the root of E‖Qᵀr‖² over the residuals r ~ N(0, QΣQᵀ + w²σ²) that its
    rows are predicted to have, which is the length of the likelihood's gradient by the
    coefficients. Settles, Craven, Ray, NIPS 20 (2008)."""

    shrinks: ClassVar[bool] = False
    linear: ClassVar[bool] = True

    def prepare(self, candidates: Candidates, known: Knowledge) -> Score:
        def length(candidate: Candidate, known: Knowledge) -> float:
            q = known.whitened(candidate.weighted)
            spread = candidate.weighted @ known.std_root("total")
            noise = candidate.noise_variance(known.posterior) @ np.square(q).sum(axis=1)
            return float(np.sqrt(np.square(q.T @ spread).sum() + noise))

        return length


def variance_reduction(tolerances: Tolerances) -> TraceReduction:
    """The mean variance of all candidates' energies and forces, in units of the tolerances. Cohn,
    Neural Netw. 9, 1071 (1996).
    """

    def scaled(candidate: Candidate) -> Array:
        forces = candidate.of_kind(FORCE)
        return np.vstack(
            [
                candidate.energy / tolerances.energy,
                forces / (tolerances.force * np.sqrt(len(forces))),
            ]
        )

    return TraceReduction(lambda candidates, known: pool_information(candidates, scaled, known))


def fisher_ratio() -> TraceReduction:
    """tr(I_pool I_fitted⁻¹), in which the pool's rows count as 1/s², s their total std with model
    error: less is asked of what the model cannot represent. What is fitted counts by its weights,
    as the fit has it. Zhang and Oles, ICML (2000)."""

    def counted(known: Knowledge, candidate: Candidate) -> Array:
        rows = candidate.weighted
        s2 = np.square(rows @ known.std_root("total")).sum(axis=1) + candidate.noise_variance(
            known.posterior
        )
        return np.asarray(rows / np.sqrt(s2 + np.finfo(float).tiny)[:, None])

    return TraceReduction(
        lambda candidates, known: pool_information(candidates, lambda c: counted(known, c), known)
    )


@dataclass(frozen=True)
class ErrorReduction:
    """Estimated error reduction: the fall of the expected log loss, the mean log of the total std,
    over a sample of all candidates' energies and forces; the epistemic part follows the imagined
    label, model error stays. Roy and McCallum, ICML (2001)."""

    seed: int
    """Seed of the sample."""
    shrinks: ClassVar[bool] = False
    linear: ClassVar[bool] = True

    def prepare(self, candidates: Candidates, known: Knowledge) -> Score:
        rows = self._sample(candidates, known)
        floor = row_std(rows, known.posterior.model_error) ** 2
        epistemic = np.square(known.whitened(rows)).sum(axis=1)
        variance = row_std(rows, known.posterior.epistemic) ** 2 / np.maximum(
            epistemic, np.finfo(float).tiny
        )
        inside = known.whitened(rows)

        def fall(candidate: Candidate, known: Knowledge) -> float:
            y = inside @ known.root
            after = np.linalg.solve(np.linalg.cholesky(grown(candidate, known)), y.T)
            s2 = [
                variance * np.square(x).sum(axis=axis) + floor for x, axis in ((y, 1), (after, 0))
            ]
            least = np.finfo(float).tiny
            return 0.5 * float(np.mean(np.log(s2[0] + least) - np.log(s2[1] + least)))

        return fall

    def _sample(self, candidates: Candidates, known: Knowledge) -> Array:
        """(m, n) of some candidates the energy row and the force row of largest leverage, the same
        on all ranks.
        """
        rng = np.random.default_rng([self.seed, len(candidates)])
        drawn = set(rng.permutation(len(candidates))[: MOST_ROWS // 2].tolist())
        n = len(known.change)

        def of(c: Candidate) -> Array:
            if c.number not in drawn:
                return np.zeros((2, n))
            forces = c.of_kind(FORCE)
            if not len(forces):
                return np.stack([c.energy, c.energy])
            return np.stack(
                [c.energy, forces[np.argmax(np.square(known.whitened(forces)).sum(axis=1))]]
            )

        return candidates.each(of, (2, n))[sorted(drawn)].reshape(-1, n)
