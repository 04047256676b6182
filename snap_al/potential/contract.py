"""What every calculator of a potential must do, this project's or another's: laws that do not need
to know the truth.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from numpy.typing import NDArray

Array = NDArray[np.float64]
DIFFERENCE = 1e-6
"""Forces (eV/Å) and stress (eV/Å³) may differ by this share of the largest, and as much again in
their own unit, from finite differences.
"""
EXACT = 1e-9
"""The same of two evaluations that mathematics says are equal."""
ANGLE, AXIS = 37.0, (1, 2, 3)


def validate_calculator(calculator: Calculator, atoms: Atoms, seed: int = 0) -> None:
    """Forces and stress against energies; translation, rotation, permutation, supercell. Raises
    AssertionError saying which.

    atoms: periodic, of the elements that the calculator knows, without a symmetry under which
    forces vanish. Stds, where the calculator has them, obey the same laws: of an energy as the
    energy does, of a force or stress by the sum of their squares.
    """
    here = _evaluated(calculator, atoms)
    _derivatives(calculator, atoms, here)
    rng = np.random.default_rng(seed)

    moved = atoms.copy()
    moved.positions += rng.uniform(-3, 3, 3)
    moved.wrap()
    _same("translation", here, _evaluated(calculator, moved), np.arange(len(atoms)), np.eye(3))

    turned = atoms.copy()
    turned.rotate(ANGLE, AXIS, rotate_cell=True)
    rotation = np.linalg.solve(atoms.cell.array, turned.cell.array)
    _same("rotation", here, _evaluated(calculator, turned), np.arange(len(atoms)), rotation)

    order = rng.permutation(len(atoms))
    _same("permutation", here, _evaluated(calculator, atoms[order]), order, np.eye(3))

    double = _evaluated(calculator, atoms * (1, 2, 1))
    order = np.concatenate([np.arange(len(atoms))] * 2)
    _same("supercell", here, double, order, np.eye(3), times=2)


def _evaluated(calculator: Calculator, atoms: Atoms) -> dict[str, Array]:
    trial = atoms.copy()
    trial.calc = calculator
    trial.get_potential_energy()
    trial.get_forces()
    trial.get_stress()
    return {name: np.array(value, dtype=float) for name, value in calculator.results.items()}


def _derivatives(calculator: Calculator, atoms: Atoms, here: dict[str, Array]) -> None:
    trial = atoms.copy()
    trial.calc = calculator
    few = sorted({0, len(atoms) // 2, len(atoms) - 1})
    _close(
        "forces against energies",
        here["forces"][few],
        calculate_numerical_forces(trial, eps=1e-4, iatoms=few),
        DIFFERENCE,
    )
    _close(
        "stress against energies",
        here["stress"],
        calculate_numerical_stress(trial, eps=1e-5),
        DIFFERENCE,
    )


def _same(
    law: str,
    here: dict[str, Array],
    there: dict[str, Array],
    order: NDArray[np.int64],
    rotation: Array,
    times: int = 1,
) -> None:
    """order: which atom of `here` each atom of `there` is. rotation: row vectors of here @ rotation
    are those of there.
    """
    for name in ("energy", "energy_std"):
        if name in here:
            _close(f"{law}: {name}", times * here[name], there[name])
    for name in ("energies", "energies_std"):
        if name in here:
            _close(f"{law}: {name}", here[name][order], there[name])
    _close(f"{law}: forces", here["forces"][order] @ rotation, there["forces"])
    _close(
        f"{law}: stress", rotation.T @ _tensor(here["stress"]) @ rotation, _tensor(there["stress"])
    )
    if "forces_std" in here:
        squares = [
            np.square(stds).sum(axis=1) for stds in (here["forces_std"][order], there["forces_std"])
        ]
        _close(f"{law}: forces_std", *squares)
    if "stress_std" in here:
        _close(
            f"{law}: stress_std",
            *(np.square(_tensor(r["stress_std"])).sum() for r in (here, there)),
        )


def _tensor(stress: Array) -> Array:
    xx, yy, zz, yz, xz, xy = stress
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


def _close(what: str, expected: Array, found: Array, tolerance: float = EXACT) -> None:
    largest = float(np.abs(np.asarray(expected) - found).max())
    allowed = tolerance * (1.0 + float(np.abs(expected).max()))
    assert largest <= allowed, f"{what}: differs by {largest:.3g}, allowed are {allowed:.3g}"
