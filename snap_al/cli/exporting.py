"""`snap-al export`: the labels that a run bought, for FitSNAP."""

from __future__ import annotations

from pathlib import Path

from snap_al.config import read_run
from snap_al.data import LabelledConfiguration
from snap_al.descriptors import ReferencePotential
from snap_al.errors import InputError
from snap_al.fitsnap import export as write_training_set
from snap_al.label import read_result
from snap_al.loop import RunConfig, RunDirectory, RunState


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


def labels_of_run(
    directory: RunDirectory, config: RunConfig, state: RunState
) -> list[LabelledConfiguration]:
    """With the weights, groups and damping that the run gives them. Raises InputError when a label
    is gone.
    """
    items = []
    for query, job in state.labelled:
        configuration = directory.read_query(query.key)
        result = read_result(directory.labels, job, configuration)
        if result is None or result.label is None:
            raise InputError(
                f"the label {job} that the journal names is not in {directory.labels}; restore it"
            )
        settings = config.label
        items.append(
            LabelledConfiguration(
                configuration.labelled(result.label),
                settings.weights,
                query.group,
                settings.damping,
                str(directory.labels),
            )
        )
    return items
