"""Errors and calibration of predictions against labels."""

from snap_al.uncertainty.calibration import scale_factor, wilson
from snap_al.uncertainty.error_table import ErrorTable, KindMetrics, Metrics, VanishingMetrics
from snap_al.uncertainty.evaluated import Evaluated
from snap_al.uncertainty.metrics import evaluate_predictions, kind_metrics

__all__ = [
    "ErrorTable",
    "Evaluated",
    "KindMetrics",
    "Metrics",
    "VanishingMetrics",
    "evaluate_predictions",
    "kind_metrics",
    "scale_factor",
    "wilson",
]
