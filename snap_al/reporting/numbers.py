"""The numbers behind the figures, as CSV: units are in the names of the columns, energies in eV,
lengths in Å.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from snap_al.data.rows import KIND_NAMES
from snap_al.data.storage import write_atomically
from snap_al.loop.events import Labelled, Rejected
from snap_al.names import csv_text
from snap_al.reporting.record import CSV_UNITS, Record
from snap_al.reporting.summary import wall_seconds
from snap_al.uncertainty.calibration import coverage_at

Row = Sequence[object]
LEARNING = ("labels", "set", "kind", "unit", "rmse", "rms_std", "within_1std", "within_2std")
ALONG = ("walker", "segment", "fit", "step", "largest_force_std_ev_per_a", "queried")
LABELS = (
    "query",
    "job",
    "walker",
    "step",
    "seconds",
    "core_seconds",
    "largest_force_ev_per_a",
    "rejected_because",
)


def write_numbers(record: Record) -> list[Path]:
    """Writes the numbers beside the figures, under the same names. Returns their paths."""
    tables: dict[str, tuple[Row, Iterable[Row]]] = {}
    if record.fits:
        tables["learning_curve"] = (LEARNING, _learning(record))
    if record.segments():
        tables["std_along_walkers"] = (ALONG, _along(record))
    if record.predictions is not None:
        tables["parity"] = (
            ("kind", "group", "unit", "reference", "predicted", "std"),
            _parity(record),
        )
        tables["calibration"] = (("kind", "probability", "share_inside"), _calibration(record))
    if record.events:
        tables["time"] = (("part", "wall_seconds"), wall_seconds(list(record.events)).items())
        tables["labels"] = (LABELS, _labels(record))
    return [
        _write(record.folder / "figures" / f"{name}.csv", *table) for name, table in tables.items()
    ]


def _write(path: Path, columns: Row, rows: Iterable[Row]) -> Path:
    write_atomically(path, csv_text([columns, *rows]))
    return path


def _learning(record: Record) -> Iterator[Row]:
    for e in record.fits:
        for kind, m in e.table.by_kind().items():
            unit = CSV_UNITS[KIND_NAMES.index(kind)][0]
            numbers = (m.rmse, m.sharpness, m.coverage_1sigma, m.coverage_2sigma)
            yield (e.labels, e.measured_on, kind, unit, *numbers)


def _along(record: Record) -> Iterator[Row]:
    for w in record.segments():
        asked = {q.step for q in w.queries}
        for c in record.directory.read_checks(w.walker, w.segment):
            yield w.walker, w.segment, w.fit, c.step, c.force_std, int(c.step in asked)


def _parity(record: Record) -> Iterator[Row]:
    predictions = record.predictions
    assert predictions is not None
    for kind in predictions.present:
        rows, (unit, factor) = predictions.of(kind), CSV_UNITS[kind]
        for group, *values in zip(rows.groups, rows.targets, rows.mean, rows.std, strict=True):
            yield (
                KIND_NAMES[kind],
                predictions.names[group],
                unit,
                *(f"{factor * v:.9g}" for v in values),
            )


def _calibration(record: Record) -> Iterator[Row]:
    predictions = record.predictions
    assert predictions is not None
    for kind in predictions.present:
        rows = predictions.of(kind)
        yield from (
            (KIND_NAMES[kind], f"{level:g}", share)
            for level, share in coverage_at(rows.mean - rows.targets, rows.std).items()
        )


def _labels(record: Record) -> Iterator[Row]:
    for e in record.labels:
        where = (e.walker, e.step) if isinstance(e, Labelled) else ("", "")
        seconds = (e.seconds, "" if e.core_seconds is None else e.core_seconds)
        yield e.query, e.job or "", *where, *seconds, *_outcome(e)


def _outcome(label: Labelled | Rejected) -> Row:
    """The largest force, and the reason when the label was rejected."""
    if isinstance(label, Rejected):
        return "", label.reason
    return label.max_force, ""
