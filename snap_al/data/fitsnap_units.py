"""Units that FitSNAP's files name, as factors to eV, Å, eV/Å and bar.
https://fitsnap.github.io/Run/Run_input.html
"""

from __future__ import annotations

from ase import units

FACTORS: dict[str, dict[str, float]] = {
    "Energy": {
        "metal": 1.0,
        "ev": 1.0,
        "electronvolt": 1.0,
        "rydberg": units.Ry,
        "ry": units.Ry,
        "hartree": units.Ha,
        "real": units.kcal / units.mol,
        "kcal/mol": units.kcal / units.mol,
        "kj/mol": units.kJ / units.mol,
    },
    "Positions": {
        "metal": 1.0,
        "real": 1.0,
        "angstrom": 1.0,
        "angstroms": 1.0,
        "bohr": units.Bohr,
        "electron": units.Bohr,
        "nm": 10.0,
        "nano": 10.0,
        "si": 1e10,
    },
    "Forces": {
        "metal": 1.0,
        "ev/angstrom": 1.0,
        "electronvoltperangstrom": 1.0,
        "evperangstrom": 1.0,
        "rydberg/bohr": units.Ry / units.Bohr,
        "hartree/bohr": units.Ha / units.Bohr,
        "real": units.kcal / units.mol,
    },
    "Stress": {
        "metal": 1.0,
        "bar": 1.0,
        "bars": 1.0,
        "kbar": 1e3,
        "kb": 1e3,
        "pa": 1e-5,
        "si": 1e-5,
        "kpa": 1e-2,
        "mpa": 10.0,
        "gpa": 1e4,
        "atm": 1.01325,
        "real": 1.01325,
        "ev/angstrom^3": 1e-5 / units.Pascal,
    },
}
FACTORS["Lattice"] = FACTORS["Positions"]


def factor(quantity: str, unit: str) -> float:
    """Raises ValueError for a unit that is not known."""
    known = FACTORS[quantity]
    if unit.lower() not in known:
        raise ValueError(f"{quantity} in {unit!r} is not known; there are {', '.join(known)}")
    return known[unit.lower()]


def property_units(text: str) -> dict[str, float]:
    """FitSNAP's property_array, `Energy = energy Rydberg Metal; Stress = pressure kbar Metal`, by
    quantity.

    Raises ValueError for a quantity or unit that is not known, and for a target that is not Metal.
    """
    units: dict[str, float] = {}
    for item in text.replace("=", " ").replace(":", " ").replace(";", "\n").split("\n"):
        words = item.split()
        if not words or words == ["None"]:
            continue
        quantity = words[0].capitalize()
        if quantity not in FACTORS or len(words) != 4:
            raise ValueError(
                f"{item.strip()!r}: expected one of {', '.join(FACTORS)}, its kind, its unit, and "
                "Metal"
            )
        if words[3].lower() != "metal":
            raise ValueError(f"{item.strip()!r}: only Metal units can be converted to")
        units[quantity] = factor(quantity, words[2])
    return units
