"""FitSNAP's JSON files: one configuration per file, with units given by `…Style`, and the stress in
bar with LAMMPS' sign."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration, Label, energy_shift, voigt
from snap_al.data.fitsnap_units import FACTORS, factor
from snap_al.data.json_text import without_repeats
from snap_al.data.label_names import family_of, kind_that_it_looks_like
from snap_al.data.storage import require_regular_file
from snap_al.errors import InputError
from snap_al.units import ASE_STRESS_TO_ROWS

Array = NDArray[np.float64]
LABELS = ("Energy", "Forces", "Stress")


def read_json(
    path: Path,
    units: Mapping[str, float] | None = None,
    group: str = "",
    eshift: Mapping[str, float] | None = None,
) -> Configuration:
    """units: by quantity, for files that do not say. eshift: added to the energy for each atom of
    an element, in the file's own unit of energy, as FitSNAP does. Raises InputError for a file that
    is cut off or lacks something."""
    try:
        text = require_regular_file(path).read_text(encoding="utf-8")
        content = json.loads(
            text[text.index("{") :], parse_constant=_refuse, object_pairs_hook=without_repeats
        )
        dataset = content["Dataset"]
        (data,) = dataset["Data"]
        _require_known_labels(data)
        scale = {q: _factor(q, dataset, units or {}) for q in FACTORS}
        cell = _numbers(data["Lattice"], (3, 3)) * scale["Lattice"]
        positions = _numbers(data["Positions"], (-1, 3)) * scale["Positions"]
        n = len(positions)
        species = tuple(str(s) for s in data["AtomTypes"])
        label = Label(
            energy=(float(data["Energy"]) + energy_shift(species, eshift or {})) * scale["Energy"],
            forces=_numbers(data["Forces"], (n, 3)) * scale["Forces"] if "Forces" in data else None,
            stress=_stress(data["Stress"], scale["Stress"]) if "Stress" in data else None,
        )
        charges = _numbers(data["Charges"], (n,)) if "Charges" in data else None
        spins = _spins(data["Spins"], n) if "Spins" in data else None
    except RecursionError as error:
        raise InputError(f"{path}: no FitSNAP JSON: nested too deep") from error
    except (OSError, OverflowError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: no FitSNAP JSON: {type(error).__name__}: {error}") from error
    if len(species) != n:
        raise InputError(f"{path}: {len(species)} AtomTypes for {n} Positions")
    return Configuration(
        cell,
        positions,
        species,
        label=label,
        name=str(path),
        group=group,
        charges=charges,
        spins=spins,
    )


def is_fitsnap_json(beginning: bytes) -> bool:
    """Whether a file that begins with this text may be one. FitSNAP's files begin with a comment or
    a brace, and have a `Dataset`."""
    return beginning.lstrip()[:1] in (b"#", b"{") and b'"Dataset"' in beginning


def _require_known_labels(data: Mapping[str, Any]) -> None:
    for name in data:
        if name not in LABELS and (family_of(name) or kind_that_it_looks_like(name)):
            raise ValueError(
                f"{name} looks like a label, and is none of FitSNAP's, which are "
                f"{', '.join(LABELS)}"
            )


def _factor(quantity: str, dataset: dict[str, Any], units: Mapping[str, float]) -> float:
    style = dataset.get(f"{quantity}Style")
    return units.get(quantity, 1.0) if style is None else factor(quantity, str(style))


def _stress(values: Sequence[Any], bar: float) -> Array:
    return voigt(_numbers(values, (3, 3)) * bar) / ASE_STRESS_TO_ROWS


def _spins(values: Sequence[Any], n: int) -> Array:
    """Spins. FitSNAP has the length and direction of each."""
    given = _numbers(values, (n, 4))
    norms = np.linalg.norm(given[:, 1:], axis=1)
    return np.asarray(given[:, :1] * given[:, 1:] / np.where(norms > 0, norms, 1.0)[:, None])


def _numbers(values: Sequence[Any], shape: tuple[int, ...]) -> Array:
    return np.array(values, dtype=float).reshape(shape)


def _refuse(constant: str) -> float:
    raise ValueError(f"contains {constant}")
