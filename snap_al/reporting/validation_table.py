"""The results of `snap-al validate` as a table on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from snap_al.names import in_terminal
from snap_al.reporting.layout import Column, Content, TextTable
from snap_al.reporting.shown import in_stds, rounded
from snap_al.validation import Property, Validation


def validation_screen(validation: Validation) -> RenderableType:
    """Properties, with their deviation where there is a reference, and what each check found."""
    shown: list[RenderableType] = []
    if validation.properties is not None:
        title = f"{validation.structure}, {validation.system}"
        shown.append(_properties_table(title, validation.properties))
        notes = [f"{p.name}: {p.note}" for p in validation.properties if p.note]
        shown += [Text(in_terminal(note)) for note in notes]
        coverage = validation.coverage
        if coverage.n:
            one, two = rounded(coverage.within_1std, 3), rounded(coverage.within_2std, 3)
            shares = f"share within 1 std {one}, within 2 std {two}"
            shown.append(Text(f"{coverage.n} references: {shares}"))
    lines = [f"not computed: {text}" for text in validation.problems]
    for check in validation.checks:
        verdict = "passed" if check.passed else "FAILED"
        lines.append(f"{verdict}  {check.name}: {check.finding}")
    return Group(*shown, *(Text(in_terminal(line)) for line in lines))


def _properties_table(title: str, properties: Sequence[Property]) -> TextTable:
    numbers = map(Column, ("value", "std", "reference", "deviation / std"))
    columns = (Column("property", Content.NAME), *numbers)
    rows = tuple(
        (
            f"{p.name}, {p.unit}" if p.unit else p.name,
            *(rounded(value, 4) for value in (p.value, p.std, p.reference)),
            in_stds(p.z),
        )
        for p in properties
    )
    return TextTable(title, columns, rows)
