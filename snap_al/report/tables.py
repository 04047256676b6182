"""Tables on a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from snap_al.report.summary import Summary
from snap_al.uncertainty import Table

UNITS = {"energy": ("meV/atom", 1e3), "forces": ("eV/Å", 1.0), "stress": ("GPa", 160.21766)}


def errors_table(table: Table, title: str) -> RenderableType:
    """Errors and calibration by kind, and by group where there are several. Coverage of a calibrated Gaussian would be
    0.683 and 0.954; sharpness is the RMS std, which is then the RMSE."""
    out = _empty(title, "")
    for kind, values in table.items():
        _add_row(out, kind, kind, values)
    shown: list[RenderableType] = [out]
    for kind, values in table.items():
        if "groups" in values:
            groups = _empty(f"{kind}, by group", "group")
            for name, part in values["groups"].items():
                _add_row(groups, name or "(none)", kind, part)
            shown.append(groups)
    apart = [f"{v['vanishing']['n']} {kind}" for kind, v in table.items() if "vanishing" in v]
    if apart:
        shown.append(Text(f"not counted, since they vanish by symmetry: components of {', '.join(apart)}"))
    return Group(*shown)


def selection_table(found: dict[str, Any]) -> RenderableType:
    """What `snap-al select` chose, best first."""
    out = RichTable(
        title=f"{found['strategy']}: {len(found['selected'])} of {found['pool']}, {found['duplicates']} duplicates left out",
        title_justify="left",
    )
    for column in ("rank", "in the pool", "score", "energy std, meV/atom", "largest force std, eV/Å"):
        out.add_column(column, justify="right")
    for rank, c in enumerate(found["selected"]):
        numbers = (f"{c['score']:.4g}", f"{c['energy_std'] * 1e3:.3g}", f"{c['force_std']:.3g}")
        out.add_row(str(rank), str(c["number"]), *numbers)
    return out


def learning_table(found: dict[str, Any]) -> RenderableType:
    """What `snap-al learn` found: by strategy and error, geometric mean over the curve with its 95 % interval, and labels
    until 1.1 times the error of the whole pool."""
    out = RichTable(
        title="mean error under the curve [95 %]; labels to 1.1 × the whole pool's error", title_justify="left"
    )
    out.add_column("strategy")
    for name, value in found["full"].items():
        unit, factor = UNITS[name.removeprefix("worst_")]
        out.add_column(f"{name.replace('_', ' ')}, {unit}\n(whole pool {value * factor:.3g})", justify="right")
    for strategy, each in found["strategies"].items():
        cells = []
        for name in found["full"]:
            factor, part = UNITS[name.removeprefix("worst_")][1], each[name]
            low, high = (f"{x * factor:.3g}" for x in part["interval"])
            needed = "-" if part["labels_to_reach"] is None else f"{part['labels_to_reach']:g}"
            cells.append(f"{part['mean_error'] * factor:.3g} [{low}, {high}]; {needed}")
        out.add_row(strategy, *cells)
    return out


def tuning_table(found: dict[str, Any]) -> RenderableType:
    """What `snap-al tune` tried, what is best, and what is now."""
    out = RichTable(
        title=f"{found['configurations']} labelled configurations, by {found['by']}",
        title_justify="left",
        padding=(0, 0, 0, 1),
    )
    kinds = list(found["best"]["rmse"])
    errors = [f"{kind}\n{UNITS[kind][0]}" for kind in kinds]  # short enough for a terminal of 80 columns
    evidence = ["evidence\nper row"] * (found["by"] == "evidence")
    for column in ("", *errors, *evidence, "columns", "µs per\natom", ""):
        out.add_column(column, justify="left" if column == "" else "right", no_wrap=True)
    for tried in found["tried"]:
        rmse = (f"{tried['rmse'][kind] * UNITS[kind][1]:.3g}" for kind in kinds)
        mark = "best" if tried == found["best"] else "now" if tried == found["now"] else ""
        shown = [f"{tried['evidence_per_row']:.3f}"] if evidence else []
        out.add_row(
            tried["changed"], *rmse, *shown, str(tried["coefficients"]), f"{tried['microseconds_per_atom']:.0f}", mark
        )
    return out


def _empty(title: str, first: str) -> RichTable:
    out = RichTable(title=title, title_justify="left")
    for column in (first, "n", "unit", "MAE", "RMSE", "sharpness", "within 1 std", "2 std", "NLL", "CRPS", "spearman"):
        out.add_column(column, justify="left" if column in (first, "unit") else "right")
    return out


def _add_row(out: RichTable, name: str, kind: str, values: dict[str, Any]) -> None:
    unit, factor = UNITS[kind]
    scaled = (f"{values[k] * factor:.4g}" for k in ("mae", "rmse", "sharpness"))
    out.add_row(
        name, str(values["n"]), unit, *scaled, f"{values['coverage_1sigma']:.3f}", f"{values['coverage_2sigma']:.3f}",
        f"{values['nll']:.2f}", f"{values['crps'] * factor:.4g}", f"{values['spearman']:.2f}",
    )  # fmt: skip


SHOWN_FAILURES = 3


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
        f"force std: tolerance {summary['tolerance_ev_per_a']:.3f} eV/Å, novel above {summary['novelty_ev_per_a']:.3f} eV/Å",
        f"time: {parts}; labels cost {summary['label_core_seconds']:.4g} core-seconds",
    ]
    if summary.get("to_approve"):
        lines.append(f"{summary['to_approve']} labels wait for your yes: snap-al approve DIR")
    for failure in summary["failures"][-SHOWN_FAILURES:]:
        lines.append(f"label failed: {failure['reason']} (labels/failed/{failure['job']}.json)")
    if summary["model_limited"]:
        lines.append(summary["model_limited"])
    walkers = RichTable(title="walkers", title_justify="left")
    for column in ("walker", "from", "status", "step", "segments", "last"):
        walkers.add_column(column, overflow="fold")
    for w in summary["walkers"]:
        walkers.add_row(
            str(w["walker"]), w["name"], w["status"], f"{w['step']}/{w['of']}", str(w["segments"]), w["reason"]
        )
    shown: list[RenderableType] = [Text("\n".join(lines)), walkers]
    if summary["learning_curve"]:
        last = summary["learning_curve"][-1]
        shown.append(errors_table(last["table"], f"last fit, on the {last['on']} set"))
    return Group(*shown)
