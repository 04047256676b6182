"""What `snap-al validate` found: validation.json, properties.csv and figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from snap_al.data.json_text import read_json
from snap_al.data.storage import require_regular_file, write_atomically
from snap_al.names import csv_text, in_figure
from snap_al.reporting.drawing import write_png

Validation = dict[str, Any]
COLUMNS = ("name", "unit", "value", "std", "reference", "z", "draws", "note")


def write_validation(folder: Path, validation: Validation) -> None:
    """Writes the files. Figures of an earlier validation that are not part of it are removed."""
    for name in ("properties", "curves", "trajectories"):
        (folder / f"{name}.png").unlink(missing_ok=True)
    (folder / "properties.csv").unlink(missing_ok=True)
    write_atomically(
        folder / "validation.json", json.dumps(without_nan(validation), indent=1) + "\n"
    )
    if "properties" in validation:
        rows = [COLUMNS, *([p.get(c, "") for c in COLUMNS] for p in validation["properties"])]
        write_atomically(folder / "properties.csv", csv_text(rows))
    matplotlib.use("Agg")
    for name, figure in figures(validation).items():
        write_png(folder / f"{name}.png", figure)


def read_validation(folder: Path) -> Validation | None:
    """The validation in a folder; None where there is none, or where it is not complete."""
    try:
        validation = read_json(require_regular_file(folder / "validation.json").read_bytes())
    except (OSError, ValueError):
        return None
    return validation if isinstance(validation, dict) and "structure" in validation else None


def figures(validation: Validation) -> dict[str, Figure]:
    """The figures that there is data for."""
    out = {}
    if any(p["z"] is not None for p in validation.get("properties", [])):
        out["properties"] = _deviations(validation["properties"])
    if validation.get("curves"):
        out["curves"] = _curves(validation["curves"])
    shown = [t for t in validation.get("trajectories", []) if t["time"]]
    if shown:
        out["trajectories"] = _trajectories(shown)
    return out


def _deviations(properties: list[dict[str, Any]]) -> Figure:
    """Deviation of each property from its reference, in stds."""
    known = [p for p in properties if p["z"] is not None][::-1]
    figure = Figure(figsize=(6.4, 1.2 + 0.22 * len(known)), layout="constrained")
    panel = figure.subplots()
    panel.axvspan(-2, 2, color="tab:blue", alpha=0.08, lw=0)
    panel.axvspan(-1, 1, color="tab:blue", alpha=0.14, lw=0)
    panel.errorbar(
        [p["z"] for p in known], range(len(known)), xerr=1.0, fmt="o", ms=4, lw=1, color="tab:blue"
    )
    panel.axvline(0, color="0.5", lw=0.8)
    panel.set_yticks(range(len(known)), [in_figure(p["name"]) for p in known], fontsize=8)
    panel.set_xlabel("(potential - reference) / std")
    return figure


def _verdict(check: dict[str, Any]) -> str:
    return f"{in_figure(check['name'])}: {'passed' if check['passed'] else 'FAILED'}"


def _curves(curves: list[dict[str, Any]]) -> Figure:
    figure = Figure(figsize=(4.2 * len(curves), 3.4), layout="constrained")
    for panel, curve in zip(figure.subplots(1, len(curves), squeeze=False)[0], curves, strict=True):
        x, y = np.array(curve["x"]), np.array(curve["value"])
        panel.plot(x, y, color="tab:blue", label="potential ± std")
        std = np.array(curve["std"])
        panel.fill_between(x, y - std, y + std, color="tab:blue", alpha=0.2, lw=0)
        if curve["reference"] is not None:
            panel.plot(
                x,
                np.array(curve["reference"], dtype=float),
                color="tab:red",
                ls="--",
                label="labeler",
            )
        panel.axhline(0, color="0.5", lw=0.8)
        if curve["y_label"].startswith("energy"):
            panel.set_ylim(min(-1.0, np.min(y[x > 0.6 * x.max()]) - 0.5), 12.0)
        panel.set_title(_verdict(curve), loc="left", fontsize=9)
        panel.set_xlabel(in_figure(curve["x_label"]))
        panel.set_ylabel(in_figure(curve["y_label"]))
        panel.legend(fontsize=8)
    return figure


def _trajectories(trajectories: list[dict[str, Any]]) -> Figure:
    figure = Figure(figsize=(8.0, 2.4 * len(trajectories)), layout="constrained")
    for (left, right), t in zip(
        figure.subplots(len(trajectories), 2, squeeze=False), trajectories, strict=True
    ):
        left.plot(t["time"], t["temperature"], color="tab:blue", lw=1)
        left.set_ylabel("temperature, K")
        left.set_title(_verdict(t), loc="left", fontsize=9)
        if t["energy"] is not None:
            right.plot(
                t["time"], 1e3 * (np.array(t["energy"]) - t["energy"][0]), color="tab:blue", lw=1
            )
            right.set_ylabel("energy, meV/atom")
        else:
            right.plot(t["time"], t["force_std"], color="tab:blue", lw=1)
            right.set_ylabel("largest force std, eV/Å")
        for panel in (left, right):
            panel.set_xlabel("ps")
    return figure


def without_nan(value: Any) -> Any:
    """A copy; NaN and infinity, which JSON does not have, become None."""
    if isinstance(value, dict):
        return {k: without_nan(v) for k, v in value.items()}
    if isinstance(value, list):
        return [without_nan(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
