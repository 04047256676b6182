"""The page of a run or a fit, its figures and numbers."""

from __future__ import annotations

from pathlib import Path

from snap_al.reporting.figures import figures_of, write_figures
from snap_al.reporting.numbers import write_numbers
from snap_al.reporting.page import write_page
from snap_al.tasks.record import record_of


def report(folder: Path | str) -> Path:
    """Writes report.html, and figures/ with PNG and CSV. Returns the page's path. One rank."""
    record = record_of(Path(folder))
    figures = figures_of(record)
    write_figures(record.folder, figures)
    write_numbers(record)
    return write_page(record, figures)
