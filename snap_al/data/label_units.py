"""Units of the labels in a file, as factors to eV, Å, eV/Å and eV/Å³."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ase import units
from pydantic import BaseModel


@dataclass(frozen=True)
class Factors:
    """Conversion factors from the units of a file."""

    energy: float = 1.0
    """To eV."""
    forces: float = 1.0
    """To eV/Å."""
    stress: float = 1.0
    """To eV/Å³, positive under tension."""
    virial: float = 1.0
    """To eV."""
    length: float = 1.0
    """Of positions, to Å."""
    cell: float = 1.0
    """Of cell vectors, to Å."""


class LabelUnits(BaseModel, extra="forbid", frozen=True):
    """Units of energy, length and stress in a file that does not use ASE's. Forces are in energy
    per length, and a virial is an energy."""

    energy: Literal["eV", "Ry", "Ha", "kcal/mol", "kJ/mol"] = "eV"
    """Unit of energies."""
    length: Literal["Angstrom", "Bohr", "nm"] = "Angstrom"
    """Unit of lengths."""
    stress: Literal["eV/Angstrom^3", "GPa", "kbar", "bar"] = "eV/Angstrom^3"
    """Unit of stresses."""
    stress_sign: Literal["tension", "pressure"] = "tension"
    """What is positive in a stress: tension, as ASE and the elastic constants have it, or pressure,
    as LAMMPS and VASP do. A virial is positive under pressure whatever stands here."""

    def factors(self) -> Factors:
        """Factors to eV, Å and eV/Å³, tension positive."""
        energy, length = _ENERGY[self.energy], _LENGTH[self.length]
        sign = 1.0 if self.stress_sign == "tension" else -1.0
        return Factors(energy, energy / length, sign * _STRESS[self.stress], energy, length, length)


_ENERGY = {
    "eV": 1.0,
    "Ry": units.Ry,
    "Ha": units.Ha,
    "kcal/mol": units.kcal / units.mol,
    "kJ/mol": units.kJ / units.mol,
}
_LENGTH = {"Angstrom": 1.0, "Bohr": units.Bohr, "nm": 10.0}
_STRESS = {"eV/Angstrom^3": 1.0, "GPa": units.GPa, "kbar": 0.1 * units.GPa, "bar": 1e-4 * units.GPa}
