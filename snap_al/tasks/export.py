"""The labels that a run bought, for FitSNAP."""

from __future__ import annotations

from pathlib import Path

from snap_al.config import read_run
from snap_al.descriptors import ReferencePotential
from snap_al.fitsnap import export as write_training_set
from snap_al.loop import RunDirectory
from snap_al.tasks.bought import labels_of_run


def export(folder: Path | str, out: Path | str) -> tuple[int, Path]:
    """Writes the labels of the run in `folder` as FitSNAP JSON groups with a deck into `out`. Runs
    on one rank.

    Returns their number and the deck's path. Raises InputError when there is no run or no label.
    """
    directory = RunDirectory(Path(folder))
    config, _, state = read_run(directory.root)
    items = labels_of_run(directory, config, state)
    reference = ReferencePotential.parse(
        list(config.reference), config.descriptor.elements, config.reference_folders
    )
    return len(items), write_training_set(
        items, config.descriptor, reference, Path(out), config.eshift
    )
