"""Files that FitSNAP's users expect of a fit: metrics by group, the posterior over all of LAMMPS'
columns, and dumps.
"""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snap_al.data.storage import write_atomically
from snap_al.descriptors import Columns
from snap_al.fitsnap.deck import Deck
from snap_al.inference import Posterior
from snap_al.names import csv_text
from snap_al.uncertainty import Evaluated

Array = NDArray[np.float64]
KINDS = ("Energy", "Force", "Stress")
"""FitSNAP's names of the kinds of rows."""
NAMES = ("ncount", "mae", "rmse", "rsq")


Metrics = list[tuple[tuple[str, ...], int, float, float, float]]
"""Of each line: its name (group, Unweighted or Weighted, kind), count, MAE, RMSE, R²."""


def metrics_of(rows: Evaluated, names: list[str], *, testing: bool = False) -> Metrics:
    """FitSNAP's table for all rows and for each group. Lines of a test set have Testing in their
    names.

    names: of the groups, by number. Units are those of the rows: eV/atom, eV/Å, bar.
    """
    errors = rows.mean - rows.targets
    present = sorted((names[g], int(g)) for g in np.unique(rows.groups))
    table: Metrics = []
    for name, number in [("*ALL", -1), *present]:
        in_group = np.full(len(errors), True) if number < 0 else rows.groups == number
        for weighting in ("Unweighted", "Weighted"):
            for kind, kind_name in enumerate(KINDS):
                here = in_group & (rows.kinds == kind)
                if here.any():
                    scale = (
                        rows.weights[here] if weighting == "Weighted" else np.ones(int(here.sum()))
                    )
                    summary = _summary(errors[here] * scale, rows.targets[here] * scale)
                    set_name = ("Testing",) if testing else ()
                    table.append(((name, weighting, *set_name, kind_name), *summary))
    return table


def _summary(error: Array, target: Array) -> tuple[int, float, float, float]:
    with np.errstate(divide="ignore", invalid="ignore"):
        r2 = 1.0 - np.sum(error**2) / np.sum((target - target.mean()) ** 2)
    return len(error), float(np.abs(error).mean()), float(np.sqrt(np.mean(error**2))), float(r2)


def write_metrics(deck: Deck, folder: Path, rows: Metrics) -> None:
    """In the deck's metrics_style."""
    write_atomically(
        folder / deck.metrics,
        {"MD": markdown, "JSON": _json}.get(deck.metrics_style, _table)(rows, deck),
    )


def markdown(rows: Metrics, deck: Deck | None = None) -> str:
    """FitSNAP's table of errors, as its metrics file has it."""
    lines = ["| | ncount | mae | rmse | rsq |", "|:--|--:|--:|--:|--:|"]
    lines += [
        f"| {name} | {n} | {mae:.8g} | {rmse:.8g} | {r2:.8g} |" for name, n, mae, rmse, r2 in rows
    ]
    return "\n".join(lines) + "\n"


def _table(rows: Metrics, deck: Deck) -> str:
    separator = "," if deck.metrics_style == "CSV" else " "
    lines: list[list[object]] = [["Group", "Weighting", "Subsystem", *NAMES]]
    for name, n, mae, rmse, r2 in rows:
        group, weighting, *others = name
        errors = (f"{x:.8f}" for x in (mae, rmse, r2))
        lines.append([group, weighting, "_".join(others), n, *errors])
    return csv_text(lines, separator)


def _json(rows: Metrics, deck: Deck) -> str:
    """By column, as pandas writes it: {"mae": {"('Group', 'Weighting', 'Kind')": …}}. What is no
    number becomes null.
    """
    columns = {
        name: {str(row[0]): row[1 + k] if np.isfinite(row[1 + k]) else None for row in rows}
        for k, name in enumerate(NAMES)
    }
    return json.dumps(columns) + "\n"


def write_posterior(deck: Deck, folder: Path, posterior: Posterior) -> None:
    """mean.npy (n_all,) and covariance.npy (n_all, n_all), model error included, over all columns
    in FitSNAP's order; with [SOLVER] nsam also samples.npy (nsam, n_all), drawn with the deck's
    seed."""
    spread = Columns.of(deck.settings).spread
    write_array(folder / "mean.npy", spread @ posterior.mean)
    write_array(folder / "covariance.npy", spread @ posterior.covariance @ spread.T)
    if deck.samples:
        rng = np.random.default_rng(deck.random_seed or 0)
        write_array(folder / "samples.npy", posterior.sample(deck.samples, rng) @ spread.T)


def write_array(path: Path, array: NDArray[np.generic]) -> None:
    buffer = BytesIO()
    np.save(buffer, array, allow_pickle=False)
    write_atomically(path, buffer.getvalue())
