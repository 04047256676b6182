"""The protocol of labelers, and the check of what they return."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from snap_al.data.configuration import Configuration, Label
from snap_al.errors import LabelError


class Labeler(Protocol):
    """Computes the reference energy (eV), forces (eV/Å) and, where it can, stress (eV/Å³) of a
    configuration.

    label() raises LabelError when it fails.
    """

    key: str
    """A text that identifies the labeler and all settings that change its labels."""

    def label(self, configuration: Configuration) -> Label: ...


def check_result(configuration: Configuration, label: Label) -> Label:
    """The label itself, or LabelError when it is not finite, incomplete, or of another number of
    atoms.
    """
    n = len(configuration)
    if label.energy is None or label.forces is None:
        raise LabelError("the labeler returned no energy or no forces")
    if np.shape(label.forces) != (n, 3):
        raise LabelError(f"forces of shape {np.shape(label.forces)} for {n} atoms")
    if label.stress is not None and np.shape(label.stress) != (6,):
        raise LabelError(f"stress of shape {np.shape(label.stress)}, expected 6 Voigt components")
    for kind, value in vars(label).items():
        if value is not None and not np.isfinite(value).all():
            raise LabelError(f"{kind} is not finite; do two atoms coincide?")
    return label
