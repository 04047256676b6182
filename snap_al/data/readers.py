"""Configurations from files that ASE reads, checked before anything uses them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from ase import Atoms, units
from pydantic import AfterValidator, BaseModel, ValidationInfo

from snap_al.data.configuration import Configuration, Label, check_configuration, check_label
from snap_al.data.storage import expanded
from snap_al.errors import InputError


def _beside_config(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    path = expanded(path)
    return path if folder is None or path.is_absolute() else Path(folder) / path


MOST_COLUMNS = 10_000
"""Of a frame, more than any program writes."""
ConfigPath = Annotated[Path, AfterValidator(_beside_config)]
"""A path in a config, relative to the config file; `~` is the home directory."""


class LabelUnits(BaseModel, extra="forbid", frozen=True):
    """Units of energy, length and stress in a file that does not keep to ASE's. Forces are in energy per length."""

    energy: Literal["eV", "Ry", "Ha", "kcal/mol", "kJ/mol"] = "eV"
    length: Literal["Angstrom", "Bohr", "nm"] = "Angstrom"
    stress: Literal["eV/Angstrom^3", "GPa", "kbar", "bar"] = "eV/Angstrom^3"
    stress_sign: Literal["tension", "pressure"] = "tension"
    """What is positive: tension, as ASE and the elastic constants have it, or pressure, as LAMMPS and VASP do."""

    def converted(self, configuration: Configuration) -> Configuration:
        """In eV, Å and eV/Å³, tension positive."""
        if self == LabelUnits():
            return configuration
        energy, length = _ENERGY[self.energy], _LENGTH[self.length]
        stress = _STRESS[self.stress] * (1.0 if self.stress_sign == "tension" else -1.0)
        label = configuration.label
        return replace(
            configuration, cell=configuration.cell * length, positions=configuration.positions * length,
            label=Label(
                None if label.energy is None else label.energy * energy,
                None if label.forces is None else label.forces * (energy / length),
                None if label.stress is None else label.stress * stress,
            ),
        )  # fmt: skip


_ENERGY = {
    "eV": 1.0,
    "Ry": units.Ry,
    "Ha": units.Ha,
    "kcal/mol": units.kcal / units.mol,
    "kJ/mol": units.kJ / units.mol,
}
_LENGTH = {"Angstrom": 1.0, "Bohr": units.Bohr, "nm": 10.0}
_STRESS = {"eV/Angstrom^3": 1.0, "GPa": units.GPa, "kbar": 0.1 * units.GPa, "bar": 1e-4 * units.GPa}


def read_configurations(
    path: Path, elements: tuple[str, ...], *, labelled: bool, units: LabelUnits | None = None,
    problems: list[str] | None = None,
) -> list[Configuration]:  # fmt: skip
    """Every frame of a file: extended XYZ, an ASE database, anything that ASE reads.

    Raises InputError naming file and frame for what cannot be used; with `problems` it is left out and noted there.
    """
    found: list[Configuration] = []
    for configuration in read_frames(path, problems=problems):
        try:
            check_configuration(configuration, elements, configuration.name)
            if labelled:
                check_label(configuration, configuration.name)
        except InputError as error:
            if problems is None:
                raise
            problems.append(str(error))
            continue
        found.append(configuration if units is None else units.converted(configuration))
    return found


def read_frames(path: Path, format: str | None = None, problems: list[str] | None = None) -> list[Configuration]:
    """Every frame as it is, named by file and number. format: ASE's name of it, found out when not given.

    Raises InputError for what cannot be read; with `problems` it is noted there, and what could be read is returned.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    frames: list[Atoms] = []
    found: list[Configuration] = []
    try:
        for atoms in _iterate(path, format):
            frames.append(atoms)
    except Exception as error:
        message = f"{path}: ASE cannot read it: {type(error).__name__}: {error}"
        if problems is None or not frames:
            raise InputError(message) from error
        problems.append(f"{message} (after frame {len(frames) - 1})")
    for number, atoms in enumerate(frames):
        try:
            found.append(_configuration(atoms, f"{path}, frame {number}"))
        except InputError as error:
            if problems is None:
                raise
            problems.append(str(error))
    if not found:
        raise InputError(f"{path}: no configurations in it")
    return found


def _iterate(path: Path, format: str | None) -> Iterator[Atoms]:
    import ase.io  # late: it is slow to import

    if format is None and path.suffix == ".db":
        yield from _database(path)
    else:
        if path.suffix in (".xyz", ".extxyz"):
            _require_possible(path)
        yield from (atoms for atoms in ase.io.iread(path, ":", format) if isinstance(atoms, Atoms))


def _require_possible(path: Path) -> None:
    """Raises ValueError for a frame of more atoms, or columns, than the file can hold: ASE would count up to them, for hours."""
    with open(path, errors="replace") as file:
        lines = sum(1 for _ in file)
        file.seek(0)
        while (count := _whole(file.readline())) is not None:
            if count > lines:
                raise ValueError(f"a frame of {count} atoms in a file of {lines} lines")
            columns = sum(int(n) for n in re.findall(r":[SRIL]:(\d+)", file.readline()))
            if columns > MOST_COLUMNS:
                raise ValueError(f"a frame of {columns} columns")
            for _ in range(count):
                file.readline()


def _whole(line: str) -> int | None:
    """What ASE would take for a number of atoms; None where it would stop."""
    try:
        return int(line)
    except ValueError:
        return None


def _database(path: Path) -> list[Atoms]:
    """Without ASE's lock file: one that a killed writer left is waited for without end."""
    import ase.db  # late: it is slow to import

    with ase.db.connect(path, use_lock_file=False) as database:
        return [_from_row(row) for row in database.select()]


def _from_row(row: Any) -> Atoms:
    """`REF_energy` and `REF_stress` may stand among a row's key-value pairs, and all `REF_*` in its data."""
    atoms: Atoms = row.toatoms()
    for name, value in {**row.key_value_pairs, **row.data}.items():
        if name == "REF_forces":
            atoms.arrays[name] = np.array(value, dtype=float)
        elif name.startswith("REF_"):
            atoms.info[name] = value
    return atoms


def _configuration(atoms: Atoms, where: str) -> Configuration:
    try:
        return Configuration.from_atoms(atoms, name=where)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: a label is not made of numbers: {error}") from error
