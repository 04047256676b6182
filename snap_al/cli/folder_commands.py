"""The commands on the folder of a run or a fit: validate, report, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snap_al.cli.options import (
    AsJson,
    Format,
    OutFolder,
    file_options,
    listed,
    say,
    show,
    show_json,
    working,
)


def validate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a run or fit.")],
    structure: Annotated[
        Path | None,
        typer.Option(
            help="A cubic or hexagonal crystal; the run's, or the element's own, when not given."
        ),
    ] = None,
    labeler: Annotated[
        str | None,
        typer.Option(
            help=(
                "To compare with: an ASE calculator's name, a config with a section label, or "
                "own, the run's."
            )
        ),
    ] = None,
    format: Format = None,
    table: Annotated[
        Path | None, typer.Option(help="To compare with: YAML, a value by each property's name.")
    ] = None,
    only: Annotated[
        str,
        typer.Option(
            help=(
                "With commas, of lattice, eos, elastic, vacancy, surfaces, phonons; holes, nve, "
                "npt, or stability for these three."
            )
        ),
    ] = "",
    draws: Annotated[int, typer.Option(min=2, help="From the posterior, for error bars.")] = 32,
    temperature: Annotated[
        float | None, typer.Option(min=1.0, help="K, the highest of use; the run's, or 1000.")
    ] = None,
    ps: Annotated[float, typer.Option(min=0.01, help="Of MD at that temperature.")] = 20.0,
    timestep: Annotated[
        float | None, typer.Option(min=1e-6, help="ps, of MD; the run's, or 0.001.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of draws and velocities.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Properties with error bars, holes, and MD, before anyone trusts the potential. Exit code 1
    when a check fails.

    Example: mpirun -n 2 snap-al validate run --labeler own
    """
    from snap_al.parallel import world
    from snap_al.reporting.validation_table import validation_screen
    from snap_al.tasks.data import DataFile
    from snap_al.tasks.validate import validate as examine
    from snap_al.tasks.validation_request import ValidateSettings

    comm, options = world(), file_options(None, format)
    with working(comm.rank) as report:
        result = examine(
            folder,
            structure=None if structure is None else DataFile(structure, options),
            labeler=labeler,
            table=table,
            settings=ValidateSettings(tuple(listed(only)), draws, temperature, ps, timestep, seed),
            comm=comm,
            report=report,
        )
    if comm.rank == 0 and as_json:
        show_json(result.as_json())
    elif comm.rank == 0:
        show(validation_screen(result.validation))
        say(f"validation.json, properties.csv and figures are in {result.folder}")
    if not result.passed:
        raise typer.Exit(1)


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a run or fit.")],
) -> None:
    """One self-contained HTML page, figures as PNG and their numbers as CSV.

    Example: snap-al report run
    """
    from snap_al.parallel import on_root, world
    from snap_al.tasks.report import report as write

    comm = world()
    with working(comm.rank) as progress:
        progress("the page", 0, 0)
        result = on_root(comm, lambda: write(folder))
    if comm.rank == 0:
        say(f"wrote {result.page}; figures and numbers are in {result.figures}")


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a run.")],
    out: OutFolder = Path("fitsnap"),
) -> None:
    """The labels that a run has computed, as FitSNAP JSON groups with a deck.

    Example: snap-al export run --out fitsnap; cd fitsnap; python -m fitsnap3 export.in
    """
    from snap_al.parallel import on_root, world
    from snap_al.tasks.export import export as write

    comm = world()
    result = on_root(comm, lambda: write(folder, out))
    if comm.rank == 0:
        say(f"wrote {result.configurations} configurations and {result.deck}")
