"""Errors and calibration of predictions against labels."""

from snap_al.uncertainty.calibration import scale_factor, wilson
from snap_al.uncertainty.evaluated import Evaluated
from snap_al.uncertainty.metrics import Table, evaluate_predictions, kind_metrics

__all__ = ["Evaluated", "Table", "evaluate_predictions", "kind_metrics", "scale_factor", "wilson"]
