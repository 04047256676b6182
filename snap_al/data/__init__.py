"""Configurations, labels, weights, and the files they come from."""

from snap_al.data.configuration import Configuration, Label, check_configuration, check_label, voigt
from snap_al.data.labelled import LabelledConfiguration, Weighting
from snap_al.data.weights import Damping, Weights

__all__ = [
    "Configuration",
    "Damping",
    "Label",
    "LabelledConfiguration",
    "Weighting",
    "Weights",
    "check_configuration",
    "check_label",
    "voigt",
]
