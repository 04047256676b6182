"""The screen of `snap-al doctor`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from snap_al.names import in_terminal
from snap_al.reporting.layout import Column, Content, TextTable


def findings_screen(findings: Sequence[tuple[str, str, bool, str]]) -> RenderableType:
    """What was found, and below it advice, each on a line of its own that can be copied.

    findings: name, what was found ("" when it was not found), whether it is needed, and advice (""
    for none).
    """
    missing = {True: "missing", False: "not found"}
    rows = tuple((name, found or missing[needed]) for name, found, needed, _ in findings)
    columns = (Column("", Content.NAME), Column("found", Content.TEXT))
    shown: list[RenderableType] = [TextTable("", columns, rows)]
    advice = [in_terminal(f"  {name}: {text}") for name, _, _, text in findings if text]
    if advice:
        lines = "\n".join(["", "to do", *advice])
        shown.append(Text(lines, no_wrap=True, overflow="ignore"))
    return Group(*shown)
