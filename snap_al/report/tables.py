"""Tables on a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from snap_al.report.summary import Summary
from snap_al.uncertainty import Table

UNITS = {"energy": ("meV/atom", 1e3), "forces": ("eV/Å", 1.0), "stress": ("GPa", 160.21766)}


def errors_table(table: Table, title: str) -> RichTable:
    """Errors and calibration by kind. Coverage of a calibrated Gaussian would be 0.683 and 0.954."""
    out = RichTable(title=title, title_justify="left")
    for column in ("", "n", "unit", "MAE", "RMSE", "within 1 std", "within 2 std", "spearman"):
        out.add_column(column, justify="left" if column in ("", "unit") else "right")
    for kind, values in table.items():
        unit, factor = UNITS[kind]
        out.add_row(
            kind, str(values["n"]), unit, f"{values['mae'] * factor:.4g}", f"{values['rmse'] * factor:.4g}",
            f"{values['coverage_1sigma']:.3f}", f"{values['coverage_2sigma']:.3f}", f"{values['spearman']:.2f}",
        )  # fmt: skip
    return out


def status_screen(summary: Summary, running: bool) -> RenderableType:
    """One screen: what the run has done, is doing, and why it stopped."""
    doing = (
        "running"
        if running
        else ("stopped: " + summary["stopped"] if summary["stopped"] else "interrupted; run it again to go on")
    )
    seconds = summary["wall_seconds"]
    parts = ", ".join(f"{k} {seconds[k]:.1f} s" for k in ("md", "std", "label", "fit", "total"))
    lines = [
        f"{doing}",
        f"labels {summary['labels']}, rejected {summary['rejected']}, waiting {summary['pending']}, fits {summary['fits']}",
        f"novel above {summary['novelty_ev_per_a']:.3f} eV/Å",
        f"time: {parts}",
    ]
    if summary["model_limited"]:
        lines.append(summary["model_limited"])
    walkers = RichTable(title="walkers", title_justify="left")
    for column in ("walker", "status", "step", "segments", "last"):
        walkers.add_column(column, overflow="fold")
    for w in summary["walkers"]:
        walkers.add_row(str(w["walker"]), w["status"], f"{w['step']}/{w['of']}", str(w["segments"]), w["reason"])
    shown: list[RenderableType] = [Text("\n".join(lines)), walkers]
    if summary["learning_curve"]:
        last = summary["learning_curve"][-1]
        shown.append(errors_table(last["table"], f"last fit, on the {last['on']} set"))
    return Group(*shown)
