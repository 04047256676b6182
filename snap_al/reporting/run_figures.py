"""Figures of a run: std along its walkers with the queries marked, the learning curve, where its
time went.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from snap_al.reporting.record import Record
from snap_al.reporting.summary import core_seconds, wall_seconds


def std_along_walkers(record: Record) -> Figure | None:
    """Largest force std of each checked frame against the step, with queries as points and the
    novelty threshold as steps."""
    segments = record.segments()
    if not segments or record.state is None:
        return None
    novelty = {e.fit: e.novelty for e in record.fits}
    walkers = sorted({w.walker for w in segments})
    figure = Figure(figsize=(8, 1.2 + 2.0 * len(walkers)), layout="constrained")
    panels = figure.subplots(len(walkers), 1, squeeze=False)[:, 0]
    for panel, number in zip(panels, walkers, strict=True):
        for w in (s for s in segments if s.walker == number):
            checks = record.directory.read_checks(number, w.segment)
            panel.plot(
                [c.step for c in checks], [c.force_std for c in checks], color="tab:blue", lw=1
            )
            panel.hlines(novelty[w.fit], w.from_step, w.step, color="tab:green", lw=1)
            asked = {q.step for q in w.queries}
            marked = [c for c in checks if c.step in asked]
            panel.plot(
                [c.step for c in marked], [c.force_std for c in marked], "o", color="tab:red", ms=5
            )
        panel.axhline(record.state.tolerance, color="0.5", ls="--", lw=1)
        panel.set_ylim(bottom=0)
        panel.set_title(f"walker {number}", loc="left", fontsize=10)
        panel.set_ylabel("largest force std, eV/Å")
    for label, style in (
        ("predictive std", {"color": "tab:blue"}),
        ("queried", {"color": "tab:red", "marker": "o", "ls": ""}),
        ("novel above", {"color": "tab:green"}),
        ("tolerance", {"color": "0.5", "ls": "--"}),
    ):
        panels[0].plot([], [], label=label, **style)
    panels[0].legend(loc="upper left", fontsize=8, ncols=4)
    panels[-1].set_xlabel("MD step")
    return figure


def learning_curve(record: Record) -> Figure | None:
    """RMSE and RMS std against the number of labels. A calibrated std follows the error."""
    fits = record.fits
    if not fits:
        return None
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    for panel, (kind, unit, factor) in zip(
        figure.subplots(1, 2), (("forces", "eV/Å", 1.0), ("energy", "meV/atom", 1e3)), strict=True
    ):
        known = [(e.labels, m) for e in fits for k, m in e.table.by_kind().items() if k == kind]
        labels = [n for n, _ in known]
        errors, stds = ([m.rmse for _, m in known], [m.sharpness for _, m in known])
        for values, label, style in ((errors, "RMSE", "o-"), (stds, "RMS std", "s--")):
            scaled = [factor * v for v in values]
            panel.plot(labels, scaled, style, ms=4, lw=1.2, label=label)
        panel.set_ylim(bottom=0)
        panel.set_xlabel("labels")
        panel.set_ylabel(f"{kind}, {unit}")
        panel.set_title(f"on the {fits[-1].measured_on} set", loc="left", fontsize=10)
        panel.legend(fontsize=8)
    return figure


def where_time_went(record: Record) -> Figure | None:
    """Wall seconds by part, and what each label cost."""
    if not record.events:
        return None
    seconds = wall_seconds(list(record.events))
    parts = {name: seconds[name] for name in ("md", "std", "label", "fit")}
    parts["rest"] = max(seconds["total"] - sum(parts.values()), 0.0)
    figure = Figure(figsize=(8, 2.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    names = list(parts)[::-1]
    bars = left.barh(names, [parts[name] for name in names], color="tab:blue", height=0.6)
    left.bar_label(bars, fmt="%.3g", padding=3, fontsize=8)
    left.margins(x=0.15)
    side_by_side = sum(seconds[name] for name in ("md", "std", "label", "fit")) > seconds["total"]
    summed = ", summed over what ran side by side" if side_by_side else ""
    left.set_xlabel(f"wall seconds, all sessions{summed}")
    costs = [core_seconds(e) for e in record.labels]
    right.plot(range(1, len(costs) + 1), costs, ".", color="tab:blue")
    right.set_ylim(bottom=0)
    right.set_xlabel("label")
    right.set_ylabel("core-seconds")
    return figure
