"""Labels by any ASE calculator, which is given by its dotted name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
from ase.calculators.calculator import (
    FileIOCalculator,
    PropertyNotImplementedError,
    get_calculator_class,
    names,
)
from ase.calculators.genericfileio import GenericFileIOCalculator

from snap_al.data.configuration import Configuration, Label, voigt
from snap_al.errors import InputError, LabelError
from snap_al.label.labeler import check_result
from snap_al.named import imported

FILE_CALCULATORS = (FileIOCalculator, GenericFileIOCalculator)
FLAGS = ("converged", "scf_converged")
TAIL = 4_000_000
"""Bytes, of output that is read."""
NOT_CONVERGED = re.compile(
    r"convergence NOT achieved|SCF run NOT converged|SCF not fully converged|SCF NOT "
    r"CONVERGED|did not converge",
    re.IGNORECASE,
)
"""Quantum ESPRESSO, CP2K, ORCA, and many others."""


class AseLabeler:
    """A fresh calculator for every label: nothing of one label reaches the next. writes_files: into
    the folder it is in.

    Raises InputError when the calculator cannot be imported or refuses its arguments.
    """

    def __init__(
        self,
        calculator: str,
        arguments: dict[str, Any] | None = None,
        magmoms: dict[str, float] | None = None,
    ) -> None:
        """calculator: dotted, or a name that ASE has. magmoms: μB, of each atom of an element to
        begin with, in structures that say nothing.
        """
        self._arguments, self._magmoms = dict(arguments or {}), dict(magmoms or {})
        self._factory = calculator_named(calculator)
        self._name = calculator
        settings = [calculator, self._arguments, *([self._magmoms] if magmoms else [])]
        self.key = json.dumps(settings, sort_keys=True, default=str)
        self.writes_files = isinstance(self.calculator(), FILE_CALCULATORS)

    def label(self, configuration: Configuration) -> Label:
        """Raises LabelError when the calculator fails, or returns what is not a label of this
        configuration.
        """
        atoms = configuration.to_atoms()
        if self._magmoms and configuration.spins is None:
            atoms.set_initial_magnetic_moments(
                [self._magmoms.get(s, 0.0) for s in configuration.species]
            )
        atoms.calc = self.calculator()
        try:
            energy = atoms.get_potential_energy()
            forces = np.array(atoms.get_forces(), dtype=float)
            stress = self._stress(atoms)
            _require_converged(atoms.calc)
            energy = atoms.calc.results.get("free_energy", energy)
            label = Label(float(energy), forces, stress)
        except Exception as error:
            raise LabelError(f"{self._name} raised {type(error).__name__}: {error}") from error
        if self._magmoms and configuration.spins is None:
            del atoms.arrays["initial_magmoms"]
        asked, answered = configuration, Configuration.from_atoms(atoms, label=Label())
        if answered.key != asked.key:
            raise LabelError(f"{self._name} changed the structure it was asked to label")
        return check_result(configuration, label)

    def _stress(self, atoms: Any) -> Any:
        if not all(atoms.pbc):
            return None
        try:
            return voigt(np.array(atoms.get_stress(), dtype=float))
        except (PropertyNotImplementedError, NotImplementedError):
            return None

    def calculator(self) -> Any:
        """A fresh one. Raises InputError when it refuses its arguments."""
        try:
            return self._factory(**self._arguments)
        except Exception as error:
            raise InputError(
                f"label.calculator: {self._name}({self._arguments}) failed: "
                f"{type(error).__name__}: {error}"
            ) from error


def _require_converged(calculator: Any) -> None:
    """Raises LabelError for a calculator that reports, by a flag or in its output, that its states
    are not converged, without raising an error."""
    for place in (vars(calculator), getattr(calculator, "results", {})):
        for name in FLAGS:
            if place.get(name) is False:
                raise LabelError(f"not converged: the calculator's {name} is False")
    for path in _outputs(calculator):
        text = path.read_bytes()[-TAIL:].decode(errors="replace")
        if match := NOT_CONVERGED.search(text):
            raise LabelError(f"not converged: {path.name} says {match.group(0)!r}")


def _outputs(calculator: Any) -> list[Path]:
    """The output files that exist, of those that ASE has a code write."""
    template, label = getattr(calculator, "template", None), getattr(calculator, "label", None)
    names = [
        getattr(template, "outputname", None),
        *(f"{label}{end}" for end in (".out", ".log") if label),
    ]
    folder = Path(getattr(calculator, "directory", None) or ".")
    return [path for name in names if name and (path := folder / name).is_file()]


def calculator_named(name: str) -> Callable[..., Any]:
    """Of a dotted name, or of one that ASE has (`espresso`, `vasp`, `cp2k`): which then finds
    command and files in ASE's own config file or variables. Raises InputError."""
    if "." in name or name not in names:
        return imported("label.calculator", name)
    try:
        return cast(Callable[..., Any], get_calculator_class(name))
    except Exception as error:
        raise InputError(
            f"label.calculator: {name} cannot be imported: {type(error).__name__}: {error}; is "
            "its package installed in this environment?"
        ) from error


def merged(arguments: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """The arguments with the changes, section by section."""
    both = {
        k: merged(arguments[k], v)
        if isinstance(v, dict) and isinstance(arguments.get(k), dict)
        else v
        for k, v in change.items()
    }
    return {**arguments, **both}
