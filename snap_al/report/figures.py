"""All figures of a run or fit, as PNG files and as SVG for a page that is light or dark."""

from __future__ import annotations

import re
from io import BytesIO, StringIO
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from snap_al.data.storage import write_atomically
from snap_al.report.prediction_figures import calibration, parity, std_histogram
from snap_al.report.record import Record
from snap_al.report.run_figures import learning_curve, std_along_walkers, where_time_went

INK = "var(--ink)"


def figures_of(record: Record) -> dict[str, Figure]:
    """Those that there is data for, by name."""
    matplotlib.use("Agg")
    found = {
        "std_along_walkers": std_along_walkers(record),
        "learning_curve": learning_curve(record),
        "parity": parity(record.predictions),
        "calibration": calibration(record.predictions),
        "std_histogram": std_histogram(record.predictions),
        "time": where_time_went(record),
    }
    return {name: figure for name, figure in found.items() if figure is not None}


def write_figures(record: Record) -> list[Path]:
    """PNG, into figures/. Returns their paths."""
    paths = []
    for name, figure in figures_of(record).items():
        paths.append(record.folder / "figures" / f"{name}.png")
        buffer = BytesIO()
        figure.savefig(buffer, format="png", dpi=130)
        write_atomically(paths[-1], buffer.getvalue())
    return paths


def as_svg(figure: Figure) -> str:
    """For use within HTML: text and axes take the page's own colour, --ink; the background is the page's."""
    text = StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "snap_al"}):
        figure.savefig(text, format="svg", transparent=True, dpi=160)
    svg = text.getvalue()[text.getvalue().index("<svg") :]
    svg = re.sub("<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = svg.replace("#000000", INK).replace("#cccccc", "var(--rule)").replace("#ffffff", "var(--paper)")
    width, height = re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', svg).groups()  # type: ignore[union-attr]
    return svg.replace(f'width="{width}pt" height="{height}pt"', f'style="max-width: {width}pt"', 1)
