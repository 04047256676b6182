"""Tables of errors on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from snap_al.reporting.layout import Column, Content, TextTable
from snap_al.reporting.shown import UNITS, coverage, rounded
from snap_al.uncertainty import ErrorTable, Metrics

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


def errors_table(table: ErrorTable, title: str, *, everything: bool = False) -> RenderableType:
    """Errors and calibration by kind, and by group where there are several.

    title: on which set. everything: whether MAE, NLL, CRPS and rank correlation are included.
    """
    found = table.by_kind()
    by_kind = [(f"{kind}, {UNITS[kind][0]}", kind, m) for kind, m in found.items()]
    shown: list[RenderableType] = [_errors(title, "", by_kind, everything)]
    for kind, metrics in found.items():
        if metrics.groups is not None:
            groups = [(name or "(no group)", kind, part) for name, part in metrics.groups.items()]
            heading = f"{kind} by group, {UNITS[kind][0]}"
            shown += [Text(), _errors(heading, "group", groups, everything)]
    vanishing = [f"{m.vanishing.n} of {kind}" for kind, m in found.items() if m.vanishing]
    if vanishing:
        listed = ", ".join(vanishing)
        shown.append(Text(f"components that vanish by symmetry are not counted: {listed}"))
    shown.append(Text(f"{LEGEND} {ALL_LEGEND}" if everything else LEGEND))
    return Group(*shown)


Line = tuple[str, str, Metrics]
"""Rows of a table: name, kind and metrics."""


def _errors(title: str, first: str, lines: Sequence[Line], everything: bool) -> TextTable:
    names = DEFAULT + OTHERS if everything else DEFAULT
    rows = []
    for name, kind, metrics in lines:
        numbers = _numbers(metrics, UNITS[kind][1])
        rows.append((name, *(numbers[column] for column in names)))
    return TextTable(title, (Column(first, Content.NAME), *map(Column, names)), tuple(rows))


def _numbers(metrics: Metrics, factor: float) -> dict[str, str]:
    """Texts by the names of the columns; a dash for what an older file does not have."""
    return {
        "n": "-" if metrics.n is None else str(metrics.n),
        "RMSE": rounded(metrics.rmse, 4, factor),
        "RMS std": rounded(metrics.sharpness, 4, factor),
        "within 1 std": coverage(metrics.coverage_1sigma),
        "within 2 std": coverage(metrics.coverage_2sigma),
        "MAE": rounded(metrics.mae, 4, factor),
        "NLL": rounded(metrics.nll, 4),
        "CRPS": rounded(metrics.crps, 4, factor),
        "Spearman": coverage(metrics.spearman),
    }
