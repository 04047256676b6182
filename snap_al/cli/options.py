"""What several commands share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from snap_al.errors import InputError
from snap_al.names import in_message
from snap_al.progress import Report

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, and nothing else there.")]
AllColumns = Annotated[
    bool,
    typer.Option(
        "--all",
        help="All columns of the table of errors: MAE, NLL, CRPS, rank correlation too.",
    ),
]
OutFolder = Annotated[Path, typer.Option("--out", help="Folder to write into; made if it is not there.")]


def listed(text: str) -> list[str]:
    """The parts of a list with commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def say(text: str, *, err: bool = False) -> None:
    """Prints a message, which may contain names from files, on stdout or stderr."""
    typer.echo(in_message(text), err=err)


def warn(text: str) -> None:
    """On stderr."""
    say(f"warning: {text}", err=True)


def show(screen: Any) -> None:
    """Prints tables and texts of rich."""
    from snap_al.report.layout import make_console

    make_console().print(screen, crop=False)


def show_found(found: dict[str, Any], screen: Callable[[dict[str, Any]], Any], as_json: bool, after: str) -> None:
    """Its warnings on stderr; as JSON, or on a screen with a line after it."""
    for text in found.get("warnings", ()):
        warn(text)
    if as_json:
        typer.echo(json.dumps(found))
        return
    show(screen(found))
    say(after)


def numbers(option: str, text: str) -> list[float]:
    """Of a list with commas. Raises InputError."""
    try:
        return [float(part) for part in listed(text)]
    except ValueError as error:
        raise InputError(f"{option} {text}: numbers with commas between them, such as 4,6,8").on_all_ranks() from error


@contextmanager
def working(rank: int) -> Iterator[Report]:
    """Progress on rank 0's stderr."""
    from snap_al.report.layout import make_console
    from snap_al.report.working import Working

    with Working(make_console(stderr=True, quiet=rank != 0)) as report:
        yield report


def show_tables(tables: dict[str, Any], as_json: bool, everything: bool = False) -> None:
    """Errors and calibration, by name of the set. everything: all columns."""
    from snap_al.report.tables import errors_table

    if as_json:
        typer.echo(json.dumps(tables))
        return
    for name, table in tables.items():
        title = f"on the {name} set" if name in ("training", "test") else name
        show(errors_table(table, title, everything=everything))
