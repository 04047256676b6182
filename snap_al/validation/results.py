"""What a validation found, and the JSON that it is stored as."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from snap_al.data.json_text import listed, number, text
from snap_al.validation.curves import Curve
from snap_al.validation.dynamics import Trajectory
from snap_al.validation.materials import Coverage, Property, coverage_of

Result = TypeVar("Result")


@dataclass(frozen=True)
class Validation:
    """What validations of one potential and one crystal found.

    A part that no validation was asked for is None.
    """

    potential: str
    """Digest of the potential's posterior."""
    structure: str
    """Chemical formula of the crystal."""
    system: str
    """Crystal system, cubic or hexagonal."""
    temperature: float
    """Highest temperature of use, in K."""
    properties: tuple[Property, ...] | None = None
    """Properties of the crystal with error bars."""
    problems: tuple[str, ...] = ()
    """What could not be computed, and why."""
    curves: tuple[Curve, ...] | None = None
    """Energies and pressures into close approach."""
    trajectories: tuple[Trajectory, ...] | None = None
    """MD at constant energy and at constant pressure, and the relaxation when it failed."""

    @property
    def subject(self) -> tuple[str, str, str, float]:
        """What is validated. Results for another subject do not belong to this validation."""
        return self.potential, self.structure, self.system, self.temperature

    @property
    def coverage(self) -> Coverage:
        """How many references there are, and the shares of them within one and two stds."""
        return coverage_of(self.properties or ())

    @property
    def checks(self) -> tuple[Curve | Trajectory, ...]:
        """All curves and trajectories."""
        return (*(self.curves or ()), *(self.trajectories or ()))

    @property
    def passed(self) -> bool:
        """Whether every curve and every trajectory has passed."""
        return all(check.passed for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """The JSON object. Parts that are None are left out."""
        content: dict[str, Any] = {
            "potential": self.potential,
            "structure": self.structure,
            "system": self.system,
            "temperature_k": self.temperature,
        }
        if self.properties is not None:
            content["properties"] = [p.as_json() for p in self.properties]
            content["coverage"] = self.coverage.as_json()
            content["problems"] = list(self.problems)
        if self.curves is not None:
            content["curves"] = [c.as_json() for c in self.curves]
        if self.trajectories is not None:
            content["trajectories"] = [t.as_json() for t in self.trajectories]
            content["passed"] = self.passed
        return content

    @classmethod
    def from_json(cls, content: Any) -> Validation:
        """The validation of a JSON object. Raises ValueError for what is no validation."""
        names = ("potential", "structure", "system")
        potential, structure, system = (text(content, name) for name in names)
        problems = listed(content, "problems") if "problems" in content else []
        return cls(
            potential,
            structure,
            system,
            number(content, "temperature_k"),
            _results(content, "properties", Property.from_json),
            tuple(map(str, problems)),
            _results(content, "curves", Curve.from_json),
            _results(content, "trajectories", Trajectory.from_json),
        )


def _results(content: Any, name: str, read: Callable[[Any], Result]) -> tuple[Result, ...] | None:
    """The results of a list; None where there is no list. Raises ValueError."""
    if content.get(name) is None:
        return None
    return tuple(map(read, listed(content, name)))
