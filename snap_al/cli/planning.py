"""What a run would do, as sentences."""

from __future__ import annotations

from snap_al.tasks.plan import RunPlan

BACKENDS = {"here": "in the run's own processes", "folder": "by whoever answers in labels/answers"}


def described(plan: RunPlan) -> list[str]:
    """The plan, one line for each part."""
    return [*_exploring(plan), *_labels(plan)]


def _exploring(plan: RunPlan) -> list[str]:
    lines = [
        f"{len(plan.walkers)} walkers; on {plan.ranks} ranks, {plan.groups} at the same time, "
        f"{_range(*plan.ranks_of_a_group)} each:"
    ]
    lines += [f"  {n}: {w.name}, {w.atoms} atoms" for n, w in enumerate(plan.walkers)]
    lines += [
        f"  {s.ensemble}: {s.steps} steps, {s.steps * s.timestep_ps:g} ps, "
        f"{s.temperature_k[0]:g} to {s.temperature_k[1]:g} K"
        for s in plan.stages
    ]
    if plan.cycles > 1:
        lines.append(f"  all of it {plan.cycles} times")
    lines += [line for read in plan.read for line in read.described()]
    tested = plan.test or "the training set"
    return [*lines, f"fitted first: {plan.training} configurations; tested on {tested}"]


def _labels(plan: RunPlan) -> list[str]:
    jobs = BACKENDS.get(
        plan.backend,
        f"backend {plan.backend}, {plan.at_once} at once, {plan.cores_of_a_label} cores each",
    )
    asked = f"; {plan.cluster}" if plan.cluster else ""
    approved = ", each batch when you say yes" if plan.approve else ""
    return [
        f"labels: {plan.calculator}, {jobs}{asked}",
        f"{plan.starting_labels} to begin with, {plan.labels_left} at most{approved}",
        _cost(plan.core_seconds_of_a_label, plan.core_seconds_at_most),
    ]


def _cost(each: float | None, most: float | None) -> str:
    """The cost in core-seconds."""
    if each is None or most is None:
        return "what a label costs is known when there is one: then ask again"
    return f"at {each:.3g} core-seconds each (median so far), {most / 3600:.3g} core-hours at most"


def _range(few: int, many: int) -> str:
    return f"{few} rank{'s' if few > 1 else ''}" if few == many else f"{few} or {many} ranks"
