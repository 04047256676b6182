"""The commands on a pool of configurations: select, learn."""

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
    show_found,
    working,
)


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
    from snap_al.parallel import world
    from snap_al.tasks.data import DataFile
    from snap_al.tasks.select import select as choose

    comm, file = world(), DataFile(pool, file_options(None, format))
    with working(comm.rank) as report:
        result = choose(
            config, file, output, n=number, strategy=strategy, cache=cache, comm=comm, report=report
        )
    if comm.rank != 0:
        return
    from snap_al.reporting.study_tables import selection_table

    after = f"wrote {len(result.selected)} configurations to {output}"
    show_found(result, selection_table, as_json, after)


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
    from snap_al.loop.learning import Curve
    from snap_al.parallel import world
    from snap_al.tasks.data import DataFile
    from snap_al.tasks.learn import LearnSettings
    from snap_al.tasks.learn import learn as study

    def finished(curve: Curve) -> None:
        if not as_json:
            say(f"{curve.strategy}, seed {curve.seed}: {curve.labels[-1]} labels")

    comm, options = world(), file_options(None, format)
    names = tuple(dict.fromkeys(listed(strategies)))
    with working(comm.rank) as report:
        result = study(
            config,
            out,
            pool=None if pool is None else DataFile(pool, options),
            settings=LearnSettings(names, seeds, initial, most, hold_out),
            comm=comm,
            report=report,
            finished=finished,
        )
    if comm.rank != 0:
        return
    from snap_al.reporting.study_tables import learning_table

    after = f"learning.png, learning.csv and learning.json are in {out}"
    show_found(result, learning_table, as_json, after)
