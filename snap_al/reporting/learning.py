"""The figure and the numbers of learning curves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from snap_al.data.storage import write_atomically
from snap_al.loop.learning import Curve
from snap_al.names import csv_text, in_figure
from snap_al.reporting.drawing import write_png

LINES = ("-", "--", ":", "-.")
UNITS = {"energy": ("meV/atom", 1e3), "forces": ("eV/Å", 1.0)}


def write_learning(folder: Path, curves: Sequence[Curve], summary: dict[str, Any]) -> None:
    """learning.png, learning.csv and summary.json into `folder`."""
    matplotlib.use("Agg")
    write_png(folder / "learning.png", learning_figure(curves, summary["full"]))
    write_atomically(folder / "summary.json", json.dumps(summary, indent=1) + "\n")
    names = list(summary["full"])
    rows: list[list[object]] = [["strategy", "seed", "labels", *(f"rmse_{name}" for name in names)]]
    rows += [
        [c.strategy, c.seed, n, *(f"{c.errors[name][k]:.8g}" for name in names)]
        for c in curves
        for k, n in enumerate(c.labels)
    ]
    write_atomically(folder / "learning.csv", csv_text(rows))


def learning_figure(curves: Sequence[Curve], full: dict[str, float]) -> Figure:
    """One panel an error: median over seeds, the middle half as a band; dotted, 1.1 times the error
    of the whole pool.
    """
    names = list(full)
    figure = Figure(figsize=(4.2 * len(names), 3.6), layout="constrained")
    strategies = list(dict.fromkeys(c.strategy for c in curves))
    for panel, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        unit, factor = UNITS[name.removeprefix("worst_")]
        for number, strategy in enumerate(strategies):
            curves_of_strategy = [c for c in curves if c.strategy == strategy]
            shortest = min(len(c.labels) for c in curves_of_strategy)
            labels = curves_of_strategy[0].labels[:shortest]
            errors = factor * np.array([c.errors[name][:shortest] for c in curves_of_strategy])
            low, middle, high = np.quantile(errors, (0.25, 0.5, 0.75), axis=0)
            style = {"color": f"C{number % 10}", "ls": LINES[number // 10 % len(LINES)]}
            panel.plot(labels, middle, lw=1.4, label=in_figure(strategy), **style)
            panel.fill_between(labels, low, high, color=style["color"], alpha=0.15, lw=0)
        panel.axhline(1.1 * full[name] * factor, color="0.4", ls=":", lw=1)
        panel.set_yscale("log")
        panel.set_xlabel("labels")
        panel.set_ylabel(f"RMSE, {unit}")
        panel.set_title(name.replace("_", " "), loc="left", fontsize=10)
    figure.legend(
        *figure.axes[0].get_legend_handles_labels(), loc="outside right upper", fontsize=8
    )
    return figure
