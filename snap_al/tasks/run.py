"""An active-learning run. Collective over all ranks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from snap_al.config import open_run
from snap_al.data.counts import ReadCount
from snap_al.errors import SnapALError
from snap_al.loop import RunDirectory
from snap_al.parallel import Communicator, on_root, world
from snap_al.progress import silent
from snap_al.reporting.figures import figures_of, write_figures
from snap_al.reporting.run_log import RunLog
from snap_al.reporting.summary import write_metrics
from snap_al.tasks.record import record_of


def run(
    config: Path | str,
    out: Path | str = "run",
    comm: Communicator | None = None,
    log: Callable[[Path], RunLog] = RunLog,
) -> dict[str, Any]:
    """An active-learning run in the folder `out`; goes on where it stopped. Returns what
    metrics.json holds.

    log: makes, on rank 0, what writes the run.log of the given path, and shows what one derived
    from RunLog shows.

    Raises InputError or RunError on all ranks; everything finished is on disk then.
    """
    comm = comm or world()
    directory = RunDirectory(Path(out).resolve())
    told = log(directory.root / "run.log") if comm.rank == 0 else None
    observe = told or (lambda event, state: None)
    report, warn = (told.report, told.warn) if told else (silent, lambda text: None)
    opened = open_run(Path(config), directory.root, comm, observe, report, warn)
    with told or nullcontext(), opened as driver:
        on_root(comm, lambda: told.say_all(driver.read_lines) if told else None)
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
