"""Predictions of labelled rows, gathered from all ranks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snap_al.data import LabelledConfiguration
from snap_al.descriptors import DesignMatrix, Rows, RowSource
from snap_al.inference import Posterior, RowErrors
from snap_al.parallel import Communicator
from snap_al.progress import Report, silent
from snap_al.uncertainty import Evaluated


def predicted(slabs: Sequence[Rows], posterior: Posterior, comm: Communicator) -> Evaluated:
    """Predictions of the labelled rows of all ranks. Collective."""
    local = []
    for rows in slabs:
        kinds, m = rows.index["kind"], rows.labelled
        p = posterior.predict(rows.values, kinds=kinds)
        local.append(
            _labelled(rows)
            + tuple(x[m] for x in (p.mean, p.epistemic_std, p.model_error_std, p.noise_std))
        )
    return _gathered(local, comm)


def row_errors(
    slabs: Sequence[Rows], errors: Sequence[RowErrors], posterior: Posterior, comm: Communicator
) -> Evaluated:
    """The same, from the residuals of a fit on its own rows. Collective."""
    local = []
    for rows, error in zip(slabs, errors, strict=True):
        m = rows.labelled
        weights = rows.weights[m]
        mean = rows.targets[m] - error.residuals[m] / weights
        kinds = rows.index["kind"][m]
        factor, noise = posterior.recalibration[kinds], posterior.noise_by_kind[kinds]
        stds = (error.epistemic_std[m] / weights, error.model_error_std[m] / weights, noise)
        local.append((*_labelled(rows), mean, *(factor * std for std in stds)))
    return _gathered(local, comm)


def _labelled(rows: Rows) -> tuple[NDArray[Any], ...]:
    m = rows.labelled
    return (
        rows.index["kind"][m],
        rows.index["group"][m],
        rows.targets[m],
        rows.weights[m],
        rows.vanishing[m],
    )


def _gathered(local: Sequence[tuple[NDArray[Any], ...]], comm: Communicator) -> Evaluated:
    columns = [np.concatenate(column) for column in zip(*local, strict=True)]
    return Evaluated(
        *(np.concatenate(column) for column in zip(*comm.allgather(columns), strict=True))
    )


class TestSet:
    """Labelled configurations that are never fitted. Their rows are computed once. Every method is
    collective."""

    def __init__(self, source: RowSource, comm: Communicator, folder: Path | None = None) -> None:
        self._comm = comm
        self.matrix = DesignMatrix(source, comm, folder)

    def add(
        self,
        given: Sequence[LabelledConfiguration],
        *,
        strict: bool = True,
        report: Report = silent,
    ) -> list[str]:
        """Adds configurations, see DesignMatrix.append."""
        return self.matrix.append(given, strict=strict, report=report)

    def __bool__(self) -> bool:
        return bool(self.matrix.items)

    def evaluate(self, posterior: Posterior) -> Evaluated:
        return predicted(self.matrix.slabs(), posterior, self._comm)
