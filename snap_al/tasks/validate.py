"""Validation of a potential: properties with error bars, holes, and MD."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from snap_al.errors import did_you_mean
from snap_al.parallel import Communicator, on_root, world
from snap_al.potential.snap_calculator import SnapCalculator
from snap_al.progress import Report, silent
from snap_al.reporting.validation import Validation, read_validation, without_nan, write_validation
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
    Curve,
    LabelCalculator,
    Materials,
    Property,
    References,
    Trajectory,
    measure,
)


@dataclass(frozen=True)
class ValidateResult:
    """What a validation found, and what earlier ones of the same potential and crystal did."""

    content: Validation
    """What validation.json holds."""
    folder: Path
    """Where validation.json, properties.csv and figures are."""

    @property
    def properties(self) -> tuple[Property, ...]:
        """Each with its std over draws and, where there is one, its reference."""
        stored = self.content.get("properties", ())
        return tuple(Property(**{k: v for k, v in p.items() if k != "z"}) for p in stored)

    @property
    def curves(self) -> tuple[Curve, ...]:
        """Energies and pressures into close approach."""
        return tuple(Curve(**_with_arrays(c)) for c in self.content.get("curves", ()))

    @property
    def trajectories(self) -> tuple[Trajectory, ...]:
        """MD at constant energy and at constant pressure."""
        return tuple(Trajectory(**_with_arrays(t)) for t in self.content.get("trajectories", ()))

    @property
    def coverage(self) -> dict[str, float]:
        """n, the number of references, and within_1std and within_2std, the shares of them."""
        return dict(self.content.get("coverage", {}))

    @property
    def problems(self) -> tuple[str, ...]:
        """What could not be computed, and why."""
        return tuple(self.content.get("problems", ()))

    @property
    def passed(self) -> bool:
        """Whether every curve and trajectory has passed."""
        return bool(self.content.get("passed", True))

    def as_json(self) -> Validation:
        """What validation.json holds and `snap-al validate --json` prints."""
        return self.content


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
            validation |= _properties(_materials(request, known, comm, report), request.table)
            on_root(comm, lambda: write_validation(out, validation))
        if request.checks:
            validation |= _checks(stability(request, known, out, comm, report), validation)
    if known is not None:
        known.close()
    shown: Validation = without_nan(validation)
    on_root(comm, lambda: write_validation(out, shown))
    return ValidateResult(shown, out)


def _begun(request: Request, out: Path) -> Validation:
    """The results of an earlier validation of this potential and crystal. The files of the
    potential are written, for LAMMPS."""
    request.potential.write(out)
    same = {
        "potential": request.potential.posterior.digest,
        "structure": request.crystal.atoms.get_chemical_formula(),
        "system": request.crystal.system,
        "temperature_k": request.temperature,
    }
    before = read_validation(out) or {}
    return {**(before if all(before.get(k) == v for k, v in same.items()) else {}), **same}


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


def _properties(materials: Materials, table: dict[str, float]) -> Validation:
    names = [p.name for p in materials.properties]
    unknown = [
        f"the table's {name!r} is no property here: {did_you_mean(name, names)}"
        for name in table
        if name not in names
    ]
    return {
        "properties": [p.as_dict() for p in materials.properties],
        "coverage": materials.coverage(),
        "problems": [*materials.problems, *unknown],
    }


def _checks(looked_at: Stability, before: Validation) -> Validation:
    """The results of the checks, with those of earlier validations that are not checked again."""
    new = [_plain(t) for t in looked_at.trajectories]
    names = {t["name"] for t in new} | {"relaxation"}
    trajectories = [t for t in before.get("trajectories", []) if t["name"] not in names] + new
    curves = before.get("curves", [])
    checks: Validation = {}
    if looked_at.curves is not None:
        checks["curves"] = curves = [_plain(c) for c in looked_at.curves]
    checks["trajectories"] = trajectories
    checks["passed"] = all(c["passed"] for c in [*curves, *trajectories])
    return checks


def _plain(result: Curve | Trajectory) -> dict[str, Any]:
    """A result with values that JSON can have."""
    return {
        k: v.tolist() if isinstance(v, np.ndarray) else bool(v) if k == "passed" else v
        for k, v in asdict(result).items()
    }


def _with_arrays(stored: dict[str, Any]) -> dict[str, Any]:
    """The inverse of `_plain`; NaN where JSON has null."""
    return {k: np.array(v, dtype=float) if isinstance(v, list) else v for k, v in stored.items()}
