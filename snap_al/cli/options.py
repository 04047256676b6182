"""What several commands share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, and nothing else there.")]
OutFolder = Annotated[Path, typer.Option("--out", help="Folder to write into; made if it is not there.")]


def show_tables(tables: dict[str, Any], as_json: bool) -> None:
    """Errors and calibration, by name of the set."""
    from rich.console import Console

    from snap_al.report.tables import errors_table

    if as_json:
        typer.echo(json.dumps(tables))
        return
    for name, table in tables.items():
        Console().print(errors_table(table, f"on the {name} set" if name in ("training", "test") else name))
