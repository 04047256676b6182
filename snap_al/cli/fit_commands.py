"""The commands that fit a potential and compare it with labels: fit, evaluate, predict, tune."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from snap_al.cli.options import (
    AllColumns,
    AsJson,
    Format,
    Labels,
    OutFolder,
    file_options,
    numbers,
    say,
    show_found,
    show_json,
    show_read,
    show_remarks,
    show_summary,
    show_tables,
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
    from snap_al.parallel import world
    from snap_al.tasks.fit import fit as fit_once

    comm = world()
    with working(comm.rank) as report:
        result = fit_once(
            source, out, strict=strict, prior=prior, cache=cache, comm=comm, report=report
        )
    if comm.rank != 0:
        return
    show_summary(result)
    if as_json:
        show_json(result.as_json())
    else:
        show_tables(result.tables.by_set(), everything)


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
    from snap_al.parallel import world
    from snap_al.tasks.data import DataFile
    from snap_al.tasks.evaluate import evaluate as compare

    comm, file = world(), DataFile(data, file_options(labels, format))
    with working(comm.rank) as report:
        result = compare(folder, file, recalibrate=recalibrate, comm=comm, report=report)
    if comm.rank != 0:
        return
    show_remarks(result)
    show_read(result)
    for text in result.left_out:
        say(text, err=True)
    if as_json:
        show_json(result.as_json())
    else:
        show_tables({str(data): result.table}, everything)


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
    from snap_al.parallel import collectively, world
    from snap_al.tasks.data import DataFile
    from snap_al.tasks.predict import PredictResult
    from snap_al.tasks.predict import predict as compute

    comm, file = world(), DataFile(data, file_options(labels, format))
    result: PredictResult | None = None
    with working(comm.rank) as report, collectively(comm):
        if comm.rank == 0:
            result = compute(folder, file, output, report=report)
    if result is not None:
        show_summary(result)
        say(f"wrote {len(result.frames)} configurations to {output}")


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
    from snap_al.loop.scoring import Measure
    from snap_al.parallel import world
    from snap_al.tasks.tune import tune as search

    comm = world()
    with working(comm.rank) as report:
        result = search(
            source,
            out,
            twojmax=[int(x) for x in numbers("--twojmax", twojmax)],
            cutoffs=numbers("--cutoff", cutoff),
            by=cast(Measure, by),
            seed=seed,
            comm=comm,
            report=report,
        )
    if comm.rank != 0:
        return
    from snap_al.reporting.study_tables import tuning_table

    show_found(result, tuning_table, as_json, f"tune.json and tuned.yaml are in {out}")
