"""Whether a potential is stable outside its training set: curves into close approach, and MD."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from snap_al.parallel import Communicator, on_root
from snap_al.potential.snap_calculator import SnapCalculator
from snap_al.progress import Report
from snap_al.tasks.validation_request import Request
from snap_al.validation import (
    Conditions,
    Crystal,
    Curve,
    LabelCalculator,
    Trajectory,
    approach,
    compression,
    dimers,
    failed_check,
    failure_of,
    npt,
    nve,
)


@dataclass(frozen=True)
class Stability:
    """Results of the checks of stability; None or empty for checks that were not asked for."""

    curves: tuple[Curve, ...] | None
    """Curves, in which holes of the potential are visible."""
    trajectories: tuple[Trajectory, ...]
    """MD, and the relaxation when it failed."""


def stability(
    request: Request, labeler: LabelCalculator | None, out: Path, comm: Communicator, report: Report
) -> Stability:
    """The checks of the crystal as the potential relaxes it; where that fails, of the crystal as it
    was given. Collective.

    out: folder with the files of the potential.
    """
    crystal, failure = on_root(comm, lambda: relaxed(request))
    curves = None
    if "holes" in request.checks:
        report("curves", 0, 0)
        curves = on_root(comm, lambda: tuple(_curves(request, crystal, labeler)))
    conditions = Conditions(
        request.temperature, request.timestep, request.settings.seed, request.lammps
    )
    shared = (request.potential, out, crystal, conditions)
    trajectories = (
        [failed_check("relaxation", f"the crystal does not hold: {failure}")] if failure else []
    )
    if "nve" in request.checks:
        report("NVE", 0, 0)
        trajectories.append(nve(*shared, comm))
    if "npt" in request.checks:
        trajectories.append(npt(*shared, request.settings.ps, comm, report))
    return Stability(curves, tuple(trajectories))


def relaxed(request: Request) -> tuple[Crystal, str]:
    """The crystal relaxed by the potential; where that fails, the crystal as it was, with the
    reason. Raises what is no failure of a calculation, see failure_of."""
    calculator = SnapCalculator(request.potential, stds=False, lammps=request.lammps)
    try:
        return request.crystal.relaxed(calculator), ""
    except Exception as error:  # noqa: BLE001  failure_of raises what is no failure
        return request.crystal, failure_of(error)
    finally:
        calculator.close()


def _curves(request: Request, crystal: Crystal, labeler: LabelCalculator | None) -> list[Curve]:
    potential, hottest = request.potential, request.temperature
    with potential.engine(request.lammps) as engine:
        return [
            *dimers(potential, engine, crystal, hottest, labeler),
            approach(potential, engine, crystal, hottest, labeler),
            compression(potential, engine, crystal, labeler),
        ]
