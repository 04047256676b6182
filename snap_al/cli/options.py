"""What several commands share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from snap_al.errors import InputError
from snap_al.progress import Report

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, and nothing else there.")]
OutFolder = Annotated[Path, typer.Option("--out", help="Folder to write into; made if it is not there.")]


def listed(text: str) -> list[str]:
    """The parts of a list with commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def say_warning(text: str) -> None:
    """On stderr."""
    typer.echo(f"warning: {text}", err=True)


def show_found(found: dict[str, Any], screen: Callable[[dict[str, Any]], Any], as_json: bool, after: str) -> None:
    """Its warnings on stderr; as JSON, or on a screen with a line after it."""
    from rich.console import Console

    for text in found.get("warnings", ()):
        say_warning(text)
    if as_json:
        typer.echo(json.dumps(found))
        return
    Console().print(screen(found))
    typer.echo(after)


def numbers(option: str, text: str) -> list[float]:
    """Of a list with commas. Raises InputError."""
    try:
        return [float(part) for part in listed(text)]
    except ValueError as error:
        raise InputError(f"{option} {text}: numbers with commas between them, such as 4,6,8").on_all_ranks() from error


@contextmanager
def working(rank: int) -> Iterator[Report]:
    """Progress on rank 0's stderr."""
    from rich.console import Console

    from snap_al.report.working import Working

    with Working(Console(stderr=True, quiet=rank != 0)) as report:
        yield report


def show_tables(tables: dict[str, Any], as_json: bool) -> None:
    """Errors and calibration, by name of the set."""
    from rich.console import Console

    from snap_al.report.tables import errors_table

    if as_json:
        typer.echo(json.dumps(tables))
        return
    for name, table in tables.items():
        Console().print(errors_table(table, f"on the {name} set" if name in ("training", "test") else name))
