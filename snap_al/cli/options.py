"""Options and output that several commands share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snap_al.errors import InputError
from snap_al.names import in_message
from snap_al.progress import Report

if TYPE_CHECKING:
    from snap_al.data.readers import FileOptions
    from snap_al.tasks.learn import LearnResult
    from snap_al.tasks.result import TaskResult
    from snap_al.tasks.select import SelectResult
    from snap_al.tasks.tune_result import TuneResult
    from snap_al.uncertainty import ErrorTable

    FoundResult = SelectResult | LearnResult | TuneResult

Labels = Annotated[
    str | None,
    typer.Option(
        "--labels",
        help="Names of the labels in the file, such as energy=dft_energy,virial=dft_virial; "
        "kinds: energy, forces, stress, virial. "
        "[the usual names of ASE, GPUMD, QUIP, MACE, dpdata and VASP]",
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format", help="ASE's name of the file's format. [found out from name and content]"
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout, and nothing else there.")
]
AllColumns = Annotated[
    bool,
    typer.Option(
        "--all", help="All columns of the table of errors: MAE, NLL, CRPS, rank correlation too."
    ),
]
OutFolder = Annotated[
    Path, typer.Option("--out", help="Folder to write into; made if it is not there.")
]


def with_home_folders(command: Callable[..., None]) -> Callable[..., None]:
    """The command with `~` at the beginning of its paths replaced by the home directory, where the
    shell has not done so."""

    @wraps(command)
    def run(**arguments: Any) -> None:
        from snap_al.data.storage import expanded  # late: it imports numpy

        command(**{k: expanded(v) if isinstance(v, Path) else v for k, v in arguments.items()})

    return run


def file_options(labels: str | None, format: str | None) -> FileOptions:
    """Options for reading a file, from --labels and --format. Raises InputError."""
    from pydantic import TypeAdapter, ValidationError

    from snap_al.data.label_names import LabelKeys
    from snap_al.data.readers import FileFormat, FileOptions

    option = f"--labels {labels}"
    try:
        keys = None if labels is None else LabelKeys.parsed(labels)
        option = f"--format {format}"
        known = None if format is None else TypeAdapter(FileFormat).validate_python(format)
    except ValidationError as error:
        (first, *_) = error.errors()
        where = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(
            ": ".join(filter(None, [option, where, message]))
        ).on_all_ranks() from error
    except ValueError as error:
        raise InputError(f"--labels {error}").on_all_ranks() from error
    return FileOptions(known, keys)


def listed(text: str) -> list[str]:
    """The entries of a list with commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def say(text: str, *, err: bool = False) -> None:
    """Prints a message, which may contain names from files, on stdout or stderr."""
    typer.echo(in_message(text), err=err)


def warn(text: str) -> None:
    """Prints a warning on stderr."""
    say(f"warning: {text}", err=True)


def note(text: str) -> None:
    """Prints a note on stderr: what a user may not expect, and what could not be checked."""
    say(f"note: {text}", err=True)


def show(screen: Any) -> None:
    """Prints tables and texts of rich."""
    from snap_al.reporting.layout import make_console

    make_console().print(screen, crop=False)


def show_json(content: Mapping[str, Any]) -> None:
    """Prints one JSON object on stdout."""
    typer.echo(json.dumps(content))


def show_found(
    result: FoundResult, screen: Callable[[dict[str, Any]], Any], as_json: bool, after: str
) -> None:
    """Prints warnings and notes on stderr, and the result as JSON or on a screen with a line after
    it."""
    show_summary(result)
    content = result.as_json()
    if as_json:
        show_json(content)
        return
    show(screen(content))
    say(after)


def show_summary(result: TaskResult) -> None:
    """Prints on stderr what was read, warnings and notes."""
    show_read(result)
    show_remarks(result)


def show_remarks(result: TaskResult) -> None:
    """Prints warnings and notes on stderr."""
    for text in result.warnings:
        warn(text)
    for text in result.notes:
        note(text)


def show_read(result: TaskResult) -> None:
    """Prints on stderr what was read from each file and how much of it is used."""
    for content in result.read:
        for line in content.described():
            say(line, err=True)


def numbers(option: str, text: str) -> list[float]:
    """The numbers of a list with commas. Raises InputError."""
    try:
        return [float(part) for part in listed(text)]
    except ValueError as error:
        raise InputError(
            f"{option} {text}: numbers with commas between them, such as 4,6,8"
        ).on_all_ranks() from error


@contextmanager
def working(rank: int) -> Iterator[Report]:
    """The progress of a command on rank 0's stderr."""
    from snap_al.reporting.layout import make_console
    from snap_al.reporting.working import Working

    with Working(make_console(stderr=True, quiet=rank != 0)) as report:
        yield report


def show_tables(tables: Mapping[str, ErrorTable], everything: bool = False) -> None:
    """Prints errors and calibration, by name of the set.

    everything: whether all columns are shown.
    """
    from snap_al.reporting.tables import errors_table

    for name, table in tables.items():
        title = f"on the {name} set" if name in ("training", "test") else name
        show(errors_table(table, title, everything=everything))
