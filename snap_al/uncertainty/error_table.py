"""Errors and calibration by kind of label, and the JSON that they are stored as."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snap_al.data.json_text import count, listed, named, number
from snap_al.data.rows import KIND_NAMES, KindName

GROUP_KEYS = (
    "n",
    "mae",
    "rmse",
    "coverage_1sigma",
    "coverage_2sigma",
    "nll",
    "crps",
    "sharpness",
    "spearman",
)
"""Keys of a group, in the order in which they are written."""
KIND_KEYS = (*GROUP_KEYS[:-2], "spearman", "sharpness")
"""Keys of a kind, in the order in which they are written."""


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """Errors and calibration of rows of one kind.

    Errors and stds are in eV/atom for energies, in eV/Å for forces, and in eV/Å³ for stress. A
    value that a file of an earlier version does not have is None.
    """

    n: int | None = None
    """Number of rows."""
    mae: float | None = None
    """Mean absolute error, in eV/atom, eV/Å or eV/Å³."""
    rmse: float
    """Root mean square error, in eV/atom, eV/Å or eV/Å³."""
    coverage_1sigma: float | None = None
    """Share of the rows whose error is at most one std."""
    coverage_2sigma: float | None = None
    """Share of the rows whose error is at most two stds."""
    nll: float | None = None
    """Mean negative logarithm of the predicted density, a Gaussian's per eV/atom, eV/Å or
    eV/Å³."""
    crps: float | None = None
    """Mean continuous ranked probability score, in eV/atom, eV/Å or eV/Å³."""
    spearman: float | None = None
    """Rank correlation of std and absolute error."""
    sharpness: float
    """Root mean square of the predicted stds, in eV/atom, eV/Å or eV/Å³."""

    def as_json(self) -> dict[str, Any]:
        """The JSON object. Values that are None are left out."""
        return _values(self, GROUP_KEYS)


@dataclass(frozen=True)
class VanishingMetrics:
    """Rows that vanish by symmetry, which no other number counts."""

    n: int
    """Number of rows."""
    rmse: float
    """Root mean square error, in eV/atom, eV/Å or eV/Å³."""


@dataclass(frozen=True, kw_only=True)
class KindMetrics(Metrics):
    """Errors and calibration of all rows of one kind, and of each group of configurations."""

    coverage: Mapping[float, float] | None = None
    """Share of the rows inside the central interval of each probability."""
    pit: tuple[float, ...] | None = None
    """Share of the rows in each tenth of the predicted distribution."""
    vanishing: VanishingMetrics | None = None
    """Rows that vanish by symmetry; None where there are none."""
    groups: Mapping[str, Metrics] | None = None
    """The metrics of each group, by its name; None where there is one group."""

    def as_json(self) -> dict[str, Any]:
        """The JSON object. Values that are None are left out."""
        content = _values(self, KIND_KEYS)
        if self.coverage is not None:
            content["coverage"] = {f"{level:g}": share for level, share in self.coverage.items()}
        if self.pit is not None:
            content["pit"] = list(self.pit)
        if self.vanishing is not None:
            content["vanishing"] = {"n": self.vanishing.n, "rmse": self.vanishing.rmse}
        if self.groups is not None:
            content["groups"] = {name: part.as_json() for name, part in self.groups.items()}
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> KindMetrics:
        """The metrics of a JSON object. Keys that are not known are ignored. Raises ValueError when
        rmse or sharpness is missing, and for a value of another type."""
        found = _numbers(content)
        if content.get("coverage") is not None:
            levels = named(content, "coverage")
            found["coverage"] = {float(level): number(levels, level) for level in levels}
        if content.get("pit") is not None:
            shares = dict(enumerate(listed(content, "pit")))
            found["pit"] = tuple(number(shares, k) for k in shares)
        if content.get("vanishing") is not None:
            rows = named(content, "vanishing")
            found["vanishing"] = VanishingMetrics(count(rows, "n"), number(rows, "rmse"))
        if content.get("groups") is not None:
            groups = named(content, "groups")
            found["groups"] = {g: Metrics(**_numbers(named(groups, g))) for g in groups}
        return cls(**found)


@dataclass(frozen=True)
class ErrorTable:
    """Errors and calibration by kind of label. A kind without labels is None.

    Examples
    --------
    >>> result = sa.fit("fit.yaml", "fit")
    >>> result.tables.test.forces.rmse  # eV/Å
    """

    energy: KindMetrics | None = None
    """Energies per atom, eV/atom."""
    forces: KindMetrics | None = None
    """Force components, eV/Å."""
    stress: KindMetrics | None = None
    """Stress components, eV/Å³."""

    def by_kind(self) -> dict[KindName, KindMetrics]:
        """The metrics of the kinds that have labels, by the name of the kind."""
        every = zip(KIND_NAMES, (self.energy, self.forces, self.stress), strict=True)
        return {kind: metrics for kind, metrics in every if metrics is not None}

    def as_json(self) -> dict[str, dict[str, Any]]:
        """The JSON object: one for each kind that has labels."""
        return {kind: metrics.as_json() for kind, metrics in self.by_kind().items()}

    @classmethod
    def from_json(cls, content: Any) -> ErrorTable:
        """The table of a JSON object, which an earlier version of snap_al may have written. Raises
        ValueError for what is no table."""
        if not isinstance(content, dict):
            raise ValueError("expected a table by kind of label")
        found = {}
        for kind in content:
            if kind not in KIND_NAMES:
                raise ValueError(f"{kind!r} is no kind of label")
            try:
                found[kind] = KindMetrics.from_json(named(content, kind))
            except ValueError as error:
                raise ValueError(f"{kind}: {error}") from error
        return cls(**found)


def _values(metrics: Metrics, keys: Sequence[str]) -> dict[str, Any]:
    """The values that are not None, in the order of the keys."""
    return {k: getattr(metrics, k) for k in keys if getattr(metrics, k) is not None}


def _numbers(content: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers that a group has, of a JSON object. Raises ValueError."""
    names = [k for k in GROUP_KEYS if k in ("rmse", "sharpness") or content.get(k) is not None]
    return {k: count(content, k) if k == "n" else number(content, k) for k in names}
