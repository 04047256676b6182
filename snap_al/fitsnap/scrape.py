"""A deck's training set: FitSNAP JSON folders and extended XYZ files, by group, with sizes and weights as FitSNAP has them.

In both formats stress is in bar with LAMMPS' sign, and energies are shifted by [ESHIFT] for each atom.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration, Label, check_configuration, check_label, voigt
from snap_al.data.readers import read_frames
from snap_al.data.weights import Weights
from snap_al.descriptors import LabelledConfiguration
from snap_al.errors import InputError
from snap_al.fitsnap.deck import Deck, Group
from snap_al.units import ASE_STRESS_TO_ROWS

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scraped(LabelledConfiguration):
    """One configuration of a deck, and whether it is for testing."""

    testing: bool = False


def scrape(deck: Deck) -> list[Scraped]:
    """Groups in the deck's order, training before testing in each. Raises InputError naming file and group."""
    rng = None if deck.random_seed is None else random.Random(deck.random_seed)
    found: list[Scraped] = []
    for group in deck.groups:
        everything = _json_group(deck, group) if deck.scraper == "JSON" else _xyz_group(deck, group)
        if rng is not None:
            rng.shuffle(everything)
        n_training, n_testing = group_sizes(group, len(everything), deck.path)
        chosen = everything[:n_training] + everything[n_training : n_training + n_testing]
        for number, read in enumerate(chosen):
            testing = number >= n_training
            configuration = _checked(read(), deck, group)
            weights = _weights(deck, group, len(configuration), n_testing if testing else n_training)
            found.append(Scraped(configuration, weights, group.name, testing=testing))
    return found


def group_sizes(group: Group, n: int, path: Path) -> tuple[int, int]:
    """Training and testing configurations of a group of n, by FitSNAP's rules: shares are rounded, at least one."""
    training = _size(group.training_size, group.sizes_are_shares[0], n)
    testing = _size(group.testing_size, group.sizes_are_shares[1], n)
    if group.bare_size and group.testing_size == 0 and training < n and group.training_size < 1:
        testing = n - training
    if training > n:
        raise InputError(f"{path}: [GROUPS] {group.name}: {training} configurations for training, and there are {n}")
    return training, min(testing, n - training)


def _size(value: float, share: bool, n: int) -> int:
    if 0 < value < 1 or (value == 1 and share):
        return n if value == 1 else max(1, int(value * n + 0.5))
    return int(value)


def _json_group(deck: Deck, group: Group) -> list[Callable[[], Configuration]]:
    folder = deck.data / group.name
    files = sorted(folder.glob("*.json")) if folder.is_dir() else []
    if not files:
        raise InputError(f"{deck.path}: [GROUPS] {group.name}: no JSON files in {folder}")
    return [lambda path=path: read_json(path) for path in files]  # type: ignore[misc]


def read_json(path: Path) -> Configuration:
    """One FitSNAP JSON file. Raises InputError for one that is cut off or lacks something."""
    try:
        text = path.read_text()
        content = json.loads(text[text.index("{") :], parse_constant=_refuse)
        (data,) = content["Dataset"]["Data"]
        styles = {k: v for k, v in content["Dataset"].items() if k.endswith("Style")}
        cell = _numbers(data["Lattice"], (3, 3))
        positions = _numbers(data["Positions"], (-1, 3))
        energy = float(data["Energy"])
        forces = _numbers(data["Forces"], positions.shape) if "Forces" in data else None
        stress = _numbers(data["Stress"], (3, 3)) if "Stress" in data else None
        species = tuple(str(s) for s in data["AtomTypes"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: no FitSNAP JSON: {type(error).__name__}: {error}") from error
    bar = _bar_per_unit_of_stress(styles, path)
    label = Label(
        energy=energy,
        forces=forces,
        stress=None if stress is None else voigt(stress * bar) / ASE_STRESS_TO_ROWS,
    )
    if len(species) != len(positions):
        raise InputError(f"{path}: {len(species)} AtomTypes for {len(positions)} Positions")
    return Configuration(cell, positions, species, label=label, name=str(path))


METAL = {
    "Energy": ("electronvolt", "ev", "metal"),
    "Forces": ("electronvoltperangstrom", "evperangstrom", "ev/angstrom", "metal"),
    "Lattice": ("angstrom", "metal"),
    "Positions": ("angstrom", "metal"),
}
BAR = {"metal": 1.0, "bar": 1.0, "bars": 1.0, "kbar": 1000.0, "kb": 1000.0, "pa": 1e-5, "kpa": 0.01}


def _bar_per_unit_of_stress(styles: dict[str, Any], path: Path) -> float:
    """Stress may state its unit; any other quantity in units other than metal is refused."""
    stress = str(styles.get("StressStyle", "metal")).lower()
    if stress not in BAR:
        raise InputError(f"{path}: StressStyle {stress!r} is not known; there are {', '.join(BAR)}")
    for quantity, known in METAL.items():
        style = str(styles.get(f"{quantity}Style", known[0])).lower()
        if style not in known:
            raise InputError(f"{path}: {quantity}Style is {style!r}; only metal units can be read")
    return BAR[stress]


def _xyz_group(deck: Deck, group: Group) -> list[Callable[[], Configuration]]:
    for ending in (".extxyz", ".xyz"):
        path = deck.data / f"{group.name}{ending}"
        if path.is_file():
            break
    else:
        raise InputError(f"{deck.path}: [GROUPS] {group.name}: no {group.name}.extxyz or .xyz in {deck.data}")
    return [lambda c=c: _stress_from_bar(c) for c in read_frames(path, "extxyz")]  # type: ignore[misc]


def _stress_from_bar(configuration: Configuration) -> Configuration:
    label = configuration.label
    stress = None if label.stress is None else label.stress / ASE_STRESS_TO_ROWS
    return configuration.labelled(replace(label, stress=stress))


def _checked(configuration: Configuration, deck: Deck, group: Group) -> Configuration:
    """With the energy shifted, and only the kinds that the deck asks for."""
    where = f"{configuration.name}, group {group.name}"
    check_configuration(configuration, deck.settings.elements, where)
    check_label(configuration, where)
    label = configuration.label
    for wanted, kind in zip(deck.kinds, ("energy", "forces", "stress"), strict=True):
        if wanted and getattr(label, kind) is None:
            raise InputError(f"{where}: has no {kind}, which the deck's [CALCULATOR] asks for")
    shift = sum(deck.eshift.get(s, 0.0) for s in configuration.species)
    energy = None if label.energy is None or not deck.kinds[0] else label.energy + shift
    forces, stress = label.forces if deck.kinds[1] else None, label.stress if deck.kinds[2] else None
    return configuration.labelled(Label(energy, forces, stress))


def _weights(deck: Deck, group: Group, n_atoms: int, n_configurations: int) -> Weights:
    e, f, v = group.eweight, group.fweight, group.vweight
    if deck.smartweights:
        e, f, v = (w / n_configurations for w in (e, f, v))
        f /= 3 * n_atoms if deck.kinds[1] else 1
        f /= 6 if deck.kinds[2] else 1  # as FitSNAP has it: the force weight, not the stress weight
    return Weights(e, f, v)


def _numbers(values: Sequence[Any], shape: tuple[int, ...]) -> Array:
    return np.array(values, dtype=float).reshape(shape)


def _refuse(constant: str) -> float:
    raise ValueError(f"contains {constant}")
