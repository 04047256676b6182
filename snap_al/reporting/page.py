"""One self-contained HTML page of a run or fit."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from snap_al import __version__
from snap_al.data.storage import write_atomically
from snap_al.loop.events import Opened
from snap_al.names import in_page
from snap_al.reporting.drawing import as_svg
from snap_al.reporting.figures import Figures
from snap_al.reporting.flagged import flagged_frames
from snap_al.reporting.record import Record
from snap_al.reporting.shown import UNITS, rounded
from snap_al.reporting.summary import summarise
from snap_al.reporting.validation import figures as validation_figures
from snap_al.uncertainty import ErrorTable, Metrics

HERE = Path(__file__).parent


def write_page(record: Record, figures: Figures) -> Path:
    """Writes report.html into the folder. Returns its path."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        finalize=in_page,
        undefined=jinja2.StrictUndefined,
    )
    summary = None if record.state is None else summarise(list(record.events), record.state)
    frames = flagged_frames(record)
    name = record.folder.resolve().name
    found = {} if record.validation is None else validation_figures(record.validation)
    page = environment.get_template("page.html").render(
        name=name,
        name_in_shell=shlex.quote(name),
        name_in_python=repr(name),
        version=__version__,
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        headline=_headline(record, summary),
        what=_what(record),
        summary=summary,
        errors=_errors(record),
        figures=_svgs(figures),
        remarks=record.remarks,
        frames=frames,
        frames_json=Markup(json.dumps(frames).replace("<", "\\u003c")),
        script=Markup((HERE / "structures.js").read_text(encoding="utf-8")),
        validation=record.validation,
        validation_figures=_svgs(found),
        files=_files(record),
        stem=record.stem,
        elements=[] if record.potential is None else record.potential.elements,
    )
    path = record.folder / "report.html"
    write_atomically(path, page)
    return path


def _svgs(figures: Figures) -> dict[str, Markup]:
    return {name: Markup(as_svg(figure)) for name, figure in figures.items()}


def _headline(record: Record, summary: dict[str, Any] | None) -> list[tuple[str, str]]:
    """The main numbers, at the top of the page."""
    entries = []
    if summary is not None:
        entries.append((str(summary["labels"]), "labels"))
    on, table = next(iter(record.tables.items()), ("", ErrorTable()))
    for kind, metrics in table.by_kind().items():
        unit, factor = UNITS[kind]
        entries.append((f"{rounded(metrics.rmse, 3, factor)} {unit}", f"RMSE of {kind}, {on} set"))
    if table.forces is not None and table.forces.coverage_1sigma is not None:
        share = f"{table.forces.coverage_1sigma:.0%}"
        entries.append((share, "of force components within 1 std (68 % is calibrated)"))
    return entries


def _what(record: Record) -> list[tuple[str, str]]:
    """A description of the run, as pairs of name and value."""
    entries: list[tuple[str, str]] = []
    if record.potential is not None:
        entries += [
            ("elements", ", ".join(record.potential.elements)),
            ("descriptor", record.potential.model.described()),
            ("reference potential", ", ".join(record.potential.reference.styles) or "none"),
            (
                "posterior",
                f"{record.potential.posterior.name}, {record.potential.posterior.n_rows} rows "
                "fitted",
            ),
        ]
    if record.config is not None and record.config.explore is not None:
        config, explore = record.config, record.config.explore
        opened = [e for e in record.events if isinstance(e, Opened)]
        stages = ", then ".join(
            f"{s.script or s.ensemble}, {s.temperature[0]:g} to {s.temperature[1]:g} K, "
            f"{s.steps * s.timestep:g} ps"
            for s in explore.protocol().stages
        )
        entries += [
            (
                "exploration",
                f"{len(record.state.walkers) if record.state else 0} walkers: {stages}",
            ),
            (
                "labeler",
                "labels from outside (backend: folder)"
                if config.label.backend == "folder"
                else f"{config.label.calculator}, {config.label.backend}",
            ),
            (
                "rule",
                f"{config.query.rule}, tolerance "
                f"{record.state.tolerance if record.state else 0:.3g} eV/Å on the largest force "
                "std",
            ),
            (
                "sessions",
                f"{len(opened)}, on {', '.join(sorted({str(e.ranks) for e in opened}))} ranks, "
                f"seed {config.seed}",
            ),
        ]
    return entries


def _errors(record: Record) -> list[dict[str, str]]:
    """Rows of the table of errors: each kind, and its groups."""
    rows = []
    for on, table in record.tables.items():
        for kind, metrics in table.by_kind().items():
            rows.append({"name": f"{on}, {kind}", "group": "", **_numbers(metrics, kind)})
            for name, part in (metrics.groups or {}).items():
                rows.append({"name": "", "group": name or "(no group)", **_numbers(part, kind)})
    return rows


def _numbers(metrics: Metrics, kind: str) -> dict[str, str]:
    """Numbers of a row of the table of errors; a dash for what an older file does not have."""
    unit, factor = UNITS[kind]
    shares = [metrics.coverage_1sigma, metrics.coverage_2sigma]
    one, two = ("-" if share is None else f"{share:.2f}" for share in shares)
    return {
        "unit": unit,
        "n": "-" if metrics.n is None else str(metrics.n),
        "mae": rounded(metrics.mae, 3, factor),
        "rmse": rounded(metrics.rmse, 3, factor),
        "std": rounded(metrics.sharpness, 3, factor),
        "one": one,
        "two": two,
    }


WHAT_FILES_ARE = (
    (
        "{stem}.mod",
        "include it in a LAMMPS input, after the box is made: pair style and coefficients, "
        "reference potential and all",
    ),
    ("{stem}.snapcoeff", "coefficients, as LAMMPS and FitSNAP read them"),
    ("{stem}.snapparam", "hyper-parameters, the same"),
    ("{stem}_std.mod", "include it as well: v_snap_std is each atom's energy std, in any LAMMPS"),
    ("{stem}_variance.snapcoeff", "each atom's energy variance as a quadratic SNAP"),
    (
        "posterior.npz",
        "mean and covariances of the coefficients: what snap_al.SnapCalculator reads",
    ),
    ("journal.jsonl", "what was queried, labelled, fitted and explored, in order"),
    ("metrics.json", "the numbers of this page, for programs"),
    ("figures", "the figures as PNG, the numbers as CSV"),
)


def _files(record: Record) -> list[tuple[str, str]]:
    named = [(name.format(stem=record.stem), text) for name, text in WHAT_FILES_ARE]
    return [(name, text) for name, text in named if (record.folder / name).exists()]
