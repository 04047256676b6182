"""An active-learning run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snap_al.config import open_run
from snap_al.data.counts import ReadCount
from snap_al.data.storage import write_atomically
from snap_al.errors import SnapALError
from snap_al.loop import RunConfig, RunDirectory
from snap_al.parallel import Communicator, on_root, world
from snap_al.progress import silent
from snap_al.reporting.figures import figures_of, write_figures
from snap_al.reporting.run_log import RunLog
from snap_al.reporting.summary import Summary, summarise
from snap_al.tasks.record import record_of
from snap_al.tasks.result import ErrorTables, TaskResult


@dataclass(frozen=True)
class RunResult(TaskResult):
    """What a run has done, and the errors of its last potential."""

    labels: int
    """Number of labels."""
    rejected: int
    """Number of labels that failed or were not accepted."""
    stopped: str
    """Why it ended."""
    model_limited: str
    """What to do where the model, and not the data, limits the error; "" where it does not."""
    wall_seconds: dict[str, float]
    """md, std, label, fit and total, s, over all sessions."""
    label_core_seconds: float
    """Core seconds that labels cost."""
    tables: ErrorTables
    """Errors of the last fit, on the test set or, where there is none, on the training set."""
    folder: Path
    """Folder of the run."""

    @classmethod
    def of(cls, summary: Summary, read: Sequence[ReadCount], folder: Path) -> RunResult:
        """The result of a summary by `summarise`.

        read: what was read from each labelled file.
        """
        last = summary["learning_curve"][-1:]
        return cls(
            summary["labels"],
            summary["rejected"],
            summary["stopped"],
            summary["model_limited"],
            summary["wall_seconds"],
            summary["label_core_seconds"],
            ErrorTables(**{fit["on"]: fit["table"] for fit in last}),
            folder,
            read=tuple(read),
            warnings=tuple(summary["warnings"]),
            notes=tuple(summary["notes"]),
        )

    def as_json(self) -> dict[str, Any]:
        """What metrics.json holds and `snap-al run --json` prints."""
        common = self.common_json()
        return {
            "labels": self.labels,
            "rejected": self.rejected,
            "stopped": self.stopped,
            "model_limited": self.model_limited,
            "wall_seconds": self.wall_seconds,
            "label_core_seconds": self.label_core_seconds,
            "warnings": common["warnings"],
            "notes": common["notes"],
            **self.tables.as_json(),
            "read": common["read"],
        }


def run(
    config: Path | str | RunConfig,
    out: Path | str = "run",
    *,
    comm: Communicator | None = None,
    log: Callable[[Path], RunLog] = RunLog,
) -> RunResult:
    """Learn a potential on the fly in the folder `out`; go on where an earlier run stopped.

    It is collective: under MPI, all ranks call it. Everything that is finished is on disk, also
    when an error is raised. Nothing is printed; run.log says what is done.

    Parameters
    ----------
    config : path, str or RunConfig
        What to explore, how to label, and when to stop.
    out : path or str, optional
        The folder of the run; it is made if it is not there.
    comm : Communicator, optional
        The ranks that share the work; all of MPI's world when not given.
    log : callable, optional
        Called on rank 0 with the path of run.log; returns what writes it: a RunLog, or an object of
        a class derived from it that shows the same elsewhere.

    Returns
    -------
    RunResult
        What metrics.json holds, on every rank.

    Raises
    ------
    InputError
        If the config or a file that it names is wrong, a labeler is not there, or `out` is a run of
        another config; on every rank.
    RunError
        If the run could not go on; on every rank.

    Examples
    --------
    >>> result = sa.run("config.yaml", "run")
    >>> result.labels, result.stopped
    """
    comm = comm or world()
    directory = RunDirectory(Path(out).resolve())
    run_log = log(directory.root / "run.log") if comm.rank == 0 else None
    observe = run_log or (lambda event, state: None)
    report, warn = (run_log.report, run_log.warn) if run_log else (silent, lambda text: None)
    source = config if isinstance(config, RunConfig) else Path(config)
    opened = open_run(source, directory.root, comm, observe, report, warn)
    with run_log or nullcontext(), opened as driver:
        on_root(comm, lambda: run_log.say_all(driver.read_lines) if run_log else None)
        try:
            driver.run()
        except SnapALError:
            if comm.rank == 0:
                with suppress(
                    Exception
                ):  # the error that stopped the run is the one that is raised
                    _leave_report(directory, driver.read)
            raise
        return on_root(comm, lambda: _leave_report(directory, driver.read))


def _leave_report(directory: RunDirectory, read: Sequence[ReadCount]) -> RunResult:
    """Writes metrics.json and figures, also of a run that failed."""
    record = record_of(directory.root)
    assert record.state is not None
    result = RunResult.of(summarise(list(record.events), record.state), read, directory.root)
    write_atomically(directory.metrics, json.dumps(result.as_json(), indent=1) + "\n")
    write_figures(record.folder, figures_of(record))
    return result
