"""A figure as a PNG file, and as SVG for a page that is light or dark."""

from __future__ import annotations

import re
from io import BytesIO, StringIO
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from snap_al.data.storage import write_atomically

COLOURS = {"#000000": "var(--ink)", "#cccccc": "var(--rule)", "#ffffff": "var(--paper)"}
"""The page's colours in place of matplotlib's."""


def write_png(path: Path, figure: Figure) -> None:
    """Writes a PNG file, either completely or not at all."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    write_atomically(path, buffer.getvalue())


def as_svg(figure: Figure) -> str:
    """The figure for use within HTML. Text and axes have the page's colour of text, --ink, and the
    background is transparent."""
    text = StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "snap_al"}):
        figure.savefig(text, format="svg", transparent=True, dpi=160)
    svg = text.getvalue()[text.getvalue().index("<svg") :]
    svg = re.sub("<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub("<[^>]*>", lambda tag: _recoloured(tag[0]), svg)
    match = re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', svg)
    width, height = match.groups()  # type: ignore[union-attr]
    return svg.replace(f'width="{width}pt" height="{height}pt"', f'style="max-width: {width}pt"', 1)


def _recoloured(tag: str) -> str:
    for colour, variable in COLOURS.items():
        tag = tag.replace(colour, variable)
    return tag
