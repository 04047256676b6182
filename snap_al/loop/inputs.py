"""Everything that a run reads from the user's files: read and checked once, before anything is written or paid for."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from snap_al.data.configuration import Configuration
from snap_al.data.readers import read_configurations
from snap_al.data.weights import Weights
from snap_al.descriptors import LabelledConfiguration, ReferencePotential
from snap_al.errors import InputError
from snap_al.fitsnap import read_deck, scrape
from snap_al.loop.settings import RunConfig, TrainingSource
from snap_al.sessions import check_script


@dataclass(frozen=True)
class RunInputs:
    """digests: content of each file, by where the config names it; a resumed run must find the same."""

    reference: ReferencePotential
    training: tuple[LabelledConfiguration, ...]
    test: tuple[LabelledConfiguration, ...]
    start: tuple[Configuration, ...]
    walkers: tuple[Configuration, ...]
    digests: dict[str, str]


def read_inputs(config: RunConfig) -> RunInputs:
    """Raises InputError naming file and frame. Run by one rank; the result travels."""
    elements = config.descriptor.elements
    given = scrape(read_deck(config.fitsnap)) if config.fitsnap is not None else []
    training = [item for source in config.training for item in _labelled(source, elements)]
    test = [item for path in config.test for item in _labelled(TrainingSource(path=path), elements, UNIT_WEIGHTS)]
    inputs = RunInputs(
        reference=ReferencePotential.parse(list(config.reference)),
        training=(*(item for item in given if not item.testing), *training),
        test=(*(item for item in given if item.testing), *test),
        start=tuple(config.start.configurations(elements, config.seed)),
        walkers=tuple(_walkers(config)),
        digests={},
    )
    if len(inputs.start) > config.stop.max_labels:
        raise InputError(
            f"start: {len(inputs.start)} configurations to label, and stop.max_labels is {config.stop.max_labels}"
        )
    for where, path in _files(config).items():
        inputs.digests[where] = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return inputs


UNIT_WEIGHTS = Weights(1.0, 1.0, 1.0)
"""Test rows are not fitted; their weights only must not be zero."""


def _labelled(
    source: TrainingSource, elements: tuple[str, ...], weights: Weights | None = None
) -> list[LabelledConfiguration]:
    group = source.group or source.path.stem
    found = read_configurations(source.path, elements, labelled=True)
    return [LabelledConfiguration(c, weights or source.weights, group, source.damping) for c in found]


def _walkers(config: RunConfig) -> list[Configuration]:
    """One per frame of every structure file. Raises InputError for an open boundary, which MD has not yet."""
    if config.explore is None:
        return []
    check_script(config.explore.script_path())
    structures = [c for source in config.explore.walkers for c in source.read(config.descriptor.elements)]
    for c in structures:
        if not all(c.pbc):
            raise InputError(
                f"{c.name}: a walker's structure must be periodic in all directions; add vacuum and set pbc"
            )
    if not (config.fitsnap or config.training or config.start.structures or config.start.dimers):
        raise InputError("start: nothing to begin with; give start.structures to label, or training files")
    return structures


def _files(config: RunConfig) -> dict[str, Path]:
    found = {f"training.{n}.path": s.path for n, s in enumerate(config.training)}
    if config.fitsnap is not None:
        found["fitsnap"] = config.fitsnap
    found |= {f"test.{n}": path for n, path in enumerate(config.test)}
    found |= {f"start.structures.{n}.structure": s.structure for n, s in enumerate(config.start.structures)}
    if config.explore is not None:
        found |= {f"explore.walkers.{n}.structure": s.structure for n, s in enumerate(config.explore.walkers)}
        found["explore.script"] = config.explore.script_path()
    return found
