"""FitSNAP's JSON: one configuration per file, units said by `…Style`, stress in bar with LAMMPS' sign."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration, Label, voigt
from snap_al.data.storage import require_regular_file
from snap_al.descriptors.reference import spin_vectors
from snap_al.errors import InputError
from snap_al.fitsnap.units import FACTORS, factor
from snap_al.units import ASE_STRESS_TO_ROWS

Array = NDArray[np.float64]


def read_json(path: Path, units: Mapping[str, float] | None = None) -> Configuration:
    """units: by quantity, for files that do not say. Raises InputError for a file that is cut off or lacks something."""
    try:
        text = require_regular_file(path).read_text()
        content = json.loads(text[text.index("{") :], parse_constant=_refuse)
        dataset = content["Dataset"]
        (data,) = dataset["Data"]
        scale = {q: _factor(q, dataset, units or {}) for q in FACTORS}
        cell = _numbers(data["Lattice"], (3, 3)) * scale["Lattice"]
        positions = _numbers(data["Positions"], (-1, 3)) * scale["Positions"]
        n = len(positions)
        species = tuple(str(s) for s in data["AtomTypes"])
        label = Label(
            energy=float(data["Energy"]) * scale["Energy"],
            forces=_numbers(data["Forces"], (n, 3)) * scale["Forces"] if "Forces" in data else None,
            stress=_stress(data["Stress"], scale["Stress"]) if "Stress" in data else None,
        )
        charges = _numbers(data["Charges"], (n,)) if "Charges" in data else None
        spins = _spins(data["Spins"], n) if "Spins" in data else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: no FitSNAP JSON: {type(error).__name__}: {error}") from error
    if len(species) != n:
        raise InputError(f"{path}: {len(species)} AtomTypes for {n} Positions")
    return Configuration(cell, positions, species, label=label, name=str(path), charges=charges, spins=spins)


def write_json(configuration: Configuration) -> str:
    """The same, from a labelled configuration: what `read_json` and FitSNAP read."""
    label = configuration.label
    data: dict[str, Any] = {
        "Lattice": configuration.cell.tolist(), "Positions": configuration.positions.tolist(),
        "AtomTypes": list(configuration.species), "NumAtoms": len(configuration), "Energy": label.energy,
    }  # fmt: skip
    if label.forces is not None:
        data["Forces"] = label.forces.tolist()
    if label.stress is not None:
        xx, yy, zz, yz, xz, xy = (label.stress * ASE_STRESS_TO_ROWS).tolist()
        data["Stress"] = [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]
    if configuration.charges is not None:
        data["Charges"] = configuration.charges.reshape(-1, 1).tolist()
    if configuration.spins is not None:
        vectors = spin_vectors(configuration.spins)
        lengths = np.linalg.norm(vectors, axis=1)[:, None]
        data["Spins"] = np.hstack([lengths, vectors / np.where(lengths > 0, lengths, 1.0)]).tolist()
    styles = {
        "EnergyStyle": "electronvolt", "ForcesStyle": "electronvoltperangstrom", "LatticeStyle": "angstrom",
        "PositionsStyle": "angstrom", "StressStyle": "bar", "AtomTypeStyle": "chemicalsymbol",
    }  # fmt: skip
    return json.dumps({"Dataset": {**styles, "Data": [data]}}) + "\n"


def _factor(quantity: str, dataset: dict[str, Any], units: Mapping[str, float]) -> float:
    style = dataset.get(f"{quantity}Style")
    return units.get(quantity, 1.0) if style is None else factor(quantity, str(style))


def _stress(values: Sequence[Any], bar: float) -> Array:
    return voigt(_numbers(values, (3, 3)) * bar) / ASE_STRESS_TO_ROWS


def _spins(values: Sequence[Any], n: int) -> Array:
    """FitSNAP has length and direction of each."""
    given = _numbers(values, (n, 4))
    norms = np.linalg.norm(given[:, 1:], axis=1)
    return np.asarray(given[:, :1] * given[:, 1:] / np.where(norms > 0, norms, 1.0)[:, None])


def _numbers(values: Sequence[Any], shape: tuple[int, ...]) -> Array:
    return np.array(values, dtype=float).reshape(shape)


def _refuse(constant: str) -> float:
    raise ValueError(f"contains {constant}")
