"""What the commands do, callable from Python too. Collective over all ranks; only rank 0 prints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from rich.console import Console
from threadpoolctl import threadpool_limits

from snap_al.cli.reporting import record_of
from snap_al.config import open_run
from snap_al.data import LabelledConfiguration
from snap_al.data.carried import as_extended_xyz, with_reference_names
from snap_al.data.configuration import Configuration
from snap_al.data.counts import ReadCount, count
from snap_al.data.label_checks import check_labels
from snap_al.data.readers import FileOptions, read_file
from snap_al.data.remarks import Remarks
from snap_al.data.storage import write_atomically
from snap_al.data.weights import Weights
from snap_al.descriptors import DescriptorEngine
from snap_al.errors import SnapALError
from snap_al.loop import RunDirectory
from snap_al.loop.evaluation import TestSet
from snap_al.parallel import Communicator, on_root, world
from snap_al.potential import FittedPotential, stem_in
from snap_al.potential.snap_calculator import predicted
from snap_al.progress import Report, silent
from snap_al.reporting.figures import figures_of, write_figures
from snap_al.reporting.layout import make_console
from snap_al.reporting.progress import Progress
from snap_al.reporting.summary import write_metrics
from snap_al.uncertainty import Table


def run(
    config: Path | str,
    out: Path | str = "run",
    comm: Communicator | None = None,
    console: Console | None = None,
    warn: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """An active-learning run in the folder `out`; goes on where it stopped. Returns what
    metrics.json holds.

    warn: is told, on rank 0, what looks wrong in the labels that were read, which is also in the
    journal, in run.log, in metrics.json and on the page.

    Raises InputError or RunError on all ranks; everything finished is on disk then.
    """
    comm = comm or world()
    directory = RunDirectory(Path(out).resolve())
    log = directory.root / "run.log"
    progress = Progress(log, console or make_console(), warn) if comm.rank == 0 else None
    observe = progress or (lambda event, state: None)
    report, told = (progress.report, progress.warn) if progress else (silent, warn)
    opened = open_run(Path(config), directory.root, comm, observe, report, told)
    with progress or nullcontext(), opened as driver:
        on_root(comm, lambda: progress.say_all(driver.read_lines) if progress else None)
        try:
            driver.run()
        except SnapALError:
            if comm.rank == 0:
                with suppress(Exception):  # the error that stopped the run is the one to show
                    _leave_report(directory, driver.read)
            raise
        return on_root(comm, lambda: _leave_report(directory, driver.read))


def _leave_report(directory: RunDirectory, read: Sequence[ReadCount]) -> dict[str, Any]:
    """metrics.json and figures, also of a run that failed. Returns the metrics."""
    record = record_of(directory.root)
    assert record.state is not None
    metrics = write_metrics(
        directory, list(record.events), record.state, [c.as_json() for c in read]
    )
    write_figures(record.folder, figures_of(record))
    return metrics


def evaluate(
    folder: Path | str,
    data: Path | str,
    comm: Communicator | None = None,
    *,
    recalibrate: bool = False,
    options: FileOptions | None = None,
    say: Callable[[str], None] = lambda text: None,
    report: Report = silent,
    warn: Callable[[str], None] = lambda text: None,
    note: Callable[[str], None] = lambda text: None,
) -> Table:
    """Errors and calibration of the potential in `folder` on the labelled configurations in `data`.

    Rows that vanish by symmetry are counted apart; groups are what the files call `group` or
    `config_type`. recalibrate: measure a factor on the stds of each kind here, and write the
    potential again with it; what is returned has it. options: how to read the file, its labels'
    names for example. say: is told on rank 0 what was found in the file, and warn what looks wrong
    in its labels, and note what could not be told. Raises InputError on all ranks.
    """
    comm = comm or world()
    potential = on_root(comm, lambda: FittedPotential.read(Path(folder)))
    elements = potential.settings.elements
    found = on_root(comm, lambda: read_file(Path(data), elements, labelled=True, options=options))
    weights = Weights(1.0, 1.0, 1.0)
    items = [
        LabelledConfiguration(c, weights, c.group, source=str(data)) for c in found.configurations
    ]
    if comm.rank == 0:
        for text in (
            *count("data", str(data), found.frames, items, found.unread).described(),
            *found.left_out,
        ):
            say(text)
    told = on_root(comm, lambda: Remarks.of(check_labels(items, str(data))))
    if comm.rank == 0:
        for text in told.warnings:
            warn(text)
        for text in told.notes:
            note(text)
    with threadpool_limits(1), DescriptorEngine(potential.settings, potential.reference) as engine:
        test = TestSet(engine, comm)
        test.add(items, report=report)
        posterior = potential.posterior
        if recalibrate:
            posterior = posterior.recalibrated(np.ones(3))
            posterior = posterior.recalibrated(test.evaluate(posterior).scale_factors())
            on_root(
                comm,
                lambda: replace(potential, posterior=posterior).write(
                    Path(folder), stem_in(Path(folder))
                ),
            )
        return test.evaluate(posterior).table(test.matrix.groups)


def predict(
    folder: Path | str,
    data: Path | str,
    out: Path | str,
    report: Report = silent,
    options: FileOptions | None = None,
    warn: Callable[[str], None] = lambda text: None,
    say: Callable[[str], None] = lambda text: None,
) -> int:
    """Writes `data` again as extended XYZ with energies, forces and stress of the potential in
    `folder` and their stds.

    Names: energy (eV), forces (eV/Å), stress (eV/Å³), and energy_std (eV, of the whole cell),
    forces_std, stress_std (components; total std). All else that the frames carry stays; labels
    that they had under energy, forces, stress or virial are under REF_energy, REF_forces,
    REF_stress. options: how to read the file. warn: is told what extended XYZ cannot hold, and say
    how many frames the file has. Returns the number of configurations. Raises InputError. Runs on
    one rank.
    """
    potential = FittedPotential.read(Path(folder))
    found = read_file(Path(data), potential.settings.elements, labelled=False, options=options)
    for line in ReadCount("data", str(data), found.frames, labels_used=False).described():
        say(line)
    frames = []
    with threadpool_limits(1), DescriptorEngine(potential.settings, potential.reference) as engine:
        for n, (configuration, atoms) in enumerate(
            zip(found.configurations, found.atoms, strict=True)
        ):
            report("predictions", n, found.frames)
            frames.append(_predicted(configuration, atoms, engine, potential))
    text, remarks = as_extended_xyz(frames)
    for remark in (*found.left_out, *remarks):
        warn(remark)
    write_atomically(Path(out), text)
    return len(frames)


def _predicted(
    configuration: Configuration,
    carried: Atoms,
    engine: DescriptorEngine,
    potential: FittedPotential,
) -> Atoms:
    found = predicted(potential.posterior, engine.rows(configuration), len(configuration))
    atoms = with_reference_names(carried, configuration.label)
    atoms.info |= {name: found[name] for name in ("energy", "energy_std", "stress", "stress_std")}
    atoms.arrays |= {name: found[name] for name in ("forces", "forces_std")}
    return atoms
