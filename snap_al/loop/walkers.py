"""Walkers of a config: a structure, changes to it, and values that are varied between walkers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Annotated

import numpy as np
from pydantic import BaseModel, BeforeValidator, Field

from snap_al.data.configuration import Configuration
from snap_al.data.starting_set import StructureSource
from snap_al.data.structures import (
    recomposed,
    strained,
    with_interstitials,
    with_surface,
    with_vacancies,
)
from snap_al.errors import InputError
from snap_al.md.settings import Ramp


class Spread(BaseModel, extra="forbid", frozen=True):
    """Evenly spaced values."""

    start: float = Field(alias="from")
    """First value."""
    stop: float = Field(alias="to")
    """Last value."""
    count: int = Field(ge=2, le=10_000)
    """Number of values."""

    def values(self) -> list[float]:
        return [float(v) for v in np.linspace(self.start, self.stop, self.count)]


def _expanded(value: object) -> object:
    if isinstance(value, dict) and "from" in value:
        return Spread.model_validate(value).values()
    return value if isinstance(value, list | tuple) else [value]


class Vary(BaseModel, extra="forbid", frozen=True):
    """Each combination of values is a walker. Lists, or {from: …, to: …, count: …}."""

    temperature: Annotated[tuple[Ramp, ...], BeforeValidator(_expanded)] = ()
    """K; an entry may be a ramp [start, stop]. It holds in stages that do not give their own."""
    pressure: Annotated[tuple[Ramp, ...], BeforeValidator(_expanded)] = ()
    """bar; as for temperature."""
    strain: Annotated[tuple[float, ...], BeforeValidator(_expanded)] = ()
    """Strain of all lengths of the structure."""
    composition: tuple[dict[str, float], ...] = ()
    """Fractions of elements, distributed at random over the sites of the structure."""
    seeds: int = Field(default=1, ge=1, le=10_000)
    """Number of walkers that differ in their random numbers alone."""

    def variants(self) -> Iterator[Variant]:
        """Each combination of values."""
        for values in product(
            self.temperature or (None,),
            self.pressure or (None,),
            self.strain or (None,),
            self.composition or (None,),
            range(self.seeds),
        ):
            yield Variant(*values)


@dataclass(frozen=True)
class Variant:
    """One combination of the values that are varied. None keeps the value of the structure or the
    protocol."""

    temperature: Ramp | None
    """K."""
    pressure: Ramp | None
    """bar."""
    strain: float | None
    """Strain of all lengths."""
    composition: dict[str, float] | None
    """Fractions of elements."""
    copy: int
    """Number among the walkers with the same values."""


class Surface(BaseModel, extra="forbid", frozen=True):
    """Opens the cell along one of its vectors."""

    axis: Annotated[int, Field(ge=0, le=2)] = 2
    """Number of the cell vector."""
    vacuum: float = Field(default=12.0, gt=0)
    """Å, length of the vacuum."""


class WalkerSettings(StructureSource, extra="forbid", frozen=True):
    """One walker per frame of the file, and per combination of what varies."""

    vacancies: int = Field(default=0, ge=0)
    """Number of atoms that are taken out at random."""
    interstitials: dict[str, Annotated[int, Field(ge=1)]] = Field(default={})
    """Number of atoms of each element that are added, each where there is most room."""
    surface: Surface | None = None
    """Opens the cell to a surface; none when not given."""
    vary: Vary = Vary()
    """Values that are varied between walkers."""

    def walkers(self, elements: tuple[str, ...], seed: int, number: int) -> list[Walker]:
        """The walkers of this entry. The same seed gives the same bits. Raises InputError.

        number: number of this entry in the config.
        """
        walkers: list[Walker] = []
        for base in self.read(elements):
            for variant in self.vary.variants():
                rng = np.random.default_rng([seed, 5, number, len(walkers)])
                walkers.append(self._walker(base, variant, elements, rng))
        return walkers

    def _walker(
        self,
        base: Configuration,
        variant: Variant,
        elements: tuple[str, ...],
        rng: np.random.Generator,
    ) -> Walker:
        structure, name = base, [base.name]
        if variant.strain is not None:
            structure = strained(structure, variant.strain)
            name.append(f"strain {variant.strain:g}")
        if variant.composition is not None:
            _known(variant.composition, elements)
            structure = recomposed(structure, variant.composition, rng)
            name.append(" ".join(f"{e} {f:g}" for e, f in variant.composition.items()))
        if self.vacancies:
            structure = with_vacancies(structure, self.vacancies, rng)
            name.append(f"{self.vacancies} vacancies")
        if self.surface is not None:
            structure = with_surface(structure, self.surface.axis, self.surface.vacuum)
            name.append("surface")
        if self.interstitials:
            _known(self.interstitials, elements)
            structure = with_interstitials(structure, self.interstitials, rng)
            name.append(" ".join(f"{count} {e} between" for e, count in self.interstitials.items()))
        for ramp, unit in ((variant.temperature, "K"), (variant.pressure, "bar")):
            if ramp is not None:
                name.append(_shown(ramp, unit))
        if self.vary.seeds > 1:
            name.append(f"copy {variant.copy}")
        return Walker(
            replace(structure, name=", ".join(name)), variant.temperature, variant.pressure
        )


@dataclass(frozen=True)
class Walker:
    """What one walker starts from."""

    configuration: Configuration
    """The structure. Its name says how it differs from those of other walkers."""
    temperature: tuple[float, float] | None = None
    """K, [start, stop], in place of that of the protocol."""
    pressure: tuple[float, float] | None = None
    """bar, [start, stop], in place of that of the protocol."""

    @property
    def overrides(self) -> dict[str, tuple[float, float]]:
        """The values that replace those of the protocol."""
        values = {"temperature": self.temperature, "pressure": self.pressure}
        return {name: value for name, value in values.items() if value is not None}


def _known(symbols: Iterable[str], elements: tuple[str, ...]) -> None:
    if unknown := sorted(set(symbols) - set(elements)):
        raise InputError(
            f"explore.walkers: {', '.join(unknown)} is not among descriptor.elements "
            f"{list(elements)}"
        )


def _shown(ramp: tuple[float, float], unit: str) -> str:
    return f"{ramp[0]:g} {unit}" if ramp[0] == ramp[1] else f"{ramp[0]:g} to {ramp[1]:g} {unit}"
