"""Labelled rows next to what is predicted for them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from snap_al.fit import Prediction
from snap_al.uncertainty.metrics import Table, evaluate_predictions

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Evaluated:
    """Labelled rows (m,) in the units of rows: kinds, group numbers, targets, weights, vanishing by symmetry, and what is
    predicted with the reference noise of their kind."""

    kinds: NDArray[np.int8]
    groups: NDArray[np.int32]
    targets: Array
    weights: Array
    vanishing: NDArray[np.bool_]
    mean: Array
    epistemic_std: Array
    model_error_std: Array
    noise_std: Array

    @property
    def prediction(self) -> Prediction:
        return Prediction(self.mean, self.epistemic_std, self.model_error_std, self.noise_std)

    def counted(self) -> Evaluated:
        """Without the rows that vanish by symmetry: what calibration counts."""
        return Evaluated(*(getattr(self, f.name)[~self.vanishing] for f in fields(self)))

    def table(self) -> Table:
        counted = self.counted()
        return evaluate_predictions(counted.prediction, counted.targets, counted.kinds)
