"""The labels that a run has computed."""

from __future__ import annotations

from dataclasses import replace

from snap_al.data import LabelledConfiguration
from snap_al.data.configuration import shifted
from snap_al.errors import InputError
from snap_al.label import read_result
from snap_al.loop import RunConfig, RunDirectory, RunState


def labels_of_run(
    directory: RunDirectory, config: RunConfig, state: RunState
) -> list[LabelledConfiguration]:
    """The labels with the weights, groups and damping that the run gives them. Raises InputError
    when a label is missing."""
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


def fitted_labels_of_run(
    directory: RunDirectory, config: RunConfig, state: RunState
) -> list[LabelledConfiguration]:
    """The same labels as they are fitted, with `eshift`."""
    return [
        replace(item, configuration=c.labelled(shifted(c.label, c.species, config.eshift)))
        for item in labels_of_run(directory, config, state)
        for c in [item.configuration]
    ]
