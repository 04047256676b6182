"""Properties of a potential with error bars, beside those of a labeler or a table.

Each draw from the posterior goes through the same steps as the mean, including relaxations. The std
of a property is that of its values over the draws. The mean, the draws and the labeler are tasks
that are distributed over ranks.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from ase.calculators.calculator import Calculator

from snap_al.data.json_text import count, number, part, text
from snap_al.errors import InputError, did_you_mean
from snap_al.parallel import Communicator, collectively
from snap_al.potential.snap_calculator import SnapCalculator
from snap_al.progress import Report, silent
from snap_al.validation.crystal import Crystal
from snap_al.validation.failures import failure_of
from snap_al.validation.properties import OF_ELEMENTS, PROPERTIES, Quantity

MEAN, LABELER = -1, -2
"""Numbers of tasks beside those of the draws."""
Values = dict[str, float]


@dataclass(frozen=True)
class Property:
    """One property of a crystal, by the potential and by a reference."""

    name: str
    """Name of the property."""
    unit: str
    """Unit of the values."""
    value: float | None
    """Value of the mean coefficients; None where it cannot be computed."""
    std: float | None
    """Std over the draws; None where it cannot be computed."""
    draws: int
    """Number of draws that gave a value."""
    reference: float | None = None
    """Value of the labeler or of the table; None without one."""
    note: str = ""
    """Which of several possible geometries the value belongs to."""

    @property
    def z(self) -> float | None:
        """Deviation from the reference in stds; None where it cannot be computed."""
        if self.value is None or self.reference is None or not self.std:
            return None
        z = (self.value - self.reference) / self.std
        return z if np.isfinite(z) else None

    def as_json(self) -> dict[str, float | str | int | None]:
        """The JSON object. Numbers that JSON does not have are None."""
        content = {**asdict(self), "z": self.z}
        return {
            name: None if isinstance(value, float) and not np.isfinite(value) else value
            for name, value in content.items()
        }

    @classmethod
    def from_json(cls, content: Any) -> Property:
        """The property of a JSON object; files of earlier versions have no note. Raises
        ValueError."""
        names = ("value", "std", "reference")
        value, std, reference = (
            None if part(content, name) is None else number(content, name) for name in names
        )
        note = text(content, "note") if "note" in content else ""
        known = (text(content, "name"), text(content, "unit"), value, std)
        return cls(*known, count(content, "draws"), reference, note)


@dataclass(frozen=True)
class Coverage:
    """How many references there are, and how many of them error bars hold."""

    n: int
    """Number of properties that have a reference and a std."""
    within_1std: float | None
    """Share of them that deviates by at most one std; None where there are none."""
    within_2std: float | None
    """Share of them that deviates by at most two stds; None where there are none."""

    def as_json(self) -> dict[str, float]:
        """The JSON object. Shares that are None are left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def coverage_of(properties: Iterable[Property]) -> Coverage:
    """How many of the references error bars hold."""
    z = np.array([abs(p.z) for p in properties if p.z is not None])
    if not len(z):
        return Coverage(0, None, None)
    return Coverage(len(z), float(np.mean(z <= 1)), float(np.mean(z <= 2)))


@dataclass(frozen=True)
class Materials:
    """All properties of a crystal."""

    properties: tuple[Property, ...]
    """The properties."""
    problems: tuple[str, ...]
    """What could not be computed, and why."""


def names_of(only: Sequence[str], crystal: Crystal) -> list[str]:
    """Groups of properties; all that the crystal can have when none are given. Raises InputError
    for a name that does not exist."""
    for name in only:
        if name not in PROPERTIES:
            raise InputError(f"--only {name}: {did_you_mean(name, PROPERTIES)}")
        if name in OF_ELEMENTS and not crystal.is_element:
            raise InputError(
                f"--only {name}: of a compound it depends on chemical potentials, and is computed "
                "for elements alone"
            )
    everything = [n for n in PROPERTIES if crystal.is_element or n not in OF_ELEMENTS]
    return list(dict.fromkeys(only)) or everything


@dataclass(frozen=True)
class References:
    """Values to compare with."""

    labeler: Calculator | None = None
    """Computes the properties, on one rank."""
    table: Values | None = None
    """Values by name of the property, in its unit. Those of the labeler take precedence."""


def measure(
    calculator: SnapCalculator,
    crystal: Crystal,
    names: Sequence[str],
    n_draws: int,
    rng: np.random.Generator,
    comm: Communicator,
    references: References | None = None,
    report: Report = silent,
) -> Materials:
    """Properties of a crystal, by the mean coefficients and by draws of them. Collective; rng is
    the same on all ranks.

    calculator: of the potential. names: groups of properties.
    """
    references = references or References()
    labeler = references.labeler
    draws = calculator.draws(n_draws, rng)
    tasks = [MEAN, *([LABELER] if labeler is not None else []), *range(n_draws)]
    local: dict[int, tuple[list[Quantity], list[str]]] = {}
    with collectively(comm):
        local_tasks = tasks[comm.rank :: comm.size]
        for n, task in enumerate(local_tasks):
            chosen = calculator if task == MEAN else labeler if task == LABELER else draws[task]
            assert chosen is not None
            local[task] = _computed(chosen, crystal, names)
            if task >= 0:
                draws[task].close()
            if comm.rank == 0:
                report("properties of each draw", n + 1, len(local_tasks))
    results = {task: result for part in comm.allgather(local) for task, result in part.items()}
    values = dict(references.table or {}) | (
        {q.name: q.value for q in results[LABELER][0]} if LABELER in results else {}
    )
    problems = [f"the potential: {p}" for p in results[MEAN][1]]
    problems += [f"the labeler: {p}" for p in results.get(LABELER, ([], []))[1]]
    return Materials(tuple(_with_stds(results, values)), tuple(problems))


def _computed(
    calculator: Calculator, crystal: Crystal, names: Sequence[str]
) -> tuple[list[Quantity], list[str]]:
    """The properties by a calculator, and those that could not be computed: a drawn potential may
    not have such a crystal. Raises what is no failure of a calculation, see failure_of."""
    quantities: list[Quantity] = []
    problems: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            relaxed = crystal.relaxed(calculator)
        except Exception as error:  # noqa: BLE001  failure_of raises what is no failure
            return [], [failure_of(error)]
        for name in names:
            try:
                quantities += [
                    q for q in PROPERTIES[name](calculator, relaxed) if np.isfinite(q.value)
                ]
            except Exception as error:  # noqa: BLE001
                problems.append(f"{name}: {failure_of(error)}")
    return quantities, problems


def _with_stds(
    results: dict[int, tuple[list[Quantity], list[str]]], references: Values
) -> list[Property]:
    units = {q.name: q.unit for quantities, _ in results.values() for q in quantities}
    notes = {q.name: q.note for quantities, _ in results.values() for q in quantities}
    order = [q.name for q in results[MEAN][0]]
    values = {
        task: {q.name: q.value for q in quantities} for task, (quantities, _) in results.items()
    }
    out = []
    for name in dict.fromkeys([*order, *units]):
        drawn = [
            values[task][name] for task in sorted(values) if task >= 0 and name in values[task]
        ]
        std = float(np.std(drawn, ddof=1)) if len(drawn) > 1 else None
        value, reference = values[MEAN].get(name), references.get(name)
        out.append(Property(name, units[name], value, std, len(drawn), reference, notes[name]))
    return out
