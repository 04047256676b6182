"""Configurations from files that ASE reads, checked before anything uses them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import ase.io
from ase import Atoms
from pydantic import AfterValidator, ValidationInfo

from snap_al.data.configuration import Configuration, check_configuration, check_label
from snap_al.errors import InputError


def _beside_config(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    return path if folder is None or path.is_absolute() else Path(folder) / path


ConfigPath = Annotated[Path, AfterValidator(_beside_config)]
"""A path in a config, relative to the config file."""


def read_configurations(path: Path, elements: tuple[str, ...], *, labelled: bool) -> list[Configuration]:
    """Every frame of a file. Raises InputError naming file and frame for what cannot be used."""
    configurations = read_frames(path)
    for configuration in configurations:
        check_configuration(configuration, elements, configuration.name)
        if labelled:
            check_label(configuration, configuration.name)
    return configurations


def read_frames(path: Path, format: str | None = None) -> list[Configuration]:
    """Every frame as it is, named by file and number. format: ASE's name of it, found out when not given. Raises InputError."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        frames = ase.io.read(path, index=":", format=format)
    except Exception as error:
        raise InputError(f"{path}: ASE cannot read it: {type(error).__name__}: {error}") from error
    if not frames:
        raise InputError(f"{path}: no configurations in it")
    return [_configuration(atoms, f"{path}, frame {number}") for number, atoms in enumerate(frames)]


def _configuration(atoms: Atoms, where: str) -> Configuration:
    try:
        return Configuration.from_atoms(atoms, name=where)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: a label is not made of numbers: {error}") from error
