"""Errors and calibration of a potential on labelled configurations. Collective over all ranks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from snap_al.data import LabelledConfiguration
from snap_al.data.counts import count
from snap_al.data.label_checks import check_labels
from snap_al.data.readers import FileOptions, read_file
from snap_al.data.remarks import Remarks
from snap_al.data.weights import Weights
from snap_al.descriptors import DescriptorEngine
from snap_al.loop.evaluation import TestSet
from snap_al.parallel import Communicator, on_root, world
from snap_al.potential import FittedPotential, stem_in
from snap_al.progress import Report, silent
from snap_al.uncertainty import Table


def evaluate(
    folder: Path | str,
    data: Path | str,
    comm: Communicator | None = None,
    *,
    recalibrate: bool = False,
    options: FileOptions | None = None,
    say: Callable[[str], None] = lambda text: None,
    report: Report = silent,
    warn: Callable[[str], None] = lambda text: None,
    note: Callable[[str], None] = lambda text: None,
) -> Table:
    """Errors and calibration of the potential in `folder` on the labelled configurations in `data`.

    Rows that vanish by symmetry are counted apart; groups are what the files call `group` or
    `config_type`. recalibrate: measure a factor on the stds of each kind here, and write the
    potential again with it; what is returned has it. options: how to read the file, its labels'
    names for example. say: is told on rank 0 what was found in the file, and warn what looks wrong
    in its labels, and note what could not be told. Raises InputError on all ranks.
    """
    comm = comm or world()
    potential = on_root(comm, lambda: FittedPotential.read(Path(folder)))
    elements = potential.settings.elements
    found = on_root(comm, lambda: read_file(Path(data), elements, labelled=True, options=options))
    weights = Weights(1.0, 1.0, 1.0)
    items = [
        LabelledConfiguration(c, weights, c.group, source=str(data)) for c in found.configurations
    ]
    if comm.rank == 0:
        for text in (
            *count("data", str(data), found.frames, items, found.unread).described(),
            *found.left_out,
        ):
            say(text)
    told = on_root(comm, lambda: Remarks.of(check_labels(items, str(data))))
    if comm.rank == 0:
        for text in told.warnings:
            warn(text)
        for text in told.notes:
            note(text)
    with threadpool_limits(1), DescriptorEngine(potential.settings, potential.reference) as engine:
        test = TestSet(engine, comm)
        test.add(items, report=report)
        posterior = potential.posterior
        if recalibrate:
            posterior = posterior.recalibrated(np.ones(3))
            posterior = posterior.recalibrated(test.evaluate(posterior).scale_factors())
            on_root(
                comm,
                lambda: replace(potential, posterior=posterior).write(
                    Path(folder), stem_in(Path(folder))
                ),
            )
        return test.evaluate(posterior).table(test.matrix.groups)
