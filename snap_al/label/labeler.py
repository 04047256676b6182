"""The Labeler protocol, what every label must satisfy, and the contract suite for labelers of third parties."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from snap_al.data.configuration import Configuration, Label
from snap_al.errors import LabelError


class Labeler(Protocol):
    """Computes the reference energy (eV), forces (eV/Å) and, where it can, stress (eV/Å³) of a configuration.

    key: a text that names the labeler and all settings that change its labels. label() raises LabelError when it fails.
    """

    key: str

    def label(self, configuration: Configuration) -> Label: ...


def check_result(configuration: Configuration, label: Label) -> Label:
    """The label itself, or LabelError when it is not finite, incomplete, or of another number of atoms."""
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


def validate_labeler(labeler: Labeler, configuration: Configuration, displacement: float = 1e-4) -> None:
    """The contract that every labeler must keep, tried on one configuration. Raises AssertionError saying what broke.

    The label is complete and finite; asking twice gives the same; nothing given is changed; forces are minus the
    gradient of the energy (central difference along one random direction, to 1 %); translation changes nothing.
    """
    before = configuration.key
    label = check_result(configuration, labeler.label(configuration))
    assert configuration.key == before, "the labeler changed the configuration it was given"
    again = labeler.label(configuration)
    assert label.energy is not None
    assert label.forces is not None
    assert again.energy is not None
    scale = 1e-8 * max(1.0, abs(label.energy))
    assert abs(again.energy - label.energy) <= scale, "asked twice, the labeler gave two energies"
    direction = np.random.default_rng(0).standard_normal(configuration.positions.shape)
    direction /= np.linalg.norm(direction)
    energies = [
        labeler.label(_moved(configuration, sign * displacement * direction)).energy or 0.0 for sign in (1.0, -1.0)
    ]
    slope = (energies[0] - energies[1]) / (2.0 * displacement)
    along = -float(np.sum(label.forces * direction))
    size = float(np.linalg.norm(label.forces))
    assert abs(slope - along) <= 0.01 * size + 1e-3, f"forces are not the energy's gradient: {along} and {slope} eV/Å"
    shifted = labeler.label(_moved(configuration, np.full((1, 3), 0.3)))
    assert abs((shifted.energy or 0.0) - label.energy) <= 1e3 * scale, "a translation changed the energy"


def _moved(configuration: Configuration, by: np.ndarray) -> Configuration:
    return Configuration(configuration.cell, configuration.positions + by, configuration.species, configuration.pbc)
