"""A walker's stages one after another, on one count of MD steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from snap_al.md.settings import StageSettings


@dataclass(frozen=True)
class Place:
    """A stage and its first and last step, counted from the walker's start."""

    number: int
    """Number of the stage, from 0."""
    stage: StageSettings
    """Settings of the stage."""
    begin: int
    """First MD step of the stage, counted from the walker's start."""
    end: int
    """Last MD step of the stage, counted likewise."""

    def temperature_at(self, step: int) -> float:
        """K; the ramp's target."""
        return self.stage.temperature_at(step - self.begin)


@dataclass(frozen=True)
class Protocol:
    """All that a walker does, stage after stage."""

    stages: tuple[StageSettings, ...]
    """The stages in their order."""

    @classmethod
    def of(cls, stages: Sequence[StageSettings]) -> Protocol:
        return cls(tuple(stages))

    @property
    def steps(self) -> int:
        return sum(stage.steps for stage in self.stages)

    def at(self, step: int) -> Place:
        """The stage of the MD step after `step`; the last one at the end."""
        ends = list(accumulate(stage.steps for stage in self.stages))
        number = next((n for n, end in enumerate(ends) if step < end), len(ends) - 1)
        stage = self.stages[number]
        return Place(number, stage, ends[number] - stage.steps, ends[number])

    def picoseconds(self, begin: int, end: int) -> float:
        """Simulated between two steps."""
        total = 0.0
        while begin < end:
            place = self.at(begin)
            total += (min(end, place.end) - begin) * place.stage.timestep
            begin = place.end
        return total
