"""Search for the twojmax, the cutoff, the radii and weights of elements, and the weights of groups
that suit the labels at hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from snap_al.data.configuration import Configuration
from snap_al.descriptors import Columns, ConfigurationRows, RowSource, SnapSettings, distinct_names
from snap_al.errors import InputError
from snap_al.loop.scoring import Scored, Scorer

Array = NDArray[np.float64]

WORTH = 0.03
"""A candidate that costs more must be better than a cheaper one by this share of the score."""
ALIKE = 1.2
"""Costs that differ by less than this factor count as equal, since they are measured once."""
RADII = (0.85, 1.15)
"""Factors tried on the radius and the weight of each element but the first."""
GROUP_FACTORS = (0.3, 3.0)


class Subset:
    """Rows for a smaller twojmax out of those for a larger one: components do not depend on how
    many others there are.
    """

    def __init__(self, source: RowSource, largest: SnapSettings, wanted: SnapSettings) -> None:
        self._source, self._columns = source, Columns.of(wanted)
        places = {name: k for k, name in enumerate(distinct_names(largest))}
        self._kept = np.array([places[name] for name in distinct_names(wanted)])

    @property
    def columns(self) -> Columns:
        return self._columns

    @property
    def elements(self) -> tuple[str, ...]:
        return self._source.elements

    def atom_rows(self, configuration: Configuration) -> Array:
        """The same columns of the rows of atoms."""
        return np.ascontiguousarray(self._source.atom_rows(configuration)[:, self._kept])

    def rows(self, configuration: Configuration) -> ConfigurationRows:
        """The same columns of the rows."""
        rows = self._source.rows(configuration)
        return ConfigurationRows(
            np.ascontiguousarray(rows.values[:, self._kept]), rows.reference, rows.vanishing
        )


@dataclass(frozen=True)
class Tuner:
    """Searches for the best candidate, one kind of setting after another. Every method is
    collective."""

    scorer: Scorer
    """Scores candidates."""

    def grid(
        self, base: SnapSettings, twojmax: Sequence[int], rcutfac: Sequence[float]
    ) -> list[Scored]:
        """Scores every pair of values. Descriptors are computed once for each cutoff, with the
        largest twojmax.

        Raises InputError where no energy can be met, see FreeConstants.
        """
        scored: list[Scored] = []
        for cutoff in rcutfac:
            largest = _with(base, rcutfac=cutoff, twojmax=max(twojmax))
            with self.scorer.source(largest) as source:
                for two in sorted(twojmax):
                    wanted = _with(base, rcutfac=cutoff, twojmax=two)
                    matrix = self.scorer.matrix(Subset(source, largest, wanted), wanted)
                    if cutoff == rcutfac[0] and wanted == largest:
                        self.scorer.require_energies_met(matrix)
                    scored.append(
                        self.scorer.scored(
                            wanted, matrix, {}, f"2J {two}, {wanted.max_cutoff:.3g} Å"
                        )
                    )
        return scored

    def elements(self, best: Scored) -> list[Scored]:
        """Scores other radii and weights of each element but the first, one after another, each
        time from the best so far."""
        scored: list[Scored] = []
        settings = best.settings
        for k in range(1, len(settings.elements)):
            for name in ("radelem", "wj"):
                tried = []
                for factor in RADII:
                    values = list(getattr(settings, name))
                    values[k] = float(round(values[k] * factor, 6))
                    tried.append(
                        self.scorer.alone(
                            _with(settings, **{name: tuple(values)}),
                            f"{name} of {settings.elements[k]} {values[k]:g}",
                        )
                    )
                scored += tried
                good = min(tried, key=lambda s: s.score)
                if good.score < (1.0 - WORTH) * best.score:
                    best, settings = good, good.settings
        return scored

    def weights(self, best: Scored) -> list[Scored]:
        """Scores factors on the weights of whole groups, one group after another, each time from
        the best so far. There are none by evidence, which is a density of weighted labels and
        changes its unit with the weights."""
        if len(self.scorer.groups) < 2 or self.scorer.by == "evidence":
            return []
        scored: list[Scored] = []
        with self.scorer.source(best.settings) as source:
            matrix = self.scorer.matrix(source, best.settings)
            for group in self.scorer.groups:
                factors = [
                    {**best.groups, group: best.groups.get(group, 1.0) * f} for f in GROUP_FACTORS
                ]
                tried = [
                    self.scorer.scored(
                        best.settings,
                        matrix,
                        f,
                        f"weights of {group or '(no group)'} × {f[group]:g}",
                    )
                    for f in factors
                ]
                scored += tried
                good = min(tried, key=lambda s: s.score)
                if good.score < (1.0 - WORTH) * best.score:
                    best = good
        return scored


def _with(settings: SnapSettings, **changes: object) -> SnapSettings:
    """Raises InputError, on all ranks alike, for values that no descriptor can have."""
    try:
        return SnapSettings(**{**settings.model_dump(), **changes})
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        )
        raise InputError(f"a descriptor to try: {problems}").on_all_ranks() from error


def cheapest_good(scored: Iterable[Scored]) -> Scored:
    """The best among the cheapest of those whose score is within WORTH of the lowest."""
    candidates = list(scored)
    lowest = min(s.score for s in candidates)
    good = [s for s in candidates if s.score <= (1.0 + WORTH) * lowest]
    least = min(s.cost for s in good)
    return min((s for s in good if s.cost <= ALIKE * least), key=lambda s: s.score)
