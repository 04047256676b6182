"""PNG figures of a run: std along each walker with the queries marked, parity with error bars, learning curve."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from snap_al.data.storage import write_atomically
from snap_al.loop import Event, RunDirectory
from snap_al.units import BAR_PER_EV_PER_A3

PARITY = (("energy", "eV/atom", 1.0), ("force", "eV/Å", 1.0), ("stress", "eV/Å³", 1.0 / BAR_PER_EV_PER_A3))
MOST_BARS = 2000
"""Error bars drawn in one panel; beyond that an even selection."""


def write_figures(directory: RunDirectory, events: list[Event], tolerance: float) -> list[Path]:
    """Those that the run has data for, into figures/. Returns their paths."""
    matplotlib.use("Agg")
    figures = {
        "std_along_walkers": std_along_walkers(directory, events, tolerance),
        "learning_curve": learning_curve(events),
    }
    if directory.predictions.exists():
        with np.load(directory.predictions, allow_pickle=False) as stored:
            figures["parity"] = parity({name: stored[name] for name in stored.files})
    paths = []
    for name, figure in figures.items():
        if figure is not None:
            path = directory.root / "figures" / f"{name}.png"
            buffer = BytesIO()
            figure.savefig(buffer, format="png", dpi=130)
            write_atomically(path, buffer.getvalue())
            paths.append(path)
    return paths


def std_along_walkers(directory: RunDirectory, events: list[Event], tolerance: float) -> Figure | None:
    """Largest force std of each checked frame against the step; queries as points, the novelty threshold as steps."""
    segments = [(e, w) for e in events if e["event"] == "explored" for w in e["walkers"]]
    if not segments:
        return None
    novelty = {e["fit"]: e["novelty"] for e in events if e["event"] == "fitted"}
    walkers = sorted({w["walker"] for _, w in segments})
    figure = Figure(figsize=(8, 2.2 + 2.2 * len(walkers)), layout="constrained")
    panels = figure.subplots(len(walkers), 1, squeeze=False)[:, 0]
    for panel, number in zip(panels, walkers, strict=True):
        for _, w in (s for s in segments if s[1]["walker"] == number):
            checks = directory.read_checks(number, w["segment"])
            steps = [c.step for c in checks]
            panel.plot(steps, [c.force_std for c in checks], color="tab:blue", lw=1)
            panel.hlines(novelty[w["fit"]], w["from_step"], w["step"], color="tab:green", lw=1)
            asked = {q["step"] for q in w["queries"]}
            marked = [c for c in checks if c.step in asked]
            panel.plot([c.step for c in marked], [c.force_std for c in marked], "o", color="tab:red", ms=5)
        panel.axhline(tolerance, color="0.4", ls="--", lw=1)
        panel.set_ylim(bottom=0)
        panel.set_title(f"walker {number}", loc="left", fontsize=10)
        panel.set_ylabel("largest force std, eV/Å")
    for label, style in (
        ("predictive std", {"color": "tab:blue"}),
        ("queried", {"color": "tab:red", "marker": "o", "ls": ""}),
        ("novel above", {"color": "tab:green"}),
        ("tolerance", {"color": "0.4", "ls": "--"}),
    ):
        panels[0].plot([], [], label=label, **style)
    panels[0].legend(loc="upper left", fontsize=8, ncols=4)
    panels[-1].set_xlabel("MD step")
    return figure


def parity(stored: dict[str, np.ndarray]) -> Figure:
    """Predicted against reference, with the total std as error bar, for each kind."""
    total = np.sqrt(stored["epistemic_std"] ** 2 + stored["model_error_std"] ** 2 + stored["noise_std"] ** 2)
    present = [k for k in range(3) if (stored["kinds"] == k).any()]
    figure = Figure(figsize=(4.4 * len(present), 4.2), layout="constrained")
    for panel, kind in zip(figure.subplots(1, len(present), squeeze=False)[0], present, strict=True):
        name, unit, factor = PARITY[kind]
        rows = np.flatnonzero(stored["kinds"] == kind)
        rows = rows[:: max(1, len(rows) // MOST_BARS)]
        x, y, bar = (factor * v[rows] for v in (stored["targets"], stored["mean"], total))
        panel.errorbar(x, y, bar, fmt=".", ms=3, lw=0.5, color="tab:blue", ecolor="0.7")
        ends = [min(x.min(), y.min()), max(x.max(), y.max())]
        panel.plot(ends, ends, color="k", lw=0.8)
        panel.set_title(f"{name}, {len(rows)} shown", loc="left", fontsize=10)
        panel.set_xlabel(f"reference, {unit}")
        panel.set_ylabel(f"predicted ± std, {unit}")
    return figure


def learning_curve(events: list[Event]) -> Figure | None:
    """Errors against labels."""
    fits = [e for e in events if e["event"] == "fitted"]
    if not fits:
        return None
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    for panel, (kind, unit, factor) in zip(
        figure.subplots(1, 2), (("forces", "eV/Å", 1.0), ("energy", "meV/atom", 1e3)), strict=True
    ):
        known = [e for e in fits if kind in e["table"]]
        labels = [e["labels"] for e in known]
        panel.plot(labels, [factor * e["table"][kind]["rmse"] for e in known], "o-", ms=4)
        panel.set_ylim(bottom=0)
        panel.set_xlabel("labels")
        panel.set_ylabel(f"{kind} RMSE, {unit}")
        panel.set_title(f"on the {fits[-1]['measured_on']} set", loc="left", fontsize=10)
    return figure
