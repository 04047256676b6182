"""What every model, and every calculator of a potential, must do, this project's or another's: laws
that do not need to know the truth.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration, Label
from snap_al.data.rows import kinds_of, n_rows
from snap_al.descriptors import ReferencePotential
from snap_al.inference import fit_posterior
from snap_al.potential.model import Model
from snap_al.potential.output import FittedPotential
from snap_al.potential.snap_calculator import CoefficientsCalculator, SnapCalculator
from snap_al.sessions import LammpsSettings

Array = NDArray[np.float64]
DIFFERENCE = 1e-6
"""Forces (eV/Å) and stress (eV/Å³) may differ by this share of the largest, and as much again in
their own unit, from finite differences.
"""
EXACT = 1e-9
"""The same of two evaluations that mathematics says are equal."""
ANGLE, AXIS = 37.0, (1, 2, 3)


def validate_model(
    model: Model, atoms: Atoms, seed: int = 0, tolerance: float = DIFFERENCE
) -> None:
    """What a model says of itself agrees. Raises AssertionError saying what does not.

    Rows of single atoms add up to the energy row, force and stress rows are derivatives of energy
    rows, LAMMPS computes from the model's files what the rows give, and the monitor's stds are
    those of the rows.

    Parameters
    ----------
    model : Model
    atoms : ase.Atoms
        Periodic, of the model's elements, without a symmetry under which forces vanish.
    seed : int
        Of the coefficients that are tried.
    tolerance : float
        Share of the largest value that two ways may differ by.
    """
    configuration = Configuration.from_atoms(atoms, label=Label())
    n, rng = len(atoms), np.random.default_rng(seed)
    with model.engine(ReferencePotential()) as engine:
        rows, of_atoms, _ = engine.rows_with_atoms(configuration)
    assert rows.values.shape == (n_rows(n), model.columns.n_distinct), "rows have another shape"
    assert len(model.column_names()) == model.columns.n_distinct, "a column has no name"
    _close("the energy row against those of atoms", of_atoms.mean(axis=0), rows.energy[0])
    kinds = kinds_of(n)
    posterior = fit_posterior(rows.values, rng.standard_normal(len(kinds)), kinds=kinds)
    potential = FittedPotential(model, ReferencePotential(), posterior)
    by_rows, by_lammps = SnapCalculator(potential), SnapCalculator(potential, stds=False)
    here, there = _evaluated(by_rows, atoms), _evaluated(by_lammps, atoms)
    for name in ("energy", "forces", "stress"):
        _close(f"{name} of LAMMPS against the rows", here[name], there[name], tolerance)
    _derivatives(by_rows, atoms, here, tolerance)
    monitored = CoefficientsCalculator(potential, posterior.mean, LammpsSettings())
    force_std, energy_std = monitored.stds(configuration)
    _close("force stds of the monitor", posterior.atom_force_std(rows.forces), force_std, tolerance)
    _close("energy stds of the monitor", here["energies_std"], energy_std, tolerance)
    for calculator in (by_rows, by_lammps, monitored):
        calculator.close()


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


def _derivatives(
    calculator: Calculator, atoms: Atoms, here: dict[str, Array], tolerance: float = DIFFERENCE
) -> None:
    trial = atoms.copy()
    trial.calc = calculator
    few = sorted({0, len(atoms) // 2, len(atoms) - 1})
    _close(
        "forces against energies",
        here["forces"][few],
        calculate_numerical_forces(trial, eps=1e-4, iatoms=few),
        tolerance,
    )
    _close(
        "stress against energies",
        here["stress"],
        calculate_numerical_stress(trial, eps=1e-5),
        tolerance,
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
