"""Files that FitSNAP's users expect of a fit: metrics by group, and the posterior over all of LAMMPS' columns."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snap_al.data.storage import write_atomically
from snap_al.descriptors import Columns, SnapSettings
from snap_al.descriptors.design_matrix import Rows
from snap_al.fit import Posterior
from snap_al.parallel import Communicator

Array = NDArray[np.float64]
KINDS = ("Energy", "Force", "Stress")


Metrics = list[tuple[str, str, str, int, float, float, float]]


def metrics_of(rows: Rows, names: list[str], posterior: Posterior, comm: Communicator) -> Metrics:
    """FitSNAP's table: (group, Unweighted or Weighted, kind, count, mae, rmse, R²) for all rows and for each group.

    rows: this rank's fitted rows, those that vanish by symmetry among them. names: of the groups, by index. Units are
    those of the rows: eV/atom, eV/Å, bar. Collective.
    """
    errors = rows.values @ posterior.mean - rows.targets
    parts = comm.allgather((errors, rows.targets, rows.weights, rows.index["kind"], rows.index["group"]))
    errors, targets, weights, kinds, indices = (np.concatenate(p) for p in zip(*parts, strict=True))
    groups = np.array(names)[indices]
    table: Metrics = []
    for group in ("*ALL", *dict.fromkeys(sorted(groups.tolist()))):
        for weighting in ("Unweighted", "Weighted"):
            for number, kind in enumerate(KINDS):
                here = (kinds == number) & ((groups == group) if group != "*ALL" else True)
                if here.any():
                    scale = weights[here] if weighting == "Weighted" else np.ones(int(here.sum()))
                    table.append((group, weighting, kind, *_summary(errors[here] * scale, targets[here] * scale)))
    return table


def _summary(error: Array, target: Array) -> tuple[int, float, float, float]:
    with np.errstate(divide="ignore", invalid="ignore"):
        r2 = 1.0 - np.sum(error**2) / np.sum((target - target.mean()) ** 2)
    return len(error), float(np.abs(error).mean()), float(np.sqrt(np.mean(error**2))), float(r2)


def markdown(rows: Metrics) -> str:
    lines = ["| | ncount | mae | rmse | rsq |", "|:--|--:|--:|--:|--:|"]
    lines += [
        f"| ('{group}', '{weighting}', '{kind}') | {n} | {mae:.8g} | {rmse:.8g} | {r2:.8g} |"
        for group, weighting, kind, n, mae, rmse, r2 in rows
    ]
    return "\n".join(lines) + "\n"


def write_posterior_arrays(folder: Path, settings: SnapSettings, posterior: Posterior) -> None:
    """mean.npy (n_all,) and covariance.npy (n_all, n_all), model error included, over all columns in FitSNAP's order."""
    spread = Columns.of(settings).spread
    for name, array in (("mean", spread @ posterior.mean), ("covariance", spread @ posterior.covariance @ spread.T)):
        buffer = BytesIO()
        np.save(buffer, array, allow_pickle=False)
        write_atomically(folder / f"{name}.npy", buffer.getvalue())
