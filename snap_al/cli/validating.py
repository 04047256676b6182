"""`snap-al validate`: properties with error bars, holes, and MD, before anyone trusts a potential. Collective over all ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from threadpoolctl import threadpool_limits

from snap_al.config import load_config, make_labeler, read_run
from snap_al.descriptors import DescriptorEngine
from snap_al.errors import InputError, did_you_mean
from snap_al.label import AseLabeler
from snap_al.loop import RunConfig, RunDirectory
from snap_al.parallel import Communicator, on_root, world
from snap_al.potential import FittedPotential
from snap_al.potential.snap_calculator import SnapCalculator
from snap_al.progress import Report, silent
from snap_al.report.validation import write_validation
from snap_al.sessions import LammpsSettings
from snap_al.validation import (
    PROPERTIES,
    Crystal,
    Curve,
    RememberedLabeler,
    Trajectory,
    approach,
    compression,
    crystal_of,
    dimers,
    element_crystal,
    measure,
    names_of,
    npt,
    nve,
)

STABILITY = ("holes", "nve", "npt")
"""Of --only, beside the properties; `stability` is all of them."""
OWN = "own"
USUAL_TEMPERATURE, USUAL_TIMESTEP = 1000.0, 0.001
Validation = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """What is asked for, as found by one rank. names: of properties. checks: of STABILITY. temperature: K. timestep, ps: ps."""

    potential: FittedPotential
    crystal: Crystal
    names: tuple[str, ...]
    checks: tuple[str, ...]
    labeler: AseLabeler | None
    table: dict[str, float]
    temperature: float
    timestep: float
    ps: float
    lammps: LammpsSettings


def validate(
    folder: Path | str, comm: Communicator | None = None, *, structure: Path | str | None = None, labeler: str | None = None,
    table: Path | str | None = None, only: Sequence[str] = (), draws: int = 32, temperature: float | None = None, ps: float = 20.0,
    seed: int = 1, report: Report = silent,
) -> Validation:  # fmt: skip
    """Properties with error bars and stability of the potential in `folder`, into its subfolder validation/.

    structure: a crystal, cubic or hexagonal, in any file that ASE reads; that of the run's first walker, or the element's own, when not
    given. labeler: a calculator's name as in `label.calculator`, a config whose `label` is meant, or `own`, the run's. table: YAML of
    values by a property's name. only: groups of properties, and holes, nve, npt, or stability for these three. draws: from the
    posterior. temperature: K, the highest of use; the run's own, or 1000 K, when not given. ps: of the NPT trajectory.

    Returns what validation.json holds: properties, coverage, problems, curves, trajectories, passed. What is finished is on disk; a
    labeler is not asked twice for one structure. Raises InputError on all ranks.
    """
    comm = comm or world()
    root = Path(folder)
    out = root / "validation"
    task = on_root(comm, lambda: _task(root, structure, labeler, table, only, temperature, ps))
    found: Validation = {
        "temperature_k": task.temperature,
        "structure": task.crystal.atoms.get_chemical_formula(),
        "system": task.crystal.system,
    }
    on_root(comm, lambda: task.potential.write(out))
    known = None if task.labeler is None else RememberedLabeler(task.labeler, out / "labels")
    rng = np.random.default_rng([seed, 8])
    with threadpool_limits(1):
        if task.names:
            done = lambda n, of: report("properties of each draw", n, of)  # noqa: E731
            materials = measure(
                task.potential, task.crystal, task.names, draws, rng, comm, labeler=known, table=task.table, lammps=task.lammps, done=done
            )  # fmt: skip
            found |= {
                "properties": [p.as_dict() for p in materials.properties], "coverage": materials.coverage(), "problems": list(materials.problems)
            }  # fmt: skip
            on_root(comm, lambda: write_validation(out, found))
        if task.checks:
            crystal = _relaxed(task, comm)
            found["passed"] = False
            if "holes" in task.checks:
                report("curves", 0, 0)
                found["curves"] = on_root(comm, lambda: [_plain(c) for c in _curves(task, crystal, known)])
            found["trajectories"] = [_plain(t) for t in _dynamics(task, crystal, out, seed, comm, report)]
            found["passed"] = all(c["passed"] for c in [*found.get("curves", []), *found["trajectories"]])
    on_root(comm, lambda: write_validation(out, found))
    return found


def _task(
    folder: Path, structure: Path | str | None, labeler: str | None, table: Path | str | None, only: Sequence[str],
    temperature: float | None, ps: float,
) -> Task:  # fmt: skip
    potential = FittedPotential.read(folder)
    config = read_run(folder)[0] if RunDirectory(folder).journal.exists() else None
    crystal = _crystal(potential, config, structure)
    wanted = [part for name in only for part in (STABILITY if name == "stability" else (name,))]
    for name in wanted:
        if name not in PROPERTIES and name not in STABILITY:
            raise InputError(f"--only {name}: {did_you_mean(name, [*PROPERTIES, *STABILITY, 'stability'])}")
    properties = [name for name in wanted if name in PROPERTIES]
    names = names_of(properties, crystal) if properties or not wanted else []
    stage = None if config is None or config.explore is None else config.explore.protocol().stages
    hottest = max((t for s in stage for t in s.temperature), default=None) if stage else None
    return Task(
        potential, crystal, tuple(names), tuple(c for c in STABILITY if c in wanted or not wanted), _labeler(labeler, config),
        {} if table is None else _table(Path(table)), temperature or hottest or USUAL_TEMPERATURE,
        min(s.timestep for s in stage) if stage else USUAL_TIMESTEP, ps, LammpsSettings() if config is None else config.lammps,
    )  # fmt: skip


def _crystal(potential: FittedPotential, config: RunConfig | None, structure: Path | str | None) -> Crystal:
    elements = potential.settings.elements
    path = Path(structure) if structure is not None else None
    if path is None and config is not None and config.explore is not None:
        path = config.explore.walkers[0].structure
    if path is None:
        if len(elements) > 1:
            raise InputError(f"--structure: which crystal of {', '.join(elements)}? Give a file that ASE reads")
        return element_crystal(elements[0])
    try:
        atoms: Atoms = ase.io.read(path)  # type: ignore[assignment]  # one frame, without an index
    except Exception as error:
        raise InputError(f"{path}: ASE cannot read a structure: {type(error).__name__}: {error}") from error
    unknown = sorted(set(atoms.symbols) - set(elements))
    if unknown:
        raise InputError(f"{path}: {', '.join(unknown)}: the potential is for {', '.join(elements)}")
    return crystal_of(atoms)


def _labeler(name: str | None, config: RunConfig | None) -> AseLabeler | None:
    if name is None:
        return None
    if name == OWN:
        if config is None:
            raise InputError("--labeler own: the folder is no run; name a calculator, or a config with a section label")
        return make_labeler(config.label, 1)
    if Path(name).suffix in (".yaml", ".yml"):
        return make_labeler(load_config(Path(name)).label, 1)
    return AseLabeler(name)


def _table(path: Path) -> dict[str, float]:
    try:
        found = YAML(typ="safe", pure=True).load(path.read_text())
    except (OSError, YAMLError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict) or not all(isinstance(v, int | float) for v in found.values()):
        raise InputError(f"{path}: expected lines `C11: 176.2`, names as `snap-al validate` prints them")
    return {str(name): float(value) for name, value in found.items()}


def _relaxed(task: Task, comm: Communicator) -> Crystal:
    """By the potential itself."""

    def relax() -> Crystal:
        calculator = SnapCalculator(task.potential, stds=False, lammps=task.lammps)
        try:
            return task.crystal.relaxed(calculator)
        finally:
            calculator.close()

    return on_root(comm, relax)


def _curves(task: Task, crystal: Crystal, labeler: RememberedLabeler | None) -> list[Curve]:
    potential, hottest = task.potential, task.temperature
    with DescriptorEngine(potential.settings, potential.reference, task.lammps) as engine:
        return [
            *dimers(potential, engine, crystal, hottest, labeler),
            approach(potential, engine, crystal, hottest, labeler),
            compression(potential, engine, crystal, labeler),
        ]


def _dynamics(
    task: Task, crystal: Crystal, out: Path, seed: int, comm: Communicator, report: Report
) -> list[Trajectory]:
    found: list[Trajectory] = []
    if "nve" in task.checks:
        report("NVE", 0, 0)
        found.append(nve(task.potential, out, crystal, task.temperature, task.timestep, seed, comm, task.lammps))
    if "npt" in task.checks:
        found.append(
            npt(
                task.potential, out, crystal, task.temperature, task.timestep, task.ps, seed, comm, task.lammps,
                lambda step, of: report("NPT", step, of),
            )
        )  # fmt: skip
    return found


def _plain(found: Curve | Trajectory) -> dict[str, Any]:
    """A Curve or Trajectory as JSON can have it."""
    return {
        k: v.tolist() if isinstance(v, np.ndarray) else bool(v) if k == "passed" else v
        for k, v in asdict(found).items()
    }
