"""Validation of a potential: properties with error bars, holes, and MD."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from snap_al.errors import did_you_mean
from snap_al.parallel import Communicator, on_root, world
from snap_al.potential.snap_calculator import SnapCalculator
from snap_al.progress import Report, silent
from snap_al.reporting.validation import read_validation, write_validation
from snap_al.tasks.stability import Stability, stability
from snap_al.tasks.validation_labeler import Labeler, label_backend
from snap_al.tasks.validation_request import (
    PropertyTable,
    Request,
    Structure,
    ValidateSettings,
    request_of,
)
from snap_al.validation import (
    Coverage,
    Curve,
    LabelCalculator,
    Materials,
    Property,
    References,
    Trajectory,
    Validation,
    measure,
)


@dataclass(frozen=True)
class ValidateResult:
    """What a validation found, and what earlier ones of the same potential and crystal did."""

    validation: Validation
    """What validation.json holds."""
    folder: Path
    """Where validation.json, properties.csv and figures are."""

    @property
    def properties(self) -> tuple[Property, ...]:
        """Each with its std over draws and, where there is one, its reference."""
        return self.validation.properties or ()

    @property
    def curves(self) -> tuple[Curve, ...]:
        """Energies and pressures into close approach."""
        return self.validation.curves or ()

    @property
    def trajectories(self) -> tuple[Trajectory, ...]:
        """MD at constant energy and at constant pressure."""
        return self.validation.trajectories or ()

    @property
    def coverage(self) -> Coverage:
        """How many references there are, and the shares of them within one and two stds."""
        return self.validation.coverage

    @property
    def problems(self) -> tuple[str, ...]:
        """What could not be computed, and why."""
        return self.validation.problems

    @property
    def passed(self) -> bool:
        """Whether every curve and trajectory has passed."""
        return self.validation.passed

    def as_json(self) -> dict[str, Any]:
        """What validation.json holds and `snap-al validate --json` prints."""
        return self.validation.as_json()


def validate(
    folder: Path | str,
    *,
    structure: Structure | None = None,
    labeler: Labeler | None = None,
    table: PropertyTable | None = None,
    settings: ValidateSettings | None = None,
    comm: Communicator | None = None,
    report: Report = silent,
) -> ValidateResult:
    """Compute properties with error bars and the stability of a potential.

    It is collective: under MPI, all ranks call it. What is finished is on disk, in the subfolder
    validation/; a label that the labeler gave is not asked for again.

    Parameters
    ----------
    folder : path or str
        The folder of a run or a fit.
    structure : path, str, DataFile or Atoms, optional
        A cubic or hexagonal crystal; that of the run's first walker, or the element's own, when not
        given.
    labeler : path, str or RunConfig, optional
        To compare with: a calculator's name as in `label.calculator`, a config whose `label` is
        meant, or `own`, the run's.
    table : path, str or mapping, optional
        To compare with: values by a property's name, or a YAML file of them.
    settings : ValidateSettings, optional
        What to compute, from how many draws, and at which temperature.
    comm : Communicator, optional
        The ranks that share the work; all of MPI's world when not given.
    report : callable, optional
        Called on rank 0 with what is being done, how much of it is done, and of how much.

    Returns
    -------
    ValidateResult
        Properties, curves and trajectories, on every rank.

    Raises
    ------
    InputError
        If the folder holds no potential, or the structure, the labeler or the table cannot be used;
        on every rank.

    Examples
    --------
    >>> settings = sa.ValidateSettings(only=("lattice", "elastic"), draws=16)
    >>> sa.validate("run", labeler="own", settings=settings).coverage
    """
    comm, settings = comm or world(), settings or ValidateSettings()
    report = report if comm.rank == 0 else silent
    root = Path(folder)
    out = root / "validation"
    request = on_root(comm, lambda: request_of(root, structure, labeler, table, settings))
    validation = on_root(comm, lambda: _begun(request, out))
    known = (
        None
        if request.labeler is None
        else LabelCalculator(label_backend(request.labeler, out / "labels"))
    )
    with threadpool_limits(1):
        if request.names:
            materials = _materials(request, known, comm, report)
            validation = _with_properties(validation, materials, request.table)
            on_root(comm, lambda: write_validation(out, validation))
        if request.checks:
            looked_at = stability(request, known, out, comm, report)
            validation = _with_checks(validation, looked_at)
    if known is not None:
        known.close()
    on_root(comm, lambda: write_validation(out, validation))
    return ValidateResult(validation, out)


def _begun(request: Request, out: Path) -> Validation:
    """The results of an earlier validation of this potential and crystal. The files of the
    potential are written, for LAMMPS."""
    request.potential.write(out)
    atoms, system = request.crystal.atoms, request.crystal.system
    digest, formula = request.potential.posterior.digest, atoms.get_chemical_formula()
    now = Validation(digest, formula, system, request.temperature)
    before = read_validation(out)
    return before if before is not None and before.subject == now.subject else now


def _materials(
    request: Request, labeler: LabelCalculator | None, comm: Communicator, report: Report
) -> Materials:
    """The properties. Collective."""
    calculator = SnapCalculator(request.potential, stds=False, lammps=request.lammps)
    try:
        return measure(
            calculator,
            request.crystal,
            request.names,
            request.settings.draws,
            np.random.default_rng([request.settings.seed, 8]),
            comm,
            References(labeler, request.table),
            report,
        )
    finally:
        calculator.close()


def _with_properties(
    before: Validation, materials: Materials, table: dict[str, float]
) -> Validation:
    """The validation with these properties in place of those that it had."""
    names = [p.name for p in materials.properties]
    unknown = [
        f"the table's {name!r} is no property here: {did_you_mean(name, names)}"
        for name in table
        if name not in names
    ]
    problems = (*materials.problems, *unknown)
    return replace(before, properties=materials.properties, problems=problems)


def _with_checks(before: Validation, looked_at: Stability) -> Validation:
    """The validation with these checks, and with earlier ones that are not made again."""
    names = {t.name for t in looked_at.trajectories} | {"relaxation"}
    kept = tuple(t for t in before.trajectories or () if t.name not in names)
    curves = before.curves if looked_at.curves is None else looked_at.curves
    return replace(before, curves=curves, trajectories=kept + looked_at.trajectories)
