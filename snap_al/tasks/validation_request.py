"""The request of a validation, which one rank completes and checks before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ase import Atoms
from ase.data import chemical_symbols

from snap_al.config import parse_yaml, read_run
from snap_al.data.file_contents import FileOptions
from snap_al.data.storage import LARGEST_TEXT, require_regular_file
from snap_al.errors import InputError, did_you_mean
from snap_al.label.settings import LabelSettings
from snap_al.loop import RunConfig, RunDirectory
from snap_al.potential import FittedPotential
from snap_al.sessions import LammpsSettings
from snap_al.tasks.data import DataFile, name_of, read_data
from snap_al.tasks.validation_labeler import Labeler, label_settings
from snap_al.validation import PROPERTIES, Crystal, crystal_of, element_crystal, names_of

STABILITY = ("holes", "nve", "npt")
"""Checks that can be asked for beside the properties; `stability` is all of them."""
USUAL_TEMPERATURE, USUAL_TIMESTEP = 1000.0, 0.001
"""K and ps, used when the run does not give them."""
Structure = Path | str | DataFile | Atoms
"""A crystal: a file, of which the last frame is meant, or ASE Atoms."""
PropertyTable = Path | str | Mapping[str, float]
"""Values by a property's name, or a YAML file of them."""


@dataclass(frozen=True)
class ValidateSettings:
    """What a validation computes."""

    only: tuple[str, ...] = ()
    """Names out of lattice, eos, elastic, vacancy, surfaces, phonons; and of holes, nve, npt, or
    stability for these three. All when empty."""
    draws: int = 32
    """Number of draws from the posterior, for error bars."""
    temperature: float | None = None
    """K, the highest temperature of use; that of the run, or 1000 K, when not given."""
    ps: float = 20.0
    """ps, length of the NPT trajectory."""
    timestep: float | None = None
    """ps, of MD; the smallest of the run, or 0.001, when not given."""
    seed: int = 1
    """Seed of draws and velocities."""

    def __post_init__(self) -> None:
        """Raises InputError for numbers that are not possible."""
        if self.draws < 2:
            raise InputError(f"ValidateSettings: draws is {self.draws}; a std needs at least 2")
        for name in ("temperature", "ps", "timestep"):
            if (value := getattr(self, name)) is not None and not value > 0:
                raise InputError(f"ValidateSettings: {name} is {value}; give more than 0")


@dataclass(frozen=True)
class Request:
    """What is to be validated, with defaults filled in."""

    potential: FittedPotential
    """The potential."""
    crystal: Crystal
    """The crystal whose properties are computed."""
    names: tuple[str, ...]
    """Names of the properties."""
    checks: tuple[str, ...]
    """Names of the checks, out of STABILITY."""
    labeler: LabelSettings | None
    """Settings of the labeler to compare with; None for no comparison."""
    table: dict[str, float]
    """Values to compare with, by name of the property."""
    temperature: float
    """K."""
    timestep: float
    """ps."""
    lammps: LammpsSettings
    """Settings of LAMMPS."""
    settings: ValidateSettings
    """Settings of the validation."""


def request_of(
    folder: Path,
    structure: Structure | None,
    labeler: Labeler | None,
    table: PropertyTable | None,
    settings: ValidateSettings,
) -> Request:
    """The request. Raises InputError."""
    potential = FittedPotential.read(folder)
    if potential.reference.moments:
        raise InputError(
            f"{folder}: its reference potential (atom_style {potential.reference.atom_style}) "
            "needs charges or spins, which the structures "
            "made here do not have; compute what you need with snap_al.SnapCalculator"
        )
    config = read_run(folder)[0] if RunDirectory(folder).journal.exists() else None
    crystal = _crystal(potential, config, structure)
    wanted = _wanted(settings.only)
    properties = [name for name in wanted if name in PROPERTIES]
    names = names_of(properties, crystal) if properties or not wanted else []
    stages = () if config is None or config.explore is None else config.explore.protocol().stages
    hottest = max((t for s in stages for t in s.temperature), default=USUAL_TEMPERATURE)
    shortest = min((s.timestep for s in stages), default=USUAL_TIMESTEP)
    return Request(
        potential,
        crystal,
        tuple(names),
        tuple(c for c in STABILITY if c in wanted or not wanted),
        label_settings(labeler, config),
        _table(table),
        hottest if settings.temperature is None else settings.temperature,
        shortest if settings.timestep is None else settings.timestep,
        # Of the environment: the folder may be someone else's, and its config names a library.
        LammpsSettings(),
        settings,
    )


def _wanted(only: Sequence[str]) -> list[str]:
    """The names of properties and checks. Raises InputError for a name that is neither."""
    wanted = [part for name in only for part in (STABILITY if name == "stability" else (name,))]
    for name in wanted:
        if name not in PROPERTIES and name not in STABILITY:
            raise InputError(
                f"--only {name}: {did_you_mean(name, [*PROPERTIES, *STABILITY, 'stability'])}"
            )
    return wanted


def _crystal(
    potential: FittedPotential, config: RunConfig | None, structure: Structure | None
) -> Crystal:
    """The crystal that was given, or that of the run's first walker, or, where there is none, that
    of the element."""
    elements = potential.elements
    if structure is not None:
        return crystal_of(_read(structure, elements))
    if config is not None and config.explore is not None:
        try:
            walker = config.explore.walkers[0]
            file = DataFile(walker.structure, FileOptions(walker.format))
            return crystal_of(_read(file, elements))
        except InputError:
            if len(elements) > 1:
                raise
    if len(elements) > 1:
        raise InputError(
            f"--structure: which crystal of {', '.join(elements)}? Give a file that ASE reads"
        )
    return element_crystal(elements[0])


def _read(structure: Structure, elements: tuple[str, ...]) -> Atoms:
    """The Atoms, or the last frame of the file. Raises InputError."""
    data = [structure] if isinstance(structure, Atoms) else structure
    atoms = read_data(data, tuple(chemical_symbols[1:]), labelled=False).atoms[-1]
    if unknown := sorted(set(atoms.symbols) - set(elements)):
        raise InputError(
            f"{name_of(data)}: {', '.join(unknown)}: the potential is for {', '.join(elements)}"
        )
    return atoms


def _table(table: PropertyTable | None) -> dict[str, float]:
    """The table. Raises InputError."""
    if table is None:
        return {}
    if isinstance(table, Mapping):
        return {str(name): float(value) for name, value in table.items()}
    return _table_in(Path(table))


def _table_in(path: Path) -> dict[str, float]:
    try:
        text = require_regular_file(path, LARGEST_TEXT).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: cannot be read as YAML: {' '.join(str(error).split())}"
        ) from error
    content = parse_yaml(text, path)
    if not isinstance(content, dict) or not all(
        isinstance(v, int | float) for v in content.values()
    ):
        raise InputError(
            f"{path}: expected lines `C11: 176.2`, names as `snap-al validate` prints them"
        )
    return {str(name): float(value) for name, value in content.items()}
