"""The strategy that a config names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import cast, get_args

import numpy as np
from numpy.typing import NDArray

from snap_al.named import made
from snap_al.query.acquisition import Acquisition
from snap_al.query.baselines import Boltzmann, FarthestPoint, Random
from snap_al.query.committee import Disagreement
from snap_al.query.information import ErrorReduction, ModelChange, fisher_ratio, variance_reduction
from snap_al.query.maxvol import Grade
from snap_al.query.novel import Novel
from snap_al.query.optimality import Letter, optimality
from snap_al.query.settings import QuerySettings
from snap_al.query.uncertainty import Tolerances, Uncertainty

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Context:
    """What strategies are made from."""

    settings: QuerySettings
    """Settings of queries."""
    seed: int
    """Seed of strategies that draw random numbers."""
    targets: Array | None = None
    """(m, n) energy rows of query.targets; None without them."""

    @property
    def tolerances(self) -> Tolerances:
        s = self.settings
        return Tolerances(s.energy_std, s.force_tolerance, s.stress_std)

    @property
    def uncertainty(self) -> Uncertainty:
        s = self.settings
        return Uncertainty(s.of, s.atoms, s.part, self.tolerances)


def _optimality(name: Letter, context: Context) -> Acquisition:
    return optimality(name, context.targets)


STRATEGIES: dict[str, Callable[[Context], Acquisition]] = {
    "novel": lambda c: Novel(c.settings.novel_rank, c.settings.novel_share),
    "uncertainty": lambda c: c.uncertainty,
    "committee": lambda c: Disagreement(c.uncertainty),
    "model-change": lambda c: ModelChange(),
    "variance-reduction": lambda c: variance_reduction(c.tolerances),
    "fisher-ratio": lambda c: fisher_ratio(),
    "error-reduction": lambda c: ErrorReduction(c.seed),
    **{letter: partial(_optimality, letter) for letter in get_args(Letter)},
    "maxvol": lambda c: Grade(c.settings.grade == "atom"),
    "boltzmann": lambda c: Boltzmann(c.uncertainty, c.settings.temperature, c.seed),
    "farthest": lambda c: FarthestPoint(),
    "random": lambda c: Random(c.seed),
}
"""Strategies, by the names of `snap_al.query.settings.Strategy`."""


def acquisition(
    settings: QuerySettings, seed: int, targets: Array | None = None, strategy: str | None = None
) -> Acquisition:
    """The strategy of the settings.

    targets: (m, n) energy rows of settings.targets, for C and V. strategy: in place of that of
    the settings. Raises InputError for a class that cannot be imported or made.
    """
    name = strategy or settings.strategy
    if name in STRATEGIES:
        return STRATEGIES[name](Context(settings, seed, targets))
    return cast(Acquisition, made("query.strategy", name, settings.strategy_options))
