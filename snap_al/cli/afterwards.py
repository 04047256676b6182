"""The commands for what has been fitted: tune, validate, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from snap_al.cli.options import (
    AsJson,
    Format,
    OutFolder,
    file_options,
    listed,
    numbers,
    say,
    show_found,
    working,
)


def tune(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help="A run's folder, a config with a training section, or a FitSNAP deck.",
        ),
    ],
    out: OutFolder = Path("tune"),
    twojmax: Annotated[
        str,
        typer.Option(help="To try, with commas; two less and two more than now when not given."),
    ] = "",
    cutoff: Annotated[
        str,
        typer.Option(
            help="Å, to try, with commas; 0.85, 1 and 1.15 times that of now when not given."
        ),
    ] = "",
    by: Annotated[
        str,
        typer.Option(
            help="folds: errors on tenths left out; groups: on groups left out; evidence."
        ),
    ] = "folds",
    seed: Annotated[int, typer.Option(help="Of folds.")] = 1,
    as_json: AsJson = False,
) -> None:
    """twojmax, cutoff, element radii and group weights by errors on labels that were left out;
    writes tuned.yaml.

    Example: snap-al tune run --out tune; snap-al run tune/tuned.yaml --out better
    """
    from snap_al.cli.tuning import tune as search
    from snap_al.errors import InputError, did_you_mean
    from snap_al.loop.tuning import Measure
    from snap_al.parallel import world

    comm = world()
    if by not in (measures := get_args(Measure)):
        raise InputError(f"--by {by}: {did_you_mean(by, measures)}").on_all_ranks()
    with working(comm.rank) as report:
        found = search(
            source,
            out,
            comm,
            twojmax=[int(x) for x in numbers("--twojmax", twojmax)],
            cutoffs=numbers("--cutoff", cutoff),
            by=cast(Measure, by),
            seed=seed,
            report=report,
        )
    if comm.rank != 0:
        return
    from snap_al.reporting.study_tables import tuning_table

    show_found(found, tuning_table, as_json, f"tune.json and tuned.yaml are in {out}")


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
    from snap_al.cli.validating import validate as examine
    from snap_al.parallel import world
    from snap_al.reporting.validation import validation_screen

    comm, options = world(), file_options(None, format)
    with working(comm.rank) as report:
        found = examine(
            folder,
            comm,
            structure=structure,
            labeler=labeler,
            table=table,
            only=listed(only),
            draws=draws,
            temperature=temperature,
            ps=ps,
            timestep=timestep,
            seed=seed,
            report=report,
            options=options,
        )
    if comm.rank == 0:
        where = folder / "validation"
        show_found(
            found,
            validation_screen,
            as_json,
            f"validation.json, properties.csv and figures are in {where}",
        )
    if not found.get("passed", True):
        raise typer.Exit(1)


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a run or fit.")],
) -> None:
    """One self-contained HTML page, figures as PNG and their numbers as CSV.

    Example: snap-al report run
    """
    from snap_al.cli.reporting import report as write
    from snap_al.parallel import on_root, world

    comm = world()
    with working(comm.rank) as progress:
        progress("the page", 0, 0)
        path = on_root(comm, lambda: write(folder))
    if comm.rank == 0:
        say(f"wrote {path}; figures and numbers are in {folder / 'figures'}")
