"""A deck's training set, by group, with sizes and weights as FitSNAP has them.

Stress is in bar with LAMMPS' sign, and cells stand in LAMMPS' axes, as they do in FitSNAP's rows.
[ESHIFT] is added for each atom in the energy unit of the file, before the energy is converted to
eV, as FitSNAP does.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from snap_al.data import LabelledConfiguration
from snap_al.data.configuration import (
    Configuration,
    Label,
    check_configuration,
    check_label,
    shifted,
)
from snap_al.data.label_units import Factors
from snap_al.data.readers import read_frames
from snap_al.data.rows import KIND_NAMES
from snap_al.data.weights import Weights
from snap_al.descriptors.reference import spin_vectors
from snap_al.errors import InputError
from snap_al.fitsnap.deck import Deck, Group
from snap_al.fitsnap.json_files import read_json
from snap_al.fitsnap.vasp import outcars, read_outcar
from snap_al.sessions import box_of
from snap_al.units import ASE_STRESS_TO_ROWS

Reader = Callable[[], Configuration]


@dataclass(frozen=True)
class Scraped(LabelledConfiguration):
    """One configuration of a deck, and whether it is for testing."""

    testing: bool = False
    """Whether the configuration is for testing."""


def scrape(deck: Deck, *, strict: bool = True) -> tuple[list[Scraped], list[str]]:
    """Groups in the deck's order, training before testing in each; and, if not strict, what was
    left out and why.

    Raises InputError naming group and file: for a group without files, and, if strict, for a file
    that cannot be used.
    """
    rng = None if deck.random_seed is None else random.Random(deck.random_seed)
    found: list[Scraped] = []
    left_out: list[str] = []
    for group in deck.groups:
        everything = _readers(deck, group, left_out, strict)
        if rng is not None:
            rng.shuffle(everything)
        n_training, n_testing = group_sizes(group, len(everything), deck)
        for number, read in enumerate(everything[: n_training + n_testing]):
            testing = number >= n_training
            try:
                configuration = _usable(read(), deck, group)
            except InputError as error:
                if strict:
                    raise
                left_out.append(_with_group(error, group))
                continue
            weights = _weights(
                deck, group, len(configuration), n_testing if testing else n_training
            )
            source = str(deck.data / group.name)
            found.append(
                Scraped(configuration, weights, group.name, source=source, testing=testing)
            )
    if not found:
        first = f"; the first: {left_out[0]}" if left_out else ": the groups' sizes are all zero"
        raise InputError(f"{deck.path}: none of its configurations can be used{first}")
    return found, left_out


def group_sizes(group: Group, n: int, deck: Deck) -> tuple[int, int]:
    """Training and testing configurations of a group of n, by FitSNAP's rules: shares are rounded,
    at least one.
    """
    training = _size(group.training_size, group.sizes_are_shares[0], n)
    testing = _size(group.testing_size, group.sizes_are_shares[1], n)
    if group.bare_size and group.testing_size == 0 and training < n and group.training_size < 1:
        testing = n - training
    if training > n:
        raise InputError(
            f"{deck.path}: [GROUPS] {group.name}: {training} configurations for training, and "
            f"there are {n}"
        )
    return training, min(testing, n - training)


def _size(value: float, share: bool, n: int) -> int:
    if 0 < value < 1 or (value == 1 and share):
        return n if value == 1 else max(1, int(value * n + 0.5))
    return int(value)


def _readers(deck: Deck, group: Group, left_out: list[str], strict: bool) -> list[Reader]:
    """One for each configuration of a group, in the order of the files' names. Raises InputError
    when there is none.
    """
    if deck.scraper == "JSON":
        folder = deck.data / group.name
        files = sorted(folder.glob("*.json")) if folder.is_dir() else []
        if not files:
            raise InputError(f"{deck.path}: [GROUPS] {group.name}: no JSON files in {folder}")
        return [partial(read_json, path, deck.units, eshift=deck.eshift) for path in files]
    if deck.scraper == "XYZ":
        frames = _xyz_frames(deck, group, None if strict else left_out)
        ev = deck.units.get("Energy", 1.0)
        eshift = {element: shift * ev for element, shift in deck.eshift.items()}
        return [partial(_shifted, c, eshift) for c in frames]
    found = outcars(deck.data / group.name)
    if not found:
        raise InputError(
            f"{deck.path}: [GROUPS] {group.name}: no OUTCAR below {deck.data / group.name}"
        )
    steps: list[Configuration] = []
    remarks: list[str] = []
    for path in found:
        try:
            steps += read_outcar(
                path,
                total_energy=deck.total_energy,
                skip_incomplete=deck.skip_incomplete,
                remarks=remarks,
            )
        except InputError as error:
            if strict:
                raise
            left_out.append(_with_group(error, group))
    left_out += [f"{text} (group {group.name})" for text in remarks]
    if not steps:
        raise InputError(
            f"{deck.path}: [GROUPS] {group.name}: no OUTCAR can be used; the first: {left_out[-1]}"
        )
    return [partial(_shifted, c, deck.eshift) for c in steps]


def _xyz_frames(deck: Deck, group: Group, problems: list[str] | None) -> list[Configuration]:
    for ending in (".extxyz", ".xyz"):
        path = deck.data / f"{group.name}{ending}"
        if path.is_file():
            return read_frames(path, "extxyz", problems, _factors(deck.units))
    raise InputError(
        f"{deck.path}: [GROUPS] {group.name}: no {group.name}.extxyz or .xyz in {deck.data}"
    )


def _shifted(configuration: Configuration, eshift: dict[str, float]) -> Configuration:
    """eshift: eV per atom of an element."""
    return configuration.labelled(shifted(configuration.label, configuration.species, eshift))


def _factors(units: dict[str, float]) -> Factors:
    """FitSNAP's XYZ files have stress in bar, or in property_array's unit, where ASE expects
    eV/Å³.
    """
    energy, length = units.get("Energy", 1.0), units.get("Positions", 1.0)
    return Factors(
        energy=energy,
        forces=units.get("Forces", 1.0),
        stress=units.get("Stress", 1.0) / ASE_STRESS_TO_ROWS,
        virial=energy,
        length=length,
        cell=units.get("Lattice", length),
    )


def _usable(configuration: Configuration, deck: Deck, group: Group) -> Configuration:
    """With only the kinds that the deck asks for, and LAMMPS' axes. Raises InputError."""
    where = f"{configuration.name}, group {group.name}"
    configuration = replace(configuration, name=where)
    check_configuration(configuration, deck.settings.elements, where)
    check_label(configuration, where)
    label = configuration.label
    for wanted, kind in zip(deck.kinds, KIND_NAMES, strict=True):
        if wanted and getattr(label, kind) is None:
            raise InputError(f"{where}: has no {kind}, which the deck's [CALCULATOR] asks for")
    kept = [
        getattr(label, kind) if wanted else None
        for wanted, kind in zip(deck.kinds, KIND_NAMES, strict=True)
    ]
    return in_lammps_axes(configuration.labelled(Label(*kept)))


def in_lammps_axes(configuration: Configuration) -> Configuration:
    """The same with its cell lower triangular; positions, forces, stress and spins turn with it.

    FitSNAP fits these components. Stress components weigh differently in other axes, so a fit does
    too.
    """
    if not all(configuration.pbc):
        return configuration
    box = box_of(configuration, vacuum=0.0)
    if not box.turned:
        return configuration
    label = configuration.label
    return replace(
        configuration,
        cell=box.lower,
        positions=box.positions,
        spins=None
        if configuration.spins is None
        else box.axial_vectors(spin_vectors(configuration.spins)),
        label=Label(
            label.energy,
            None if label.forces is None else label.forces @ box.rotation.T,
            None
            if label.stress is None
            else np.asarray(np.linalg.solve(box.stress_map(), label.stress)),
        ),
    )


def _weights(deck: Deck, group: Group, n_atoms: int, n_configurations: int) -> Weights:
    e, f, v = group.eweight, group.fweight, group.vweight
    if deck.smartweights:
        e, f, v = (w / n_configurations for w in (e, f, v))
        f /= 3 * n_atoms if deck.kinds[1] else 1
        f /= 6 if deck.kinds[2] else 1  # as FitSNAP has it: the force weight, not the stress weight
    return Weights(e, f, v)


def _with_group(error: InputError, group: Group) -> str:
    return str(error) if f"group {group.name}" in str(error) else f"{error} (group {group.name})"
