"""The commands. Each parses, calls an action, prints; heavy imports wait until a command runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="snap-al", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False,
    help="Active learning of SNAP interatomic potentials with calibrated error bars. Metal units.\n\n"
    "Under MPI every command is the same: mpirun -n 4 snap-al run config.yaml --out DIR",
)  # fmt: skip

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, and nothing else there.")]
OutFolder = Annotated[Path, typer.Option("--out", help="Folder to write into; made if it is not there.")]


@app.command()
def demo(
    out: OutFolder = Path("snap_al_demo"),
    seed: Annotated[int, typer.Option(help="Another seed is another run.")] = 1,
    poison: Annotated[
        bool, typer.Option(help="Rattle one starting cell by 0.2 Å, far outside the range of use.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """On-the-fly active learning of copper with EMT, start to finish.

    Example: snap-al demo --out demo
    """
    from snap_al.cli import actions
    from snap_al.cli.demo import prepare
    from snap_al.parallel import world

    comm = world()
    folder = out.resolve()
    if comm.rank == 0 and not as_json and not (folder / "test.extxyz").exists():
        typer.echo("making the test trajectories with EMT at 300, 900 and 1500 K, about 20 s")
    config = prepare(folder, seed, poison, comm)
    _show_run(actions.run(config, folder / "run", comm, _console(as_json)), folder / "run", as_json, comm.rank)


@app.command()
def init(
    name: Annotated[str, typer.Argument(metavar="[TEMPLATE]", help="A ready config: copper or fit.")] = "copper",
    output: Annotated[Path, typer.Option("-o", "--output", help="The config to write.")] = Path("config.yaml"),
    structure: Annotated[Path | None, typer.Option(help="Make a config for this structure instead.")] = None,
    dimers: Annotated[bool, typer.Option(help="With --structure: label pairs at close approach, too.")] = False,
    force: Annotated[bool, typer.Option(help="Overwrite a file that is there.")] = False,
) -> None:
    """Write a commented config: a ready one, or one made for a structure file.

    Example: snap-al init --structure Cu.cif -o cu.yaml
    """
    from snap_al.config import config_for_structure, template
    from snap_al.data.storage import write_atomically
    from snap_al.errors import InputError

    if output.exists() and not force:
        raise InputError(f"{output} is there already; give another -o, or --force")
    if structure is not None:
        text = config_for_structure(structure, dimers=dimers, relative_to=output.parent)
    else:
        text = template(name)
        if name == "copper" and not (output.parent / "Cu.extxyz").exists():
            from snap_al.cli.demo import write_structure

            output.parent.mkdir(parents=True, exist_ok=True)
            write_structure(output.parent / "Cu.extxyz")
            text = text.replace("test: test.extxyz", "# test: test.extxyz")
    write_atomically(output, text)
    typer.echo(f"wrote {output}")


@app.command()
def run(
    config: Annotated[Path, typer.Argument(help="The config; `snap-al init` writes one.")],
    out: OutFolder = Path("run"),
    as_json: AsJson = False,
) -> None:
    """An active-learning run; goes on where the folder stopped.

    SIGTERM, SIGUSR1 and SIGUSR2 end it at once with exit code 75: start it again. 2: the input is wrong; 3: it could not go on.

    Example: mpirun -n 2 snap-al run config.yaml --out run
    """
    from snap_al.cli import actions
    from snap_al.cli.signals import leave_on_signals
    from snap_al.parallel import world

    leave_on_signals()
    comm = world()
    _show_run(actions.run(config, out, comm, _console(as_json)), out, as_json, comm.rank)


@app.command()
def status(folder: Annotated[Path, typer.Argument(metavar="DIR")], as_json: AsJson = False) -> None:
    """What a run has done, is doing and why it stopped, on one screen.

    Example: snap-al status run
    """
    from rich.console import Console

    from snap_al.config import read_run
    from snap_al.loop import RunDirectory, is_running
    from snap_al.report.summary import summarise
    from snap_al.report.tables import status_screen

    _, events, state = read_run(folder)
    summary = {**summarise(events, state), "running": is_running(RunDirectory(folder).journal)}
    if as_json:
        typer.echo(json.dumps(summary))
    else:
        Console().print(status_screen(summary, summary["running"]))


@app.command()
def fit(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="A config with a training section, or a FitSNAP deck (.in).")
    ],
    out: OutFolder = Path("fit"),
    prior: Annotated[
        Path | None, typer.Option(help="A .snapcoeff, published or of an earlier fit, that the prior is centered on.")
    ] = None,
    strict: Annotated[
        bool | None,
        typer.Option(
            "--strict/--lenient",
            help="Stop at the first configuration that cannot be used, or leave it out. [a deck: lenient; a config: strict]",
        ),
    ] = None,
    cache: Annotated[
        bool, typer.Option(help="Keep descriptors in the output folder, and use those that are there.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Fit once to labelled configurations and write the potential files.

    Example: snap-al fit mo.yaml --out mo; mpirun -n 2 snap-al fit Ta-example.in --out ta
    """
    from snap_al.cli.fitting import fit as fit_once
    from snap_al.parallel import world

    comm = world()
    tables = fit_once(
        source,
        out,
        comm,
        strict=strict,
        prior=prior,
        cache=cache,
        warn=lambda text: typer.echo(f"warning: {text}", err=True),
    )
    if comm.rank == 0:
        _show_tables(tables, as_json)


@app.command()
def evaluate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with a fitted potential.")],
    data: Annotated[Path, typer.Argument(help="Labelled configurations, any file that ASE reads.")],
    recalibrate: Annotated[
        bool,
        typer.Option(
            "--recalibrate", help="Write the potential again with stds scaled, kind by kind, to these errors."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Errors and calibration of a potential against labelled configurations.

    Example: snap-al evaluate mo Mo_test.extxyz --json
    """
    from snap_al.cli import actions
    from snap_al.parallel import world

    comm = world()
    table = actions.evaluate(folder, data, comm, recalibrate=recalibrate)
    if comm.rank == 0:
        if as_json:
            typer.echo(json.dumps(table))
        else:
            _show_tables({str(data): table}, as_json)


@app.command()
def predict(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with a fitted potential.")],
    data: Annotated[Path, typer.Argument(help="Configurations, any file that ASE reads.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Extended XYZ to write.")],
) -> None:
    """Energies, forces, stress and their stds, as extended XYZ.

    Example: snap-al predict mo frames.extxyz -o predicted.extxyz
    """
    from snap_al.cli import actions
    from snap_al.parallel import on_root, world

    comm = world()
    n = on_root(comm, lambda: actions.predict(folder, data, output))
    if comm.rank == 0:
        typer.echo(f"wrote {n} configurations to {output}")


@app.command()
def select(
    config: Annotated[Path, typer.Argument(help="A config with a training section, or a FitSNAP deck (.in).")],
    pool: Annotated[Path, typer.Argument(metavar="POOL", help="Configurations, any file that ASE reads.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Extended XYZ to write, best first.")],
    number: Annotated[int | None, typer.Option("-n", help="How many; query.batch when not given.")] = None,
    strategy: Annotated[str | None, typer.Option(help="In place of query.strategy.")] = None,
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

    comm = world()
    found = choose(config, pool, output, comm, n=number, strategy=strategy, cache=cache)
    if comm.rank != 0:
        return
    for text in found["warnings"]:
        typer.echo(f"warning: {text}", err=True)
    if as_json:
        typer.echo(json.dumps(found))
    else:
        from rich.console import Console

        from snap_al.report.tables import selection_table

        Console().print(selection_table(found))
        typer.echo(f"wrote {len(found['selected'])} configurations to {output}")


@app.command()
def learn(
    config: Annotated[Path, typer.Argument(help="A config, or a FitSNAP deck (.in).")],
    pool: Annotated[
        Path | None,
        typer.Argument(metavar="[POOL]", help="Labelled configurations; the config's training set when not given."),
    ] = None,
    out: OutFolder = Path("learn"),
    strategies: Annotated[str, typer.Option(help="Names of query.strategy, with commas.")] = "novel,random",
    seeds: Annotated[int, typer.Option(min=1, help="Repeats from other starting sets.")] = 8,
    initial: Annotated[int, typer.Option(min=1, help="Labelled at random to begin with.")] = 5,
    most: Annotated[int, typer.Option(min=2, help="Labels at the end.")] = 100,
    hold_out: Annotated[
        float, typer.Option(min=0.01, max=0.9, help="Share of the pool to test on, where the config has no test set.")
    ] = 0.2,
    as_json: AsJson = False,
) -> None:
    """Learning curves of several strategies on a labelled pool.

    Example: snap-al learn mo.yaml pool.extxyz --strategies novel,random,D --out study
    """
    from snap_al.cli.selecting import learn as study
    from snap_al.parallel import world

    comm = world()
    names = tuple(dict.fromkeys(s.strip() for s in strategies.split(",") if s.strip()))
    quiet = as_json or comm.rank != 0
    found = study(
        config, out, comm, pool=pool, strategies=names, seeds=seeds, initial=initial, most=most, hold_out=hold_out,
        report=lambda text: None if quiet else typer.echo(text),
    )  # fmt: skip
    if comm.rank != 0:
        return
    if as_json:
        typer.echo(json.dumps(found))
    else:
        from rich.console import Console

        from snap_al.report.tables import learning_table

        Console().print(learning_table(found))
        typer.echo(f"learning.png, learning.csv and learning.json are in {out}")


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a run.")],
    out: OutFolder = Path("fitsnap"),
) -> None:
    """The labels that a run bought, as FitSNAP JSON groups with a deck.

    Example: snap-al export run --out fitsnap; cd fitsnap; python -m fitsnap3 export.in
    """
    from snap_al.cli.exporting import export as write
    from snap_al.parallel import on_root, world

    comm = world()
    n, deck = on_root(comm, lambda: write(folder, out))
    if comm.rank == 0:
        typer.echo(f"wrote {n} configurations and {deck}")


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """LAMMPS, MPI, FitSNAP, labelers found: versions, what is missing, what to install.

    Example: snap-al doctor
    """
    from rich.console import Console
    from rich.table import Table

    from snap_al.cli.doctor import examine
    from snap_al.errors import InputError

    findings = examine()
    if as_json:
        typer.echo(
            json.dumps({f.name: {"found": f.found or None, "needed": f.needed, "advice": f.advice} for f in findings})
        )
    else:
        table = Table()
        for column in ("", "found", "to do"):
            table.add_column(column, overflow="fold")
        for f in findings:
            table.add_row(f.name, f.found or ("missing" if f.needed else "not found"), f.advice)
        Console().print(table)
    missing = [f.name for f in findings if f.needed and not f.ok]
    if missing:
        raise InputError(f"needed and missing: {', '.join(missing)}")


def _console(as_json: bool) -> Any:
    from rich.console import Console

    return Console(quiet=as_json)


def _show_run(metrics: dict[str, Any], folder: Path, as_json: bool, rank: int) -> None:
    if rank != 0:
        return
    if as_json:
        typer.echo(json.dumps(metrics))
        return
    _show_tables({k: metrics[k] for k in metrics if k in ("test", "training")}, as_json)
    typer.echo(f"{metrics['labels']} labels; {metrics['stopped']}; {metrics['wall_seconds']['total']:.0f} s")
    if metrics["model_limited"]:
        typer.echo(metrics["model_limited"])
    typer.echo(
        f"potential, metrics.json and figures are in {folder}; plain LAMMPS reads it with `include potential.mod`"
    )


def _show_tables(tables: dict[str, Any], as_json: bool) -> None:
    from rich.console import Console

    from snap_al.report.tables import errors_table

    if as_json:
        typer.echo(json.dumps(tables))
        return
    for name, table in tables.items():
        Console().print(errors_table(table, f"on the {name} set" if name in ("training", "test") else name))
