"""Curves that show holes of a potential: pairs in vacuum, an atom pushed at its neighbour in the
crystal, and the crystal compressed.

SNAP is a polynomial in the descriptors. Beyond the training set its energy may fall where atoms
come close. These curves show how far MD is safe.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.units import GPa, kB
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration, Label
from snap_al.data.json_text import flag, numbers, numbers_or_nan, part, text, with_null
from snap_al.data.rows import STRESS, Kind
from snap_al.descriptors import Engine
from snap_al.inference import row_std
from snap_al.potential import FittedPotential
from snap_al.validation.crystal import Crystal, neighbour_of_first, with_calculator
from snap_al.validation.failures import failure_of

Array = NDArray[np.float64]
NEAREST, POINTS = 0.35, 40
"""Smallest distance of pairs, as a share of the crystal's nearest distance."""
EXPANDED, COMPRESSED, VOLUMES = 1.3, 0.5, 25
"""Shares of the relaxed volume."""
WALL = 20.0
"""In k_B T of the highest temperature: an energy barrier of this height keeps atoms apart in MD."""
ROUGH = 0.05
PRESSED = 0.7
"""Share of the volume down to which the pressure must rise."""
BAR_PER_GPA = 1e4
SUPERCELL = 9.0
"""Å, least edge of the supercell in which an atom is pushed at its neighbour."""


@dataclass(frozen=True)
class Curve:
    """A property along a path, with its std and whether the check passes."""

    name: str
    """Name of the check."""
    x_label: str
    """Label of the x axis, with its unit."""
    y_label: str
    """Label of the y axis, with its unit."""
    x: Array
    """(m,) abscissae."""
    value: Array
    """(m,) values of the potential."""
    std: Array
    """(m,) stds of the values."""
    reference: Array | None
    """(m,) values of the labeler, NaN where it fails; None without a labeler."""
    passed: bool
    """Whether the check passes."""
    finding: str
    """The result in words."""

    def as_json(self) -> dict[str, Any]:
        """The JSON object, with null for NaN."""
        reference = None if self.reference is None else with_null(self.reference)
        return {
            "name": self.name,
            "x_label": self.x_label,
            "y_label": self.y_label,
            "x": with_null(self.x),
            "value": with_null(self.value),
            "std": with_null(self.std),
            "reference": reference,
            "passed": bool(self.passed),
            "finding": self.finding,
        }

    @classmethod
    def from_json(cls, content: Any) -> Curve:
        """The curve of a JSON object. Raises ValueError."""
        name, x_label, y_label = (text(content, key) for key in ("name", "x_label", "y_label"))
        x = numbers_or_nan(content, "x")
        value, std = (numbers(content, key, x.shape) for key in ("value", "std"))
        missing = part(content, "reference") is None
        reference = None if missing else numbers(content, "reference", x.shape)
        passed, finding = flag(content, "passed"), text(content, "finding")
        return cls(name, x_label, y_label, x, value, std, reference, passed, finding)


def dimers(
    potential: FittedPotential,
    engine: Engine,
    crystal: Crystal,
    temperature: float,
    labeler: Calculator | None,
) -> Iterator[Curve]:
    """Each pair of elements in vacuum, from the cutoff inwards. temperature: K, the highest of
    use.
    """
    reach = potential.model.cutoff
    x = np.linspace(NEAREST * crystal.nearest, reach, POINTS)
    farthest = max(reach, potential.reference.longest_cutoff())
    for first, second in combinations_with_replacement(sorted(set(crystal.atoms.symbols)), 2):
        frames = [_pair(first, second, r, farthest) for r in x]
        yield _wall(
            f"{first}-{second} in vacuum",
            x,
            frames,
            potential,
            engine,
            labeler,
            temperature,
            crystal.nearest,
        )


def _pair(first: str, second: str, r: float, reach: float) -> Atoms:
    edge = 2.0 * reach + 5.0
    return Atoms(
        [first, second], positions=[[0, 0, 0], [r, 0, 0]], cell=[edge + reach, edge, edge], pbc=True
    )


def approach(
    potential: FittedPotential,
    engine: Engine,
    crystal: Crystal,
    temperature: float,
    labeler: Calculator | None,
) -> Curve:
    """One atom of the crystal pushed straight at its nearest neighbour, all others where they
    are.
    """
    perfect = crystal.supercell(SUPERCELL)
    _, vector = neighbour_of_first(perfect)
    nearest = float(np.linalg.norm(vector))
    x = np.linspace(NEAREST * nearest, nearest, POINTS)
    frames = []
    for r in x:
        atoms = perfect.copy()
        atoms.positions[0] += vector * (1.0 - r / nearest)
        frames.append(atoms)
    return _wall(
        "an atom pushed at its neighbour",
        x,
        frames,
        potential,
        engine,
        labeler,
        temperature,
        nearest,
    )


def _wall(
    name: str,
    x: Array,
    frames: list[Atoms],
    potential: FittedPotential,
    engine: Engine,
    labeler: Calculator | None,
    temperature: float,
    nearest: float,
) -> Curve:
    """Passes when the energy, from the nearest distance of the crystal inwards, rises by WALL k_B
    T, and does not fall after it has begun to rise."""
    value, std = _energies(potential, engine, frames)
    inward = np.flatnonzero(x <= 1.001 * nearest)[::-1]
    needed = WALL * kB * temperature
    top, climbed = wall(value[inward], needed)
    reached = f"{climbed:.2f} eV, at {x[inward][top]:.2f} Å"
    passed = climbed >= needed
    finding = (
        f"rises by {reached}: {WALL:g} k_B T at {temperature:.0f} K are {needed:.2f} eV"
        if passed
        else (
            f"rises by no more than {reached}, and {needed:.2f} eV keep atoms apart at "
            f"{temperature:.0f} K"
        )
    )
    reference = None
    if labeler is not None:
        reference = np.array([r.get("energy", np.nan) for r in _labels(labeler, frames)])
        reference -= reference[-1]
    return Curve(name, "distance, Å", "energy, eV", x, value, std, reference, passed, finding)


def wall(value: Array, wanted: float) -> tuple[int, float]:
    """Where a curve (m,) is highest before it falls, and how far above the lowest before that.

    It may fall to begin with, to the bottom of its well; once it has risen by ROUGH of `wanted` it
    may not fall by as much. Where it has risen by `wanted`, nothing beyond matters.
    """
    lowest = highest = value[0]
    top, rough = 0, ROUGH * wanted
    for k, v in enumerate(value):
        if v > highest:
            highest, top = v, k
        elif v < lowest and highest - lowest <= rough:
            lowest = highest = v
            top = k
        elif highest - lowest > rough and highest - v > rough:
            break
        if highest - lowest >= wanted:
            break
    return top, float(highest - lowest)


def compression(
    potential: FittedPotential, engine: Engine, crystal: Crystal, labeler: Calculator | None
) -> Curve:
    """Pressure of the crystal from expansion to half its volume."""
    x = np.linspace(COMPRESSED, EXPANDED, VOLUMES)
    frames = []
    for share in x:
        atoms = crystal.atoms.copy()
        atoms.set_cell(atoms.cell * share ** (1 / 3), scale_atoms=True)
        frames.append(atoms)
    value, std = _pressures(potential, engine, frames)
    falls = [k for k in range(VOLUMES - 1) if x[k] < 1.0 - 1e-9 and not value[k] > value[k + 1]]
    lowest = float(x[max(falls) + 1]) if falls else COMPRESSED
    finding = (
        f"the pressure rises down to {lowest:.2f} of the volume, where it is "
        f"{value[int(np.argmin(abs(x - lowest)))]:.0f} GPa"
    )
    reference = None
    if labeler is not None:
        stresses = [r.get("stress", np.full(6, np.nan)) for r in _labels(labeler, frames)]
        reference = -np.mean([s[:3] for s in stresses], axis=1) / GPa
    return Curve(
        "compression",
        "share of the volume",
        "pressure, GPa",
        x,
        value,
        std,
        reference,
        lowest <= PRESSED + 1e-9,
        finding,
    )


def _energies(
    potential: FittedPotential, engine: Engine, frames: list[Atoms]
) -> tuple[Array, Array]:
    """eV relative to the last frame, and the std of this difference."""
    rows = [engine.rows(Configuration.from_atoms(atoms, label=Label())) for atoms in frames]
    n = np.array([len(atoms) for atoms in frames])
    values, reference = (
        np.array([r.values[0] for r in rows]) * n[:, None],
        np.array([r.reference[0] for r in rows]) * n,
    )
    posterior, differences = potential.posterior, values - values[-1]
    std = posterior.recalibration[Kind.ENERGY] * row_std(differences, posterior.covariance)
    return posterior.mean_of(differences) + reference - reference[-1], std


def _pressures(
    potential: FittedPotential, engine: Engine, frames: list[Atoms]
) -> tuple[Array, Array]:
    """GPa, pressures and their stds."""
    rows = [engine.rows(Configuration.from_atoms(atoms, label=Label())) for atoms in frames]
    values = np.array([r.stress[:3].mean(axis=0) for r in rows]) / BAR_PER_GPA
    reference = np.array([r.reference[STRESS][:3].mean() for r in rows]) / BAR_PER_GPA
    posterior = potential.posterior
    return posterior.mean_of(values) + reference, posterior.recalibration[Kind.STRESS] * row_std(
        values, posterior.covariance
    )


def _labels(labeler: Calculator, frames: list[Atoms]) -> list[dict[str, Array]]:
    """Labels of the frames; an empty one where the labeler fails, since many codes cannot compute
    atoms that almost coincide. Raises what is no failure of a calculation, see failure_of."""
    labels = []
    for atoms in frames:
        trial = with_calculator(atoms, labeler)
        try:
            trial.get_potential_energy()
            labels.append(dict(labeler.results))
        except Exception as error:  # noqa: BLE001  failure_of raises what is no failure
            failure_of(error)
            labels.append({})
    return labels
