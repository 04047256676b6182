"""The commands without MD: fit, evaluate, predict, select, learn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from snap_al.cli.options import (
    AllColumns,
    AsJson,
    Format,
    Labels,
    OutFolder,
    file_options,
    listed,
    note,
    say,
    show_found,
    show_read,
    show_remarks,
    show_tables,
    warn,
    working,
)


def fit(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE", help="A config with a training section, or a FitSNAP deck (.in)."
        ),
    ],
    out: OutFolder = Path("fit"),
    prior: Annotated[
        Path | None,
        typer.Option(
            help="A .snapcoeff, published or of an earlier fit, that the prior is centered on; "
            "of the same descriptor, going by the .snapparam beside it."
        ),
    ] = None,
    strict: Annotated[
        bool | None,
        typer.Option(
            "--strict/--lenient",
            help="Stop at the first configuration that cannot be used, or leave it out; "
            "--strict also stops at anything that looks wrong. "
            "[a deck: lenient; a config: stops at the first configuration]",
        ),
    ] = None,
    cache: Annotated[
        bool,
        typer.Option(help="Keep descriptors in the output folder, and use those that are there."),
    ] = True,
    as_json: AsJson = False,
    everything: AllColumns = False,
) -> None:
    """Fit once to labelled configurations and write the potential files.

    In the config's training and test entries, `labels:` names the labels of a file that have other
    names than ASE, GPUMD, QUIP, MACE, dpdata or VASP give them, and `format:` and `units:` say how
    it is written.

    Example: snap-al fit mo.yaml --out mo; mpirun -n 2 snap-al fit Ta-example.in --out ta
    """
    from snap_al.cli.fitting import fit as fit_once
    from snap_al.parallel import world

    comm = world()
    with working(comm.rank) as report:
        tables = fit_once(source, out, comm, strict=strict, prior=prior, cache=cache, report=report)
    if comm.rank == 0:
        show_read(tables["read"])
        show_remarks(tables)
        show_tables(tables, as_json, everything)


def evaluate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with a fitted potential.")],
    data: Annotated[Path, typer.Argument(help="Labelled configurations, any file that ASE reads.")],
    recalibrate: Annotated[
        bool,
        typer.Option(
            "--recalibrate",
            help="Write the potential again with stds scaled, kind by kind, to these errors.",
        ),
    ] = False,
    labels: Labels = None,
    format: Format = None,
    as_json: AsJson = False,
    everything: AllColumns = False,
) -> None:
    """Errors and calibration of a potential against labelled configurations.

    Example: snap-al evaluate mo Mo_test.extxyz --json
    """
    from snap_al.cli import actions
    from snap_al.parallel import world

    comm, options = world(), file_options(labels, format)
    said: list[str] = []
    with working(comm.rank) as report:
        table = actions.evaluate(
            folder,
            data,
            comm,
            recalibrate=recalibrate,
            options=options,
            say=said.append,
            report=report,
            warn=warn,
            note=note,
        )
    for text in said:
        say(text, err=True)
    if comm.rank == 0:
        if as_json:
            typer.echo(json.dumps(table))
        else:
            show_tables({str(data): table}, as_json, everything)


def predict(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with a fitted potential.")],
    data: Annotated[Path, typer.Argument(help="Configurations, any file that ASE reads.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Extended XYZ to write.")],
    labels: Labels = None,
    format: Format = None,
) -> None:
    """Energies, forces, stress and their stds, as extended XYZ.

    Frames keep all that they carry. Labels that they have are written under REF_energy, REF_forces
    and REF_stress.

    Example: snap-al predict mo frames.extxyz -o predicted.extxyz
    """
    from snap_al.cli import actions
    from snap_al.parallel import on_root, world

    comm, options = world(), file_options(labels, format)
    warnings: list[str] = []
    counts: list[str] = []

    def predicted() -> int:
        return actions.predict(
            folder, data, output, report, options, warnings.append, counts.append
        )

    with working(comm.rank) as report:
        n = on_root(comm, predicted)
    if comm.rank == 0:
        for text in counts:
            say(text, err=True)
        for text in warnings:
            warn(text)
        say(f"wrote {n} configurations to {output}")


def select(
    config: Annotated[
        Path, typer.Argument(help="A config with a training section, or a FitSNAP deck (.in).")
    ],
    pool: Annotated[
        Path, typer.Argument(metavar="POOL", help="Configurations, any file that ASE reads.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Extended XYZ to write, best first.")
    ],
    number: Annotated[
        int | None, typer.Option("-n", help="How many; query.batch when not given.")
    ] = None,
    strategy: Annotated[str | None, typer.Option(help="In place of query.strategy.")] = None,
    format: Format = None,
    cache: Annotated[
        bool, typer.Option(help="Keep descriptors beside the output, and use those that are there.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Which configurations of a pool to label next, without MD.

    Example: snap-al select mo.yaml pool.extxyz -n 20 -o ask.extxyz
    """
    from snap_al.cli.selecting import select as choose
    from snap_al.parallel import world

    comm, options = world(), file_options(None, format)
    with working(comm.rank) as report:
        found = choose(
            config,
            pool,
            output,
            comm,
            n=number,
            strategy=strategy,
            cache=cache,
            report=report,
            options=options,
        )
    if comm.rank != 0:
        return
    from snap_al.reporting.study_tables import selection_table

    show_found(
        found,
        selection_table,
        as_json,
        f"wrote {len(found['selected'])} configurations to {output}",
    )


def learn(
    config: Annotated[Path, typer.Argument(help="A config, or a FitSNAP deck (.in).")],
    pool: Annotated[
        Path | None,
        typer.Argument(
            metavar="[POOL]",
            help="Labelled configurations; the config's training set when not given.",
        ),
    ] = None,
    out: OutFolder = Path("learn"),
    strategies: Annotated[
        str, typer.Option(help="Names of query.strategy, with commas.")
    ] = "novel,random",
    seeds: Annotated[int, typer.Option(min=1, help="Repeats from other starting sets.")] = 8,
    initial: Annotated[int, typer.Option(min=1, help="Labelled at random to begin with.")] = 5,
    most: Annotated[int, typer.Option(min=2, help="Labels at the end.")] = 100,
    hold_out: Annotated[
        float,
        typer.Option(
            min=0.01,
            max=0.9,
            help="Share of the pool to test on, where the config has no test set.",
        ),
    ] = 0.2,
    format: Format = None,
    as_json: AsJson = False,
) -> None:
    """Learning curves of several strategies on a labelled pool.

    Example: snap-al learn mo.yaml pool.extxyz --strategies novel,random,D --out study
    """
    from snap_al.cli.selecting import learn as study
    from snap_al.parallel import world

    comm, options = world(), file_options(None, format)
    names = tuple(dict.fromkeys(listed(strategies)))
    quiet = as_json or comm.rank != 0
    with working(comm.rank) as report:
        found = study(
            config,
            out,
            comm,
            pool=pool,
            strategies=names,
            seeds=seeds,
            initial=initial,
            most=most,
            hold_out=hold_out,
            say=lambda text: None if quiet else say(text),
            report=report,
            options=options,
        )
    if comm.rank != 0:
        return
    from snap_al.reporting.study_tables import learning_table

    show_found(
        found, learning_table, as_json, f"learning.png, learning.csv and learning.json are in {out}"
    )
