"""Figures of predictions next to labels: parity with error bars by group, calibration, histogram of
stds. Each takes predictions of at least one kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from snap_al.data.rows import KIND_NAMES
from snap_al.names import in_figure
from snap_al.reporting.record import SHOWN_UNITS, Predictions
from snap_al.uncertainty.calibration import coverage_at, pit_histogram

MOST_BARS = 2000
"""Number of error bars drawn in one panel; of more, some are chosen at random."""
MOST_GROUPS = 10
"""Number of groups with a colour each; smaller ones share one."""


def parity(predictions: Predictions) -> Figure:
    """Predicted against reference, the total std as error bar, a colour a group."""
    figure = Figure(figsize=(4.2 * len(predictions.present), 4.2), layout="constrained")
    for panel, kind in _panels(figure, predictions):
        unit, factor = SHOWN_UNITS[kind]
        rows = predictions.of(kind)
        shown = _some(len(rows.targets), MOST_BARS)
        groups = rows.groups[shown]
        x, y, bar = (factor * v[shown] for v in (rows.targets, rows.mean, rows.std))
        ends = [min(x.min(), y.min()), max(x.max(), y.max())]
        panel.plot(ends, ends, color="0.5", lw=0.8)
        by_size = _by_size(groups, predictions.names)
        for place, (_, here) in enumerate(by_size):
            style = {"color": f"C{place}", "rasterized": True, "label": str(place), "lw": 0.5}
            _, _, (bars,) = panel.errorbar(x[here], y[here], bar[here], fmt=".", ms=3, **style)
            bars.set_alpha(0.35)
            bars.set_rasterized(True)
        panel.set_title(
            f"{KIND_NAMES[kind]}, {len(x)} of {len(rows.targets)}", loc="left", fontsize=10
        )
        panel.set_xlabel(f"reference, {unit}")
        panel.set_ylabel(f"predicted ± std, {unit}")
        if len(predictions.names) > 1:
            legend = panel.legend(fontsize=7, markerscale=2)
            for text, (name, _) in zip(legend.get_texts(), by_size, strict=True):
                text.set_text(in_figure(name))  # matplotlib leaves out labels that begin with _
    return figure


def _panels(figure: Figure, predictions: Predictions) -> Iterator[tuple[Any, int]]:
    """A panel for each kind of label that there is, side by side."""
    panels = figure.subplots(1, len(predictions.present), squeeze=False)[0]
    return zip(panels, predictions.present, strict=True)


def _some(n: int, most: int) -> np.ndarray:
    """Numbers of at most this many of n rows, in order and the same each time. They are drawn at
    random: every k-th row would be the same component of all forces where k is a multiple of 3."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, most, replace=False))


def _by_size(groups: np.ndarray, names: tuple[str, ...]) -> list[tuple[str, np.ndarray]]:
    """Masks of the rows of the largest groups, and of all others together."""
    sizes = np.bincount(groups, minlength=len(names))
    order = [int(g) for g in np.argsort(-sizes, kind="stable") if sizes[g]]
    masks = [(names[g] or "(no group)", groups == g) for g in order[:MOST_GROUPS]]
    if order[MOST_GROUPS:]:
        masks[-1:] = [("others", np.isin(groups, order[MOST_GROUPS - 1 :]))]
    return masks


def calibration(predictions: Predictions) -> Figure:
    """Left: how often the label is inside an interval, against how often it should be. Right: where
    in the predicted distribution the label is. A flat histogram is calibrated; a hill means that
    stds are too large, a valley that they are too small."""
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], color="0.5", lw=0.8)
    for kind in predictions.present:
        rows = predictions.of(kind)
        error = rows.mean - rows.targets
        inside = coverage_at(error, rows.std)
        left.plot(list(inside), list(inside.values()), "o-", ms=3, lw=1.2, label=KIND_NAMES[kind])
        bins = pit_histogram(error, rows.std)
        right.stairs(bins, np.linspace(0, 1, len(bins) + 1), lw=1.4, label=KIND_NAMES[kind])
    right.axhline(1 / len(bins), color="0.5", lw=0.8)
    right.set_ylim(bottom=0)
    left.set_xlabel("probability of the interval")
    left.set_ylabel("share of labels inside")
    right.set_xlabel("quantile of the label in its prediction")
    right.set_ylabel("share of labels")
    for panel in (left, right):
        panel.legend(fontsize=8)
    return figure


def std_histogram(predictions: Predictions) -> Figure:
    """Histogram of the total stds, with the RMSE."""
    figure = Figure(figsize=(2.9 * len(predictions.present), 2.8), layout="constrained")
    for panel, kind in _panels(figure, predictions):
        unit, factor = SHOWN_UNITS[kind]
        rows = predictions.of(kind)
        panel.hist(factor * rows.std, bins=40, color="tab:blue", alpha=0.8)
        rmse = factor * float(np.sqrt(np.mean((rows.mean - rows.targets) ** 2)))
        panel.axvline(rmse, color="tab:red", lw=1.2, label=f"RMSE {rmse:.3g}")
        panel.set_xlabel(f"std of {KIND_NAMES[kind]}, {unit}")
        panel.set_yticks([])
        panel.legend(fontsize=8)
    return figure
