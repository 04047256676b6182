"""Contracts that labelers and label backends must keep, ours and those of third parties. Each
raises AssertionError saying what broke."""

from __future__ import annotations

import time

import numpy as np

from snap_al.data.configuration import Configuration
from snap_al.label.backend import LabelBackend
from snap_al.label.labeler import Labeler, check_result


def validate_labeler(
    labeler: Labeler, configuration: Configuration, displacement: float = 1e-4
) -> None:
    """The contract that every labeler must keep, tried on one configuration. Raises AssertionError
    saying what broke.

    The label is complete and finite; asking twice gives the same; nothing given is changed; forces
    are minus the gradient of the energy (central difference along one random direction, to 1 %);
    translation changes nothing.
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
        labeler.label(_moved(configuration, sign * displacement * direction)).energy or 0.0
        for sign in (1.0, -1.0)
    ]
    slope = (energies[0] - energies[1]) / (2.0 * displacement)
    along = -float(np.sum(label.forces * direction))
    size = float(np.linalg.norm(label.forces))
    assert abs(slope - along) <= 0.01 * size + 1e-3, (
        f"forces are not the energy's gradient: {along} and {slope} eV/Å"
    )
    shifted = labeler.label(_moved(configuration, np.full((1, 3), 0.3)))
    assert abs((shifted.energy or 0.0) - label.energy) <= 1e3 * scale, (
        "a translation changed the energy"
    )


def validate_backend(
    backend: LabelBackend, configuration: Configuration, patience: float = 60.0
) -> None:
    """The contract of a backend, tried on one configuration that can be labelled.

    Asking twice is one job; what was never asked for is not there; the result comes within
    `patience` seconds, is a label of what was asked for, and stays the same; another structure is
    another job.
    """
    assert backend.poll("never-submitted", configuration) is None, (
        "a job that was never submitted has a result"
    )
    job = backend.submit(configuration)
    assert backend.submit(configuration) == job, "the same request became two jobs"
    deadline = time.monotonic() + patience
    while (result := backend.poll(job, configuration)) is None:
        assert time.monotonic() < deadline, f"no result within {patience} s"
        time.sleep(0.05)
    assert result.job == job, "the result names another job"
    assert result.label is not None, f"the label failed: {result.reason}"
    check_result(configuration, result.label)
    again = backend.poll(job, configuration)
    assert again is not None, "a finished label is gone"
    assert again.label is not None, "a finished label has failed"
    assert again.label.energy == result.label.energy, "asked twice, the backend gave two labels"
    moved = _moved(configuration, np.full((1, 3), 0.01))
    assert backend.submit(moved) != job, "two structures share a job"


def _moved(configuration: Configuration, by: np.ndarray) -> Configuration:
    return Configuration(
        configuration.cell, configuration.positions + by, configuration.species, configuration.pbc
    )
