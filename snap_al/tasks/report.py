"""The page of a run or a fit, its figures and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from snap_al.reporting.figures import figures_of, write_figures
from snap_al.reporting.numbers import write_numbers
from snap_al.reporting.page import write_page
from snap_al.tasks.record import record_of


@dataclass(frozen=True)
class ReportResult:
    """What `report` has written."""

    page: Path
    """report.html, which loads nothing from elsewhere."""
    figures: Path
    """The folder of figures (PNG) and of their numbers (CSV)."""


def report(folder: Path | str) -> ReportResult:
    """Write the page of a run or a fit, its figures and their numbers, into its folder.

    It is not collective: under MPI, call it on one rank.

    Parameters
    ----------
    folder : path or str
        The folder of a run or a fit.

    Returns
    -------
    ReportResult
        The paths of the page and of the folder of figures.

    Raises
    ------
    InputError
        If the folder holds neither a run nor a fit.

    Examples
    --------
    >>> sa.report("run").page
    PosixPath('run/report.html')
    """
    record = record_of(Path(folder))
    figures = figures_of(record)
    write_figures(record.folder, figures)
    write_numbers(record)
    return ReportResult(write_page(record, figures), record.folder / "figures")
