"""All figures of a run or fit."""

from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from snap_al.reporting.drawing import write_png
from snap_al.reporting.prediction_figures import calibration, parity, std_histogram
from snap_al.reporting.record import Record
from snap_al.reporting.run_figures import learning_curve, std_along_walkers, where_time_went

Figures = dict[str, Figure]


def figures_of(record: Record) -> Figures:
    """The figures that there is data for, by name."""
    matplotlib.use("Agg")
    figures = {
        "std_along_walkers": std_along_walkers(record),
        "learning_curve": learning_curve(record),
    }
    if (predictions := record.predictions) is not None and predictions.present:
        figures["parity"] = parity(predictions)
        figures["calibration"] = calibration(predictions)
        figures["std_histogram"] = std_histogram(predictions)
    figures["time"] = where_time_went(record)
    return {name: figure for name, figure in figures.items() if figure is not None}


def write_figures(folder: Path, figures: Figures) -> None:
    """Writes figures as PNG into figures/ of the folder."""
    for name, figure in figures.items():
        write_png(folder / "figures" / f"{name}.png", figure)
