"""Errors and calibration of a potential on labelled configurations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from snap_al.data import LabelledConfiguration
from snap_al.data.counts import count
from snap_al.data.label_checks import check_labels
from snap_al.data.remarks import Remarks
from snap_al.data.weights import Weights
from snap_al.loop.evaluation import TestSet
from snap_al.parallel import Communicator, on_root, world
from snap_al.potential import FittedPotential, stem_in
from snap_al.progress import Report, silent
from snap_al.tasks.data import Data, name_of, read_data
from snap_al.tasks.potential import GivenPotential, potential_of
from snap_al.tasks.result import TaskResult
from snap_al.uncertainty import ErrorTable


@dataclass(frozen=True)
class EvaluateResult(TaskResult):
    """Errors and calibration on labelled configurations."""

    table: ErrorTable
    """Errors and calibration by kind of label, and by group where there are several."""
    potential: FittedPotential
    """The potential that was compared, recalibrated where that was asked for."""
    left_out: tuple[str, ...] = ()
    """Configurations that were left out, and why."""

    def as_json(self) -> dict[str, Any]:
        """What `snap-al evaluate --json` prints: the table."""
        return self.table.as_json()


def evaluate(
    potential: GivenPotential,
    data: Data,
    *,
    recalibrate: bool = False,
    comm: Communicator | None = None,
    report: Report = silent,
) -> EvaluateResult:
    """Compare a potential with labelled configurations.

    It is collective: under MPI, all ranks call it.

    Parameters
    ----------
    potential : FittedPotential, path or str
        A potential, or the folder of a run or a fit.
    data : path, str, DataFile or sequence of Atoms
        Labelled configurations. Groups are what they call `group` or `config_type`.
    recalibrate : bool, optional
        Measure a factor on the stds of each kind on these configurations, and compare the potential
        that has it. If `potential` is a folder, it is written there.
    comm : Communicator, optional
        The ranks that share the work; all of MPI's world when not given.
    report : callable, optional
        Called on rank 0 with what is being done, how much of it is done, and of how much.

    Returns
    -------
    EvaluateResult
        The table of errors, on every rank.

    Raises
    ------
    InputError
        If there is no potential, or a file or its labels cannot be read; on every rank.

    Examples
    --------
    >>> sa.evaluate("fit", "test.extxyz").table.forces.rmse
    """
    comm = comm or world()
    report = report if comm.rank == 0 else silent
    known = on_root(comm, lambda: potential_of(potential))
    contents = on_root(comm, lambda: read_data(data, known.elements, labelled=True))
    source = name_of(data)
    weights = Weights(1.0, 1.0, 1.0)
    items = [
        LabelledConfiguration(c, weights, c.group, source=source) for c in contents.configurations
    ]
    remarks = on_root(comm, lambda: Remarks.of(check_labels(items, source)))
    with threadpool_limits(1), known.engine() as engine:
        test = TestSet(engine, comm)
        test.add(items, report=report)
        if recalibrate:
            known = _recalibrated(known, test)
            if not isinstance(potential, FittedPotential):
                folder = Path(potential)
                on_root(comm, lambda: known.write(folder, stem_in(folder)))
        table = test.evaluate(known.posterior).table(test.matrix.groups)
    return EvaluateResult(
        table,
        known,
        tuple(contents.left_out),
        read=(count("data", source, contents.frames, items, contents.unread),),
        warnings=remarks.warnings,
        notes=remarks.notes,
    )


def _recalibrated(potential: FittedPotential, test: TestSet) -> FittedPotential:
    """The potential with stds that are, for each kind, as large as the errors on these
    configurations."""
    plain = potential.posterior.recalibrated(np.ones(3))
    factors = test.evaluate(plain).scale_factors()
    return replace(potential, posterior=plain.recalibrated(factors))
