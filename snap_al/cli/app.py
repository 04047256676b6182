"""The commands of a run. Each parses its arguments, calls a task and prints the result. Modules
that are slow to import are imported when a command runs."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snap_al import __version__
from snap_al.cli import fit_commands, folder_commands, pool_commands
from snap_al.cli.help import PlainHelpCommand
from snap_al.cli.options import (
    AllColumns,
    AsJson,
    Format,
    OutFolder,
    file_options,
    say,
    show,
    show_json,
    show_tables,
    warn,
    with_home_folders,
    working,
)
from snap_al.names import in_terminal

if TYPE_CHECKING:
    from snap_al.tasks.run import RunResult

app = typer.Typer(
    name="snap-al", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False
)


def _show_version(wanted: bool) -> None:
    if wanted:
        where = Path(__file__).resolve().parent.parent
        say(in_terminal(f"snap-al {__version__} (Python {platform.python_version()}, {where})"))
        raise typer.Exit


@app.callback()
def main_options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_show_version, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Active learning of SNAP interatomic potentials with calibrated error bars. Metal units.

    Under MPI every command is the same: mpirun -n 4 snap-al run config.yaml --out DIR
    """


@app.command()
def demo(
    out: OutFolder = Path("snap_al_demo"),
    seed: Annotated[int, typer.Option(help="Another seed is another run.")] = 1,
    poison: Annotated[
        bool, typer.Option(help="Rattle one starting cell by 0.2 Å, far outside the range of use.")
    ] = False,
    as_json: AsJson = False,
    everything: AllColumns = False,
) -> None:
    """On-the-fly active learning of copper with EMT, start to finish.

    Example: snap-al demo --out demo
    """
    from snap_al.cli.demo import prepare
    from snap_al.parallel import world
    from snap_al.reporting.progress import Progress
    from snap_al.tasks.run import run as learn_on_the_fly

    comm = world()
    folder = out.resolve()
    with working(comm.rank) as report:
        config = prepare(folder, seed, poison, comm, report)
    result = learn_on_the_fly(
        config, folder / "run", comm=comm, log=lambda path: Progress(path, _console(as_json))
    )
    if comm.rank == 0:
        _show_run(result, folder / "run", as_json, everything)


@app.command()
def init(
    name: Annotated[
        str, typer.Argument(metavar="[TEMPLATE]", help="A ready config: copper or fit.")
    ] = "copper",
    output: Annotated[Path, typer.Option("-o", "--output", help="The config to write.")] = Path(
        "config.yaml"
    ),
    structure: Annotated[
        Path | None, typer.Option(help="Make a config for this structure instead.")
    ] = None,
    format: Format = None,
    dimers: Annotated[
        bool, typer.Option(help="With --structure: label pairs at close approach, too.")
    ] = False,
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
        options = file_options(None, format)
        text = config_for_structure(
            structure, dimers=dimers, relative_to=output.parent, options=options
        )
    else:
        text = template(name)
        if name == "copper" and not (output.parent / "Cu.extxyz").exists():
            from snap_al.cli.demo import write_structure

            output.parent.mkdir(parents=True, exist_ok=True)
            write_structure(output.parent / "Cu.extxyz")
            text = text.replace("test: test.extxyz", "# test: test.extxyz")
    write_atomically(output, text)
    say(f"wrote {output}")


@app.command()
def run(
    config: Annotated[Path, typer.Argument(help="The config; `snap-al init` writes one.")],
    out: OutFolder = Path("run"),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would do and cost, and do nothing.")
    ] = False,
    as_json: AsJson = False,
    everything: AllColumns = False,
) -> None:
    """An active-learning run; goes on where the folder stopped.

    SIGTERM, SIGUSR1 and SIGUSR2 end it at once with exit code 75: start it again. 2: the input is
    wrong; 3: it could not go on.

    Example: mpirun -n 2 snap-al run config.yaml --out run
    """
    from snap_al.cli.planning import described
    from snap_al.cli.signals import leave_on_signals
    from snap_al.parallel import on_root, world
    from snap_al.reporting.progress import Progress
    from snap_al.tasks.plan import plan
    from snap_al.tasks.run import run as learn_on_the_fly

    leave_on_signals()
    comm = world()
    if dry_run:
        planned = on_root(comm, lambda: plan(config, out, comm.size))
        if comm.rank == 0 and as_json:
            show_json(planned.as_json())
        elif comm.rank == 0:
            say("\n".join(map(in_terminal, described(planned))))
        return
    result = learn_on_the_fly(
        config, out, comm=comm, log=lambda path: Progress(path, _console(as_json), warn)
    )
    if comm.rank == 0:
        _show_run(result, out, as_json, everything)


@app.command()
def status(
    folder: Annotated[Path, typer.Argument(metavar="DIR")],
    follow: Annotated[
        bool, typer.Option("--follow", help="Show it anew until the run has ended.")
    ] = False,
    every: Annotated[
        float, typer.Option(min=0.1, help="Seconds between looks, with --follow.")
    ] = 2.0,
    as_json: AsJson = False,
    everything: AllColumns = False,
) -> None:
    """What a run has done, is doing and why it stopped, on one screen, with plots of std and
    errors.

    Example: snap-al status run --follow
    """
    from snap_al.cli import following
    from snap_al.reporting.layout import make_console

    if as_json:
        typer.echo(json.dumps(following.status_of(folder)))
    elif follow:
        following.follow(folder, make_console(), every, everything=everything)
    else:
        show(following.screen(folder, make_console().width, everything=everything)[0])


@app.command()
def approve(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder of a run with label: {approve: true}.")
    ],
    no: Annotated[bool, typer.Option("--no", help="Do not pay for them: the run stops.")] = False,
) -> None:
    """Say yes, or no, to the labels that a run asks for.

    Example: snap-al approve run
    """
    from snap_al.loop import Approval, RunDirectory
    from snap_al.reporting.run_log import place_of

    approval = Approval(RunDirectory(folder).approvals)
    batches = approval.waiting()
    for batch, queries in batches.items():
        for q in queries:
            answer, place = "no" if no else "yes", place_of(q["walker"], q["step"])
            say(in_terminal(f"{answer}: {q['atoms']} atoms, {place} {q['name']}"))
        approval.give(batch, "no" if no else "yes")
    if not batches:
        typer.echo("nothing is asked for")


for command in (
    fit_commands.fit,
    fit_commands.evaluate,
    fit_commands.predict,
    pool_commands.select,
    pool_commands.learn,
    fit_commands.tune,
    folder_commands.validate,
    folder_commands.report,
    folder_commands.export,
):
    app.command()(command)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """What is found of MPI, LAMMPS, extras and labelers; what is missing or too old, and what to
    install.

    Whether ranks that `mpirun` starts know of each other is tried. Exit code 2 when something
    needed is missing or wrong.

    Example: snap-al doctor
    """
    from snap_al.cli.doctor import examine
    from snap_al.errors import InputError
    from snap_al.reporting.findings import findings_screen

    findings = examine()
    if as_json:
        typer.echo(json.dumps({f.name: f.as_json() for f in findings}))
    else:
        show(findings_screen([(f.name, f.found, f.needed, f.advice) for f in findings]))
    wrong = [f.name for f in findings if f.needed and not f.ok]
    if wrong:
        raise InputError(f"needed, and missing or wrong: {', '.join(wrong)}")


for registered in app.registered_commands:
    registered.cls = PlainHelpCommand
    assert registered.callback is not None
    registered.callback = with_home_folders(registered.callback)


def _console(as_json: bool) -> Any:
    from snap_al.reporting.layout import make_console

    return make_console(quiet=as_json)


def _show_run(result: RunResult, folder: Path, as_json: bool, everything: bool) -> None:
    """folder: as the user named it."""
    if as_json:
        show_json(result.as_json())
        return
    show_tables(result.tables.by_set(), everything)
    say(f"{result.labels} labels; {result.stopped}; {result.wall_seconds['total']:.0f} s")
    if result.model_limited:
        say(result.model_limited)
    say(
        f"potential, metrics.json and figures are in {folder}; plain LAMMPS reads it with "
        "`include potential.mod`. "
        f"`snap-al report {folder}` makes a page of it, `snap-al validate {folder}` says what it "
        "is worth"
    )
