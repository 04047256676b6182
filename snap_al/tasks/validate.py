"""`snap-al validate`: properties with error bars, holes, and MD, before anyone trusts a potential.
Collective over all ranks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from threadpoolctl import threadpool_limits

from snap_al.config import load_config, make_labeler, parse_yaml, read_run
from snap_al.data.readers import FileOptions, read_file
from snap_al.data.starting_set import StructureSource
from snap_al.data.storage import LARGEST_TEXT, require_regular_file
from snap_al.descriptors import DescriptorEngine
from snap_al.errors import InputError, did_you_mean
from snap_al.label import ImmediateBackend, JobBackend, LabelBackend, LocalProcesses
from snap_al.label.settings import LabelSettings
from snap_al.loop import RunConfig, RunDirectory
from snap_al.parallel import Communicator, on_root, world
from snap_al.potential import FittedPotential
from snap_al.potential.snap_calculator import SnapCalculator
from snap_al.progress import Report, silent
from snap_al.reporting.validation import read_validation, without_nan, write_validation
from snap_al.sessions import LammpsSettings
from snap_al.validation import (
    PROPERTIES,
    Crystal,
    Curve,
    LabelCalculator,
    Trajectory,
    approach,
    compression,
    crystal_of,
    dimers,
    element_crystal,
    failed_check,
    failure_of,
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
    """What is asked for, as found by one rank. names: of properties. checks: of STABILITY.
    temperature: K. timestep, ps: ps.
    """

    potential: FittedPotential
    crystal: Crystal
    names: tuple[str, ...]
    checks: tuple[str, ...]
    labeler: LabelSettings | None
    table: dict[str, float]
    temperature: float
    timestep: float
    ps: float
    lammps: LammpsSettings


def validate(
    folder: Path | str,
    comm: Communicator | None = None,
    *,
    structure: Path | str | None = None,
    labeler: str | None = None,
    table: Path | str | None = None,
    only: Sequence[str] = (),
    draws: int = 32,
    temperature: float | None = None,
    ps: float = 20.0,
    timestep: float | None = None,
    seed: int = 1,
    report: Report = silent,
    options: FileOptions | None = None,
) -> Validation:
    """Properties with error bars and stability of the potential in `folder`, into its subfolder
    validation/.

    structure: a crystal, cubic or hexagonal, in any file that ASE reads; that of the run's first
    walker, or the element's own, when not given. options: how to read that file. labeler: a
    calculator's name as in `label.calculator`, a config whose `label` is meant, or `own`, the
    run's. table: YAML of values by a property's name. only: groups of properties, and holes, nve,
    npt, or stability for these three. draws: from the posterior. temperature: K, the highest of
    use; the run's own, or 1000 K, when not given. ps: of the NPT trajectory. timestep: ps; the
    run's smallest, or 0.001, when not given.

    Returns what validation.json holds: properties, coverage, problems, curves, trajectories,
    passed; of the same potential and crystal also what was found before and is not asked for now.
    What is finished is on disk; a label that the labeler gave is not asked for again. Raises
    InputError on all ranks.
    """
    comm = comm or world()
    root = Path(folder)
    out = root / "validation"
    given = None if structure is None else _source(Path(structure), options)
    arguments = (root, given, labeler, table, only, temperature, ps, timestep)
    task = on_root(comm, lambda: _task(*arguments))
    found = on_root(comm, lambda: _begun(task, out))
    known = (
        None if task.labeler is None else LabelCalculator(_backend(task.labeler, out / "labels"))
    )
    rng = np.random.default_rng([seed, 8])
    with threadpool_limits(1):
        if task.names:
            materials = measure(
                task.potential,
                task.crystal,
                task.names,
                draws,
                rng,
                comm,
                labeler=known,
                table=task.table,
                lammps=task.lammps,
                report=report,
            )
            found["properties"] = [p.as_dict() for p in materials.properties]
            found["coverage"] = materials.coverage()
            found["problems"] = [
                *materials.problems,
                *_unknown(task.table, [p.name for p in materials.properties]),
            ]
            on_root(comm, lambda: write_validation(out, found))
        if task.checks:
            new = _stability(task, known, out, seed, comm, report)
            names = {t["name"] for t in new.get("trajectories", [])} | {"relaxation"}
            kept = [t for t in found.get("trajectories", []) if t["name"] not in names]
            found |= {**new, "trajectories": [*kept, *new.get("trajectories", [])]}
            found["passed"] = all(
                c["passed"] for c in [*found.get("curves", []), *found.get("trajectories", [])]
            )
    if known is not None:
        known.close()
    shown: dict[str, Any] = without_nan(found)
    on_root(comm, lambda: write_validation(out, shown))
    return shown


def _begun(task: Task, out: Path) -> Validation:
    """What an earlier validation of this potential and crystal has found; and the potential's
    files, for LAMMPS.
    """
    task.potential.write(out)
    same = {
        "potential": task.potential.posterior.digest,
        "structure": task.crystal.atoms.get_chemical_formula(),
        "system": task.crystal.system,
        "temperature_k": task.temperature,
    }
    before = read_validation(out) or {}
    return {**(before if all(before.get(k) == v for k, v in same.items()) else {}), **same}


def _unknown(table: dict[str, float], names: list[str]) -> list[str]:
    return [
        f"the table's {name!r} is no property here: {did_you_mean(name, names)}"
        for name in table
        if name not in names
    ]


def _task(
    folder: Path,
    structure: StructureSource | None,
    labeler: str | None,
    table: Path | str | None,
    only: Sequence[str],
    temperature: float | None,
    ps: float,
    timestep: float | None,
) -> Task:
    potential = FittedPotential.read(folder)
    if potential.reference.moments:
        raise InputError(
            f"{folder}: its reference potential (atom_style {potential.reference.atom_style}) "
            "needs charges or spins, which the structures "
            "made here do not have; compute what you need with snap_al.SnapCalculator"
        )
    config = read_run(folder)[0] if RunDirectory(folder).journal.exists() else None
    crystal = _crystal(potential, config, structure)
    wanted = [part for name in only for part in (STABILITY if name == "stability" else (name,))]
    for name in wanted:
        if name not in PROPERTIES and name not in STABILITY:
            raise InputError(
                f"--only {name}: {did_you_mean(name, [*PROPERTIES, *STABILITY, 'stability'])}"
            )
    properties = [name for name in wanted if name in PROPERTIES]
    names = names_of(properties, crystal) if properties or not wanted else []
    stages = () if config is None or config.explore is None else config.explore.protocol().stages
    hottest = max((t for s in stages for t in s.temperature), default=USUAL_TEMPERATURE)
    # LAMMPS is the environment's own: a folder can be somebody else's, and its config names a
    # library.
    return Task(
        potential,
        crystal,
        tuple(names),
        tuple(c for c in STABILITY if c in wanted or not wanted),
        _labeler(labeler, config),
        {} if table is None else _table(Path(table)),
        hottest if temperature is None else temperature,
        min((s.timestep for s in stages), default=USUAL_TIMESTEP) if timestep is None else timestep,
        ps,
        LammpsSettings(),
    )


def _crystal(
    potential: FittedPotential, config: RunConfig | None, structure: StructureSource | None
) -> Crystal:
    """The one asked for; or the run's first walker's, or, where that is none, the element's own."""
    elements = potential.settings.elements
    if structure is not None:
        return crystal_of(_read(structure, elements))
    if config is not None and config.explore is not None:
        try:
            return crystal_of(_read(config.explore.walkers[0], elements))
        except InputError:
            if len(elements) > 1:
                raise
    if len(elements) > 1:
        raise InputError(
            f"--structure: which crystal of {', '.join(elements)}? Give a file that ASE reads"
        )
    return element_crystal(elements[0])


def _source(path: Path, options: FileOptions | None) -> StructureSource:
    return StructureSource(structure=path, format=None if options is None else options.format)


def _read(source: StructureSource, elements: tuple[str, ...]) -> Atoms:
    """The last frame of its file."""
    path, known = source.structure, tuple(chemical_symbols[1:])
    options = FileOptions(source.format)
    atoms = read_file(path, known, labelled=False, options=options).atoms[-1]
    if unknown := sorted(set(atoms.symbols) - set(elements)):
        raise InputError(
            f"{path}: {', '.join(unknown)}: the potential is for {', '.join(elements)}"
        )
    return atoms


def _labeler(name: str | None, config: RunConfig | None) -> LabelSettings | None:
    """Made once here, so that one that is not there is refused at the beginning."""
    if name is None:
        return None
    if name == OWN and config is None:
        raise InputError(
            "--labeler own: the folder is no run; name a calculator, or a config with a section "
            "label"
        )
    if name == OWN and config is not None:
        settings = config.label
    elif Path(name).suffix in (".yaml", ".yml"):
        settings = load_config(Path(name)).label
    else:
        settings = LabelSettings(calculator=name)
    if settings.backend == "folder":
        raise InputError(
            f"--labeler {name}: its labels come from outside (backend: folder), and hundreds "
            "would be asked for; give a --table"
        )
    make_labeler(settings, 1)
    return settings


def _backend(settings: LabelSettings, folder: Path) -> LabelBackend:
    """In this process as in a run with `backend: here`, unless it writes files; else in a process
    of its own, which knows nothing of the ranks.
    """
    labeler = make_labeler(settings, 1)
    if settings.backend == "here" and not labeler.writes_files:
        return ImmediateBackend(labeler, folder)
    here = settings.model_copy(update={"backend": "local", "cluster": None, "executor": None})
    return JobBackend(here, labeler.key, folder, LocalProcesses(here))


def _table(path: Path) -> dict[str, float]:
    try:
        text = require_regular_file(path, LARGEST_TEXT).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: cannot be read as YAML: {' '.join(str(error).split())}"
        ) from error
    found = parse_yaml(text, path)
    if not isinstance(found, dict) or not all(isinstance(v, int | float) for v in found.values()):
        raise InputError(
            f"{path}: expected lines `C11: 176.2`, names as `snap-al validate` prints them"
        )
    return {str(name): float(value) for name, value in found.items()}


def _stability(
    task: Task,
    labeler: LabelCalculator | None,
    out: Path,
    seed: int,
    comm: Communicator,
    report: Report,
) -> Validation:
    """curves and trajectories, of the crystal as the potential relaxes it; where it does not hold,
    of the crystal as it was given.
    """
    crystal, failure = on_root(comm, lambda: _relaxed(task))
    found: Validation = {}
    if "holes" in task.checks:
        report("curves", 0, 0)
        found["curves"] = on_root(
            comm, lambda: [_plain(c) for c in _curves(task, crystal, labeler)]
        )
    shared = (task.potential, out, crystal, task.temperature, task.timestep)
    trajectories = (
        [failed_check("relaxation", f"the crystal does not hold: {failure}")] if failure else []
    )
    if "nve" in task.checks:
        report("NVE", 0, 0)
        trajectories.append(nve(*shared, seed, comm, task.lammps))
    if "npt" in task.checks:
        trajectories.append(npt(*shared, task.ps, seed, comm, task.lammps, report))
    return {**found, "trajectories": [_plain(t) for t in trajectories]} if trajectories else found


def _relaxed(task: Task) -> tuple[Crystal, str]:
    """By the potential itself, or as it was, with the reason. Raises what is no failure of a
    calculation, see failure_of."""
    calculator = SnapCalculator(task.potential, stds=False, lammps=task.lammps)
    try:
        return task.crystal.relaxed(calculator), ""
    except Exception as error:  # noqa: BLE001  failure_of raises what is no failure
        return task.crystal, failure_of(error)
    finally:
        calculator.close()


def _curves(task: Task, crystal: Crystal, labeler: LabelCalculator | None) -> list[Curve]:
    potential, hottest = task.potential, task.temperature
    with DescriptorEngine(potential.settings, potential.reference, task.lammps) as engine:
        return [
            *dimers(potential, engine, crystal, hottest, labeler),
            approach(potential, engine, crystal, hottest, labeler),
            compression(potential, engine, crystal, labeler),
        ]


def _plain(found: Curve | Trajectory) -> dict[str, Any]:
    """As JSON can have it."""
    return {
        k: v.tolist() if isinstance(v, np.ndarray) else bool(v) if k == "passed" else v
        for k, v in asdict(found).items()
    }
