"""What `snap-al validate` found: validation.json, properties.csv and figures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from snap_al.data.json_text import read_json
from snap_al.data.storage import require_regular_file, write_atomically
from snap_al.names import csv_text, in_figure
from snap_al.reporting.drawing import write_png
from snap_al.validation import Curve, Trajectory, Validation

Array = NDArray[np.float64]
COLUMNS = ("name", "unit", "value", "std", "reference", "z", "draws", "note")
"""Columns of properties.csv."""


def write_validation(folder: Path, validation: Validation) -> None:
    """Writes the files. Figures of an earlier validation that are not part of it are removed."""
    for name in ("properties", "curves", "trajectories"):
        (folder / f"{name}.png").unlink(missing_ok=True)
    (folder / "properties.csv").unlink(missing_ok=True)
    content = validation.as_json()
    write_atomically(folder / "validation.json", json.dumps(content, indent=1) + "\n")
    if validation.properties is not None:
        rows = [COLUMNS, *([p[c] for c in COLUMNS] for p in content["properties"])]
        write_atomically(folder / "properties.csv", csv_text(rows))
    matplotlib.use("Agg")
    for name, figure in figures(validation).items():
        write_png(folder / f"{name}.png", figure)


def read_validation(folder: Path) -> Validation | None:
    """The validation in a folder; None where there is none, or where it is not complete."""
    try:
        stored = read_json(require_regular_file(folder / "validation.json").read_bytes())
        return Validation.from_json(stored)
    except (OSError, ValueError):
        return None


def figures(validation: Validation) -> dict[str, Figure]:
    """The figures that there is data for."""
    out = {}
    deviations = [(p.name, p.z) for p in validation.properties or () if p.z is not None]
    if deviations:
        out["properties"] = _deviations(deviations)
    if validation.curves:
        out["curves"] = _curves(validation.curves)
    shown = [t for t in validation.trajectories or () if len(t.time)]
    if shown:
        out["trajectories"] = _trajectories(shown)
    return out


def _deviations(deviations: Sequence[tuple[str, float]]) -> Figure:
    """Deviation of each property from its reference, in stds."""
    shown = deviations[::-1]
    figure = Figure(figsize=(6.4, 1.2 + 0.22 * len(shown)), layout="constrained")
    panel = figure.subplots()
    panel.axvspan(-2, 2, color="tab:blue", alpha=0.08, lw=0)
    panel.axvspan(-1, 1, color="tab:blue", alpha=0.14, lw=0)
    z, places = [z for _, z in shown], range(len(shown))
    panel.errorbar(z, places, xerr=1.0, fmt="o", ms=4, lw=1, color="tab:blue")
    panel.axvline(0, color="0.5", lw=0.8)
    panel.set_yticks(places, [in_figure(name) for name, _ in shown], fontsize=8)
    panel.set_xlabel("(potential - reference) / std")
    return figure


def _verdict(check: Curve | Trajectory) -> str:
    return f"{in_figure(check.name)}: {'passed' if check.passed else 'FAILED'}"


def _curves(curves: Sequence[Curve]) -> Figure:
    figure = Figure(figsize=(4.2 * len(curves), 3.4), layout="constrained")
    for panel, curve in zip(figure.subplots(1, len(curves), squeeze=False)[0], curves, strict=True):
        x, y, std = (_finite(v) for v in (curve.x, curve.value, curve.std))
        panel.plot(x, y, color="tab:blue", label="potential ± std")
        panel.fill_between(x, y - std, y + std, color="tab:blue", alpha=0.2, lw=0)
        if curve.reference is not None:
            panel.plot(x, _finite(curve.reference), color="tab:red", ls="--", label="labeler")
        panel.axhline(0, color="0.5", lw=0.8)
        if curve.y_label.startswith("energy"):
            panel.set_ylim(min(-1.0, np.min(y[x > 0.6 * x.max()]) - 0.5), 12.0)
        panel.set_title(_verdict(curve), loc="left", fontsize=9)
        panel.set_xlabel(in_figure(curve.x_label))
        panel.set_ylabel(in_figure(curve.y_label))
        panel.legend(fontsize=8)
    return figure


def _finite(values: Array) -> Array:
    """A copy with NaN, which is not drawn, in place of infinities."""
    return np.where(np.isfinite(values), values, np.nan)


def _trajectories(trajectories: Sequence[Trajectory]) -> Figure:
    figure = Figure(figsize=(8.0, 2.4 * len(trajectories)), layout="constrained")
    for (left, right), t in zip(
        figure.subplots(len(trajectories), 2, squeeze=False), trajectories, strict=True
    ):
        left.plot(t.time, _finite(t.temperature), color="tab:blue", lw=1)
        left.set_ylabel("temperature, K")
        left.set_title(_verdict(t), loc="left", fontsize=9)
        if t.energy is not None:
            energy = _finite(t.energy)
            right.plot(t.time, 1e3 * (energy - energy[0]), color="tab:blue", lw=1)
            right.set_ylabel("energy, meV/atom")
        elif t.force_std is not None:
            right.plot(t.time, _finite(t.force_std), color="tab:blue", lw=1)
            right.set_ylabel("largest force std, eV/Å")
        for panel in (left, right):
            panel.set_xlabel("ps")
    return figure
