"""Errors and calibration: coverage, negative log likelihood, CRPS, rank correlation of std and
|error|.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from snap_al.data.rows import KIND_NAMES, TO_USER_UNITS
from snap_al.inference import Prediction
from snap_al.uncertainty.calibration import calibration, normal_cdf

Array = NDArray[np.float64]
Table = dict[str, dict[str, Any]]
"""Rows are in eV/atom, eV/Å and bar; tables in eV/atom, eV/Å and eV/Å³."""


def kind_metrics(error: Array, std: Array) -> dict[str, Any]:
    """error: prediction minus truth, std: of the whole prediction, (m,) in one unit. Coverage of ±1
    and ±2 std; nll and crps of a Gaussian; spearman of std and |error|; and what `calibration`
    gives.

    CRPS: Gneiting and Raftery, J. Am. Stat. Assoc. 102, 359 (2007), eq. 21. A std of zero makes nll
    infinite.
    """
    size = np.abs(error)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(size > 0, size / std, 0.0)
        nll = 0.5 * z**2 + np.log(std) + 0.5 * np.log(2.0 * np.pi)
        density = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
        crps = np.where(
            std > 0,
            std * (z * (2.0 * normal_cdf(z) - 1.0) + 2.0 * density - 1.0 / np.sqrt(np.pi)),
            size,
        )
    varied = len(error) > 2 and np.ptp(std) > 0 and np.ptp(size) > 0
    return {
        "n": len(error),
        "mae": float(size.mean()),
        "rmse": float(np.sqrt(np.mean(error**2))),
        "coverage_1sigma": float(np.mean(z <= 1.0)),
        "coverage_2sigma": float(np.mean(z <= 2.0)),
        "nll": float(nll.mean()),
        "crps": float(crps.mean()),
        "spearman": float(np.corrcoef(_ranks(std), _ranks(size))[0, 1]) if varied else 0.0,
        **calibration(error, std),
    }


def _ranks(values: Array) -> Array:
    """(m,) ranks, for Spearman's correlation. Equal values have their mean rank."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - 0.5 * (counts - 1))[which])


def evaluate_predictions(prediction: Prediction, targets: Array, kinds: NDArray[np.int8]) -> Table:
    """One table of `kind_metrics` per kind that has rows, in eV/atom, eV/Å, eV/Å³. All arguments
    (m,).
    """
    table: Table = {}
    for kind, (name, unit) in enumerate(zip(KIND_NAMES, TO_USER_UNITS, strict=True)):
        here = kinds == kind
        if here.any():
            error = (prediction.mean - targets)[here] * unit
            table[name] = kind_metrics(error, prediction.total_std[here] * unit)
    return table
