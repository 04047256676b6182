"""Options of `explore`, its stages and its walkers that have no effect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from snap_al.md import StageSettings
from snap_al.md.settings import APPLIES_WITH, SCRIPT_VARIABLES
from snap_al.options import applies, given, sentence

if TYPE_CHECKING:
    from snap_al.loop.explore_settings import ExploreSettings


def inapplicable_stage_options(explore: ExploreSettings) -> list[str]:
    """One sentence for each such option. A value of `explore`, which is a default, or of `vary`
    must be used by one of the stages that do not give their own. When all stages give their own,
    the walkers of `vary` would be the same."""
    stages = explore.stages or (StageSettings(),)
    merged = explore.protocol().stages[: len(stages)]
    problems = []
    for number, (stage, whole) in enumerate(zip(stages, merged, strict=True)):
        for name in StageSettings.model_fields:
            if given(stage, name) and (problem := _problem(name, [whole])):
                problems.append(f"stages.{number}.{problem}")
    for name in StageSettings.model_fields:
        takers = _without_own(name, stages, merged)
        if takers and given(explore, name) and (problem := _problem(name, takers)):
            problems.append(problem)
    for number, walker in enumerate(explore.walkers):
        for name in ("temperature", "pressure"):
            if getattr(walker.vary, name) and (
                problem := _problem(name, _without_own(name, stages, merged))
            ):
                problems.append(f"walkers.{number}.vary.{problem}")
    return problems


def _without_own(
    name: str, stages: Sequence[StageSettings], merged: Sequence[StageSettings]
) -> list[StageSettings]:
    return [
        whole
        for stage, whole in zip(stages, merged, strict=True)
        if name not in stage.model_fields_set
    ]


def _problem(name: str, stages: Sequence[StageSettings]) -> str:
    """Empty when one of the stages uses the option."""
    if not stages:
        return f"{name} does not apply: every stage gives its own; leave {name} out here or there"
    if name in APPLIES_WITH:
        if any(applies(APPLIES_WITH[name], stage, {}) for stage in stages):
            return ""
        return sentence(name, APPLIES_WITH[name], stages[0], {})
    variables = SCRIPT_VARIABLES.get(name)
    if variables is None or any(stage.script_takes(variables) for stage in stages):
        return ""
    scripts = ", ".join(
        dict.fromkeys(
            f"ensemble: {stage.ensemble}" if stage.script is None else f"script: {stage.script}"
            for stage in stages
        )
    )
    return (
        f"{name} does not apply with {scripts}: leave {name} out, or take a script that has the "
        "variable "
        f"{' or '.join(variables)}, as ensemble: npt"
    )
