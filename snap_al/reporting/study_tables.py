"""Tables of what `snap-al select`, `learn` and `tune` found."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from snap_al.reporting.layout import Column, Content, TextTable
from snap_al.reporting.shown import UNITS, rounded

Found = dict[str, Any]


def selection_table(result: Found) -> RenderableType:
    """What `snap-al select` chose, best first."""
    chosen, duplicates = len(result["selected"]), result["duplicates"]
    title = f"{result['strategy']}: {chosen} of {result['pool']}, {duplicates} duplicates left out"
    headers = ("rank", "in the pool", "score", "energy std, meV/atom", "largest force std, eV/Å")
    rows = tuple(
        (
            str(rank),
            str(c["number"]),
            rounded(c["score"], 4),
            rounded(c["energy_std"], 4, 1e3),
            rounded(c["force_std"], 4),
        )
        for rank, c in enumerate(result["selected"])
    )
    return TextTable(title, tuple(map(Column, headers)), rows)


def learning_table(result: Found) -> RenderableType:
    """What `snap-al learn` found, a table for each error: of each strategy the geometric mean over
    the curve with its 95 % interval, and the labels until 1.1 times the error of the whole pool."""
    shown: list[RenderableType] = []
    headers = ("mean RMSE", "95 % low", "95 % high", "labels needed")
    for name, whole in result["full"].items():
        unit, factor = UNITS[name.removeprefix("worst_")]
        rows = []
        for strategy, each in result["strategies"].items():
            part = each[name]
            numbers = [rounded(x, 4, factor) for x in (part["mean_error"], *part["interval"])]
            rows.append((strategy, *numbers, rounded(part["labels_to_reach"], 6)))
        kind = name.replace("worst_", "worst group's ")
        title = f"{kind}, {unit}; fitted to the whole pool: {rounded(whole, 4, factor)}"
        columns = (Column("strategy", Content.NAME), *map(Column, headers))
        shown += [TextTable(title, columns, tuple(rows)), Text()]
    shown.append(
        Text(
            "mean RMSE: geometric mean over the learning curve. "
            "labels needed: until 1.1 times the whole pool's error; - when it was not reached."
        )
    )
    return Group(*shown)


def tuning_table(result: Found) -> RenderableType:
    """The candidates that `snap-al tune` tried, with the best one and the one of the config."""
    kinds, evidence = list(result["best"]["rmse"]), result["by"] == "evidence"
    columns = [Column("tried", Content.NAME)]
    columns += [Column(f"{kind}, {UNITS[kind][0]}") for kind in kinds]
    columns += [Column("evidence per row")] * evidence
    columns += [Column("columns"), Column("µs per atom"), Column("", Content.NAME)]
    rows = []
    for tried in result["tried"]:
        numbers = [rounded(tried["rmse"].get(kind), 4, UNITS[kind][1]) for kind in kinds]
        numbers += [rounded(tried["evidence_per_row"], 4)] * evidence
        numbers += [str(tried["coefficients"]), rounded(tried["microseconds_per_atom"], 4)]
        marks = [name for name in ("best", "now") if tried == result[name]]
        rows.append((tried["changed"], *numbers, ", ".join(marks)))
    title = f"RMSE on {result['configurations']} labelled configurations, by {result['by']}"
    return TextTable(title, tuple(columns), tuple(rows))
