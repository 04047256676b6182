"""Labelled rows and their predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snap_al.data.rows import KIND_NAMES, TO_USER_UNITS
from snap_al.inference import Prediction
from snap_al.uncertainty.calibration import scale_factor
from snap_al.uncertainty.error_table import ErrorTable, Metrics, VanishingMetrics
from snap_al.uncertainty.metrics import evaluate_predictions, group_metrics

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Evaluated:
    """Labelled rows (m,) and their predictions, in the units of rows."""

    kinds: NDArray[np.int8]
    """Kind of each row."""
    groups: NDArray[np.int32]
    """Number of the group of each row."""
    targets: Array
    """Labels."""
    weights: Array
    """Weights."""
    vanishing: NDArray[np.bool_]
    """Whether the row vanishes by symmetry."""
    mean: Array
    """Predicted mean."""
    epistemic_std: Array
    """Std from the uncertainty of the coefficients."""
    model_error_std: Array
    """Std of the model error."""
    noise_std: Array
    """Reference noise of the kind."""

    @property
    def prediction(self) -> Prediction:
        return Prediction(self.mean, self.epistemic_std, self.model_error_std, self.noise_std)

    def counted(self) -> Evaluated:
        """The same without the rows that vanish by symmetry, which calibration does not count."""
        return Evaluated(*(getattr(self, f.name)[~self.vanishing] for f in fields(self)))

    def table(self, groups: Sequence[str] = ()) -> ErrorTable:
        """Errors and calibration by kind. Rows that vanish by symmetry are counted separately.

        groups: names of the group numbers; with more than one, each kind has the metrics of each
        group as well.
        """
        counted = self.counted()
        table = evaluate_predictions(counted.prediction, counted.targets, counted.kinds)
        found = {}
        for name, metrics in table.by_kind().items():
            kind = KIND_NAMES.index(name)
            by_group = counted._by_group(kind, groups) if len(groups) > 1 else None
            found[name] = replace(metrics, vanishing=self._vanishing(kind), groups=by_group)
        return ErrorTable(**found)

    def _vanishing(self, kind: int) -> VanishingMetrics | None:
        """Rows of the kind that vanish by symmetry; None where there are none."""
        here = self.vanishing & (self.kinds == kind)
        if not here.any():
            return None
        error = (self.mean - self.targets)[here] * TO_USER_UNITS[kind]
        return VanishingMetrics(int(here.sum()), float(np.sqrt(np.mean(error**2))))

    def _by_group(self, kind: int, groups: Sequence[str]) -> dict[str, Metrics]:
        """Metrics of each group that has rows of the kind."""
        found, unit = {}, TO_USER_UNITS[kind]
        for number, name in enumerate(groups):
            here = (self.kinds == kind) & (self.groups == number)
            if here.any():
                error = (self.mean - self.targets)[here] * unit
                found[name] = group_metrics(error, self.prediction.total_std[here] * unit)
        return found

    def to_bytes(self, groups: Sequence[str]) -> bytes:
        """npz without pickle of what calibration counts, for figures. groups: names of the group
        numbers.
        """
        counted, buffer = self.counted(), BytesIO()
        stored: dict[str, Any] = {
            "kinds": counted.kinds,
            "groups": counted.groups,
            "names": np.array(list(groups), dtype=str),
        }
        np.savez_compressed(buffer, targets=counted.targets, **stored, **vars(counted.prediction))
        return buffer.getvalue()

    def scale_factors(self) -> Array:
        """(3,) factors of the recalibration of stds, by kind; 1 where a kind has no rows."""
        counted, factors = self.counted(), np.ones(3)
        for kind in range(3):
            here = counted.kinds == kind
            if here.any():
                error = (counted.mean - counted.targets)[here]
                factors[kind] = scale_factor(error, counted.prediction.total_std[here])
        return factors
