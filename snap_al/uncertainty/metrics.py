"""Errors and calibration: coverage, negative log likelihood, CRPS, rank correlation of std and
|error|.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snap_al.data.rows import KIND_NAMES, TO_USER_UNITS
from snap_al.inference import Prediction
from snap_al.uncertainty.calibration import coverage_at, normal_cdf, pit_histogram
from snap_al.uncertainty.error_table import ErrorTable, KindMetrics, Metrics

Array = NDArray[np.float64]


def kind_metrics(error: Array, std: Array) -> KindMetrics:
    """Errors and calibration of all rows of one kind.

    Parameters
    ----------
    error : (m,) array
        Prediction minus truth, in the unit of the result.
    std : (m,) array
        Total std of each prediction, in the same unit. The negative log likelihood is not
        finite where a std is zero.

    Returns
    -------
    KindMetrics
        Errors, scores of a Gaussian, coverage at all levels and the histogram of the probability
        integral transform.
    """
    few = group_metrics(error, std)
    coverage, pit = coverage_at(error, std), pit_histogram(error, std)
    return KindMetrics(**vars(few), coverage=coverage, pit=pit)


def group_metrics(error: Array, std: Array) -> Metrics:
    """The same without coverage at all levels and the histogram.

    CRPS: Gneiting and Raftery, J. Am. Stat. Assoc. 102, 359 (2007), eq. 21.
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
    return Metrics(
        n=len(error),
        mae=float(size.mean()),
        rmse=float(np.sqrt(np.mean(error**2))),
        coverage_1sigma=float(np.mean(z <= 1.0)),
        coverage_2sigma=float(np.mean(z <= 2.0)),
        nll=float(nll.mean()),
        crps=float(crps.mean()),
        spearman=float(np.corrcoef(_ranks(std), _ranks(size))[0, 1]) if varied else 0.0,
        sharpness=float(np.sqrt(np.mean(std**2))),
    )


def _ranks(values: Array) -> Array:
    """(m,) ranks, for Spearman's correlation. Equal values have their mean rank."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - 0.5 * (counts - 1))[which])


def evaluate_predictions(
    prediction: Prediction, targets: Array, kinds: NDArray[np.int8]
) -> ErrorTable:
    """Errors and calibration of each kind that has rows.

    Parameters
    ----------
    prediction : Prediction
        Means and stds of m rows, in eV/atom, eV/Å and bar.
    targets : (m,) array
        Labels of the rows, in the same units.
    kinds : (m,) array
        Kind of each row: 0 energy, 1 force, 2 stress.

    Returns
    -------
    ErrorTable
        In eV/atom, eV/Å and eV/Å³.
    """
    found = {}
    for kind, (name, unit) in enumerate(zip(KIND_NAMES, TO_USER_UNITS, strict=True)):
        here = kinds == kind
        if here.any():
            error = (prediction.mean - targets)[here] * unit
            found[name] = kind_metrics(error, prediction.total_std[here] * unit)
    return ErrorTable(**found)
