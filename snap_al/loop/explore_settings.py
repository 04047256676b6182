"""What walkers explore."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from snap_al.loop.stage_options import inapplicable_stage_options
from snap_al.loop.walkers import WalkerSettings
from snap_al.md import Protocol, StageSettings
from snap_al.options import Table, refuse_inapplicable

APPLIES_WITH: Table = {"candidates": ({"mode": ("batch",)},)}
"""Cases in which an option applies; the others always do."""


class ExploreSettings(StageSettings, extra="forbid", frozen=True):
    """The walkers, and the MD that each of them runs: one stage, or several one after another, for
    which the keys given here are the defaults."""

    walkers: tuple[WalkerSettings, ...] = Field(min_length=1)
    """Structures that walkers start from."""
    stages: tuple[StageSettings, ...] = ()
    """One stage, of the keys here, when none are given."""
    mode: Literal["on-the-fly", "batch"] = "on-the-fly"
    """on-the-fly: a walker stops at a frame to label, and all go on with the new potential. batch:
    all explore to the end of the stage; then query.batch of the frames that they met are labelled
    together."""
    wait_for_labels: bool = True
    """false, with on-the-fly: while labels are computed, the other walkers continue with the
    current potential."""
    candidates: int = Field(default=20, ge=1, le=10_000)
    """batch: frames kept of one walker's segment, at most."""
    repeat: int = Field(default=1, ge=1, le=10_000)
    """How often the stages are repeated, each time from where the last ended."""
    cycles: int = Field(default=1, ge=1)
    """How often each walker runs all of this, each time from its structure with new velocities."""

    @model_validator(mode="after")
    def _screened_without_energies(self) -> ExploreSettings:
        if any(stage.screen_every and stage.guards.of_energies for stage in self.protocol().stages):
            raise ValueError(
                "screen_every ends runs early, where guards.max_pressure and max_drift find no "
                "energies: give one"
            )
        return self

    @model_validator(mode="after")
    def _options_apply(self) -> ExploreSettings:
        refuse_inapplicable(self, APPLIES_WITH)
        if problems := inapplicable_stage_options(self):
            raise ValueError("; ".join(problems))
        return self

    @model_validator(mode="after")
    def _waits_in_batches(self) -> ExploreSettings:
        if self.mode == "batch" and not self.wait_for_labels:
            raise ValueError(
                "wait_for_labels: false is for mode: on-the-fly; in a batch all walkers have "
                "stopped when labels are asked for"
            )
        return self

    def protocol(self, overrides: Mapping[str, Any] | None = None) -> Protocol:
        """The protocol of a walker. Values of a stage take precedence, then those of the walker,
        then those given here. The number of steps is the same for all.

        overrides: the walker's values.
        """
        shared = {
            name: getattr(self, name)
            for name in self.model_fields_set & set(StageSettings.model_fields)
        }
        merged = {**shared, **(overrides or {})}
        stages = [
            stage.model_copy(
                update={k: v for k, v in merged.items() if k not in stage.model_fields_set}
            )
            for stage in self.stages or (StageSettings(),)
        ]
        return Protocol.of(stages * self.repeat)
