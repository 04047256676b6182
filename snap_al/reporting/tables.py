"""Tables of errors on a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from snap_al.reporting.layout import Column, Content, TextTable
from snap_al.reporting.shown import UNITS, coverage, rounded
from snap_al.uncertainty import Table

DEFAULT = ("n", "RMSE", "RMS std", "within 1 std", "within 2 std")
OTHERS = ("MAE", "NLL", "CRPS", "Spearman")
LEGEND = (
    "RMS std is the root mean square of the predicted stds. "
    "Where they are calibrated, it is the RMSE, and 0.683 and 0.954 are within 1 and 2 std."
)
ALL_LEGEND = (
    "MAE and CRPS are in the unit of their line, NLL is of densities per eV/atom, eV/Å and eV/Å³; "
    "Spearman is the rank correlation of std and error."
)


def errors_table(table: Table, title: str, *, everything: bool = False) -> RenderableType:
    """Errors and calibration by kind, and by group where there are several.

    title: on which set. everything: whether MAE, NLL, CRPS and rank correlation are included.
    """
    by_kind = [(f"{kind}, {UNITS[kind][0]}", kind, values) for kind, values in table.items()]
    shown: list[RenderableType] = [_errors(title, "", by_kind, everything)]
    for kind, values in table.items():
        if "groups" in values:
            groups = [(name or "(no group)", kind, part) for name, part in values["groups"].items()]
            heading = f"{kind} by group, {UNITS[kind][0]}"
            shown += [Text(), _errors(heading, "group", groups, everything)]
    vanishing = [
        f"{v['vanishing']['n']} of {kind}" for kind, v in table.items() if "vanishing" in v
    ]
    if vanishing:
        listed = ", ".join(vanishing)
        shown.append(Text(f"components that vanish by symmetry are not counted: {listed}"))
    shown.append(Text(f"{LEGEND} {ALL_LEGEND}" if everything else LEGEND))
    return Group(*shown)


Line = tuple[str, str, dict[str, Any]]
"""Rows of a table: name, kind and metrics."""


def _errors(title: str, first: str, lines: list[Line], everything: bool) -> TextTable:
    names = DEFAULT + OTHERS if everything else DEFAULT
    rows = []
    for name, kind, values in lines:
        numbers = _numbers(values, UNITS[kind][1])
        rows.append((name, *(numbers[column] for column in names)))
    return TextTable(title, (Column(first, Content.NAME), *map(Column, names)), tuple(rows))


def _numbers(values: dict[str, Any], factor: float) -> dict[str, str]:
    """Texts by the names of the columns; a dash for what an older file does not have."""
    get = values.get
    return {
        "n": "-" if get("n") is None else str(get("n")),
        "RMSE": rounded(get("rmse"), 4, factor),
        "RMS std": rounded(get("sharpness"), 4, factor),
        "within 1 std": coverage(get("coverage_1sigma")),
        "within 2 std": coverage(get("coverage_2sigma")),
        "MAE": rounded(get("mae"), 4, factor),
        "NLL": rounded(get("nll"), 4),
        "CRPS": rounded(get("crps"), 4, factor),
        "Spearman": coverage(get("spearman")),
    }
