"""The results of `snap-al validate` as a table on a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from snap_al.names import in_terminal
from snap_al.reporting.layout import Column, Content, TextTable
from snap_al.reporting.shown import in_stds, rounded
from snap_al.reporting.validation import Validation


def validation_screen(validation: Validation) -> RenderableType:
    """Properties, with their deviation where there is a reference, and what each check found."""
    shown: list[RenderableType] = []
    if "properties" in validation:
        shown.append(_properties_table(validation))
        notes = [f"{p['name']}: {p['note']}" for p in validation["properties"] if p.get("note")]
        shown += [Text(in_terminal(note)) for note in notes]
        coverage = validation["coverage"]
        if coverage["n"]:
            within_one, within_two = (
                rounded(coverage[k], 3) for k in ("within_1std", "within_2std")
            )
            shares = f"share within 1 std {within_one}, within 2 std {within_two}"
            shown.append(Text(f"{coverage['n']} references: {shares}"))
    lines = [f"not computed: {text}" for text in validation.get("problems", [])]
    for check in [*validation.get("curves", []), *validation.get("trajectories", [])]:
        verdict = "passed" if check["passed"] else "FAILED"
        lines.append(f"{verdict}  {check['name']}: {check['finding']}")
    return Group(*shown, *(Text(in_terminal(line)) for line in lines))


def _properties_table(validation: Validation) -> TextTable:
    numbers = map(Column, ("value", "std", "reference", "deviation / std"))
    columns = (Column("property", Content.NAME), *numbers)
    rows = tuple(
        (
            f"{p['name']}, {p['unit']}" if p["unit"] else p["name"],
            *(rounded(p[k], 4) for k in ("value", "std", "reference")),
            in_stds(p["z"]),
        )
        for p in validation["properties"]
    )
    return TextTable(f"{validation['structure']}, {validation['system']}", columns, rows)
