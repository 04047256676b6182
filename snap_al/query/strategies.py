"""The strategy that a config names."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snap_al.query.acquisition import Acquisition
from snap_al.query.baselines import Boltzmann, FarthestPoint, Random
from snap_al.query.committee import Disagreement
from snap_al.query.information import ErrorReduction, ModelChange, fisher_ratio, variance_reduction
from snap_al.query.maxvol import Grade
from snap_al.query.novel import Novel
from snap_al.query.optimality import optimality
from snap_al.query.settings import QuerySettings, Strategy
from snap_al.query.uncertainty import Tolerances, Uncertainty

Array = NDArray[np.float64]


def acquisition(
    settings: QuerySettings,
    seed: int,
    targets: Array | None = None,
    strategy: Strategy | None = None,
) -> Acquisition:
    """targets: (m, n) energy rows of settings.targets, for C and V. strategy: in place of that of
    the settings.
    """
    name = strategy or settings.strategy
    tolerances = Tolerances(settings.energy_std, settings.force_tolerance, settings.stress_std)
    uncertainty = Uncertainty(settings.of, settings.atoms, settings.part, tolerances)
    if name in ("A", "C", "D", "E", "T", "G", "I", "V"):
        return optimality(name, targets)
    if name == "novel":
        return Novel(settings.novel_rank, settings.novel_share)
    if name == "uncertainty":
        return uncertainty
    if name == "committee":
        return Disagreement(uncertainty)
    if name == "model-change":
        return ModelChange()
    if name == "variance-reduction":
        return variance_reduction(tolerances)
    if name == "fisher-ratio":
        return fisher_ratio()
    if name == "error-reduction":
        return ErrorReduction(seed)
    if name == "maxvol":
        return Grade(settings.grade == "atom")
    if name == "boltzmann":
        return Boltzmann(uncertainty, settings.temperature, seed)
    return FarthestPoint() if name == "farthest" else Random(seed)
