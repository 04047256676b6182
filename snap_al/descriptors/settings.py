"""What defines the bispectrum components: LAMMPS' `compute snap` arguments, validated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from ase.data import atomic_numbers
from pydantic import BaseModel, BeforeValidator, Field, field_validator, model_validator

from snap_al.options import Table, refuse_inapplicable


def _as_tuple(value: object) -> object:
    return (
        tuple(value)
        if isinstance(value, list)
        else (value,)
        if isinstance(value, int | float | str)
        else value
    )


MAX_TWOJMAX = 20
APPLIES_WITH: Table = {"wselfallflag": ({"chemflag": (True,)},)}
"""Cases in which an option applies; the others always do."""
PerElement = Annotated[tuple[float, ...], BeforeValidator(_as_tuple)]


class SnapSettings(BaseModel, extra="forbid", frozen=True):
    """Bispectrum settings, in LAMMPS' words (https://docs.lammps.org/compute_sna_atom.html). Metal
    units, Å.
    """

    elements: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)] = Field(min_length=1)
    """One LAMMPS atom type each, in this order."""
    twojmax: Annotated[tuple[int, ...], BeforeValidator(_as_tuple)]
    """One for all, or one per element: LAMMPS computes the largest, and an element's higher
    components are not fitted.
    """
    rcutfac: float = Field(gt=0)
    """Å for radii of 1: pairs see each other within rcutfac (R_i + R_j)."""
    radelem: PerElement = (0.5,)
    """Radius R of each element, next to rcutfac."""
    wj: PerElement = (1.0,)
    """Weight of each element in the density of neighbours."""
    rfac0: float = Field(default=0.99363, gt=0, le=1)
    """Share of π to which distances at the cutoff are mapped."""
    rmin0: float = Field(default=0.0, ge=0)
    """Distance at which this mapping begins, Å."""
    chemflag: bool = False
    """Components for each triple of elements."""
    bnormflag: bool | None = None
    """None: as compute snap has it, on with chemflag and off without."""
    wselfallflag: bool = False
    """With chemflag: the weight of the central atom in all components."""
    bzeroflag: bool = False
    """Off: one constant coefficient per element is fitted, which labels that have an energy offset
    need.
    """
    switchflag: bool = True
    """Whether neighbours fade out towards the cutoff."""
    quadraticflag: bool = False
    """Products B_k B_l beside the B_k; https://docs.lammps.org/pair_snap.html."""
    sinner: PerElement | None = None
    """Å, center of the inner switching function for each element; with dinner, half its width.
    None: no inner switching.
    """
    dinner: PerElement | None = None
    """Å, half the width of the inner switching."""

    @field_validator("elements")
    @classmethod
    def _known(cls, elements: tuple[str, ...]) -> tuple[str, ...]:
        for symbol in elements:
            if symbol not in atomic_numbers:
                raise ValueError(f"{symbol!r} is no chemical symbol")
        if len(set(elements)) != len(elements):
            raise ValueError(f"an element is named twice in {list(elements)}")
        return elements

    @field_validator("twojmax")
    @classmethod
    def _sensible(cls, twojmax: tuple[int, ...]) -> tuple[int, ...]:
        for value in twojmax:
            if not 0 <= value <= MAX_TWOJMAX:
                raise ValueError(f"{value} is not between 0 and {MAX_TWOJMAX}")
        return twojmax

    @model_validator(mode="after")
    def _one_each(self) -> SnapSettings:
        n = len(self.elements)
        for name in ("twojmax", "radelem", "wj", "sinner", "dinner"):
            values = getattr(self, name)
            if values is None:
                continue
            if len(values) not in (1, n):
                raise ValueError(
                    f"{name} has {len(values)} values for {n} elements; give one, or one per "
                    "element"
                )
            object.__setattr__(self, name, values * n if len(values) == 1 else values)
        if (self.sinner is None) != (self.dinner is None):
            raise ValueError("sinner and dinner belong together; give both or neither")
        refuse_inapplicable(self, APPLIES_WITH)
        if self.chemflag and self.quadraticflag:
            raise ValueError("chemflag and quadraticflag do not go together")
        return self

    @property
    def largest_twojmax(self) -> int:
        """What LAMMPS computes with."""
        return max(self.twojmax)

    @property
    def normalised(self) -> bool:
        return self.chemflag if self.bnormflag is None else self.bnormflag

    @property
    def max_cutoff(self) -> float:
        """Å; the longest of the pairwise cutoffs rcutfac (R_i + R_j)."""
        return 2.0 * self.rcutfac * max(self.radelem)

    def compute_arguments(self, types: Sequence[int] | None = None) -> str:
        """Arguments of `compute snap`, `sna/atom` and `snad/atom` after the style's name.

        types: numbers of the elements that LAMMPS' types are of, where these are not one for each
        element.
        """
        types = range(len(self.elements)) if types is None else types
        return " ".join(
            [
                repr(self.rcutfac),
                repr(self.rfac0),
                str(self.largest_twojmax),
                *(repr(self.radelem[e]) for e in types),
                *(repr(self.wj[e]) for e in types),
                "rmin0",
                repr(self.rmin0),
                *self._flags(types),
            ]
        )

    def _flags(self, types: Sequence[int]) -> list[str]:
        flags = [f"switchflag {int(self.switchflag)}", f"bzeroflag {int(self.bzeroflag)}"]
        if self.chemflag:
            flags.append(f"chem {len(self.elements)} {' '.join(map(str, types))}")
        flags += [f"bnormflag {int(self.normalised)}", f"wselfallflag {int(self.wselfallflag)}"]
        flags.append(f"quadraticflag {int(self.quadraticflag)}")
        if self.sinner is not None and self.dinner is not None:
            flags += [
                "switchinnerflag 1",
                "sinner",
                *(repr(self.sinner[e]) for e in types),
                "dinner",
                *(repr(self.dinner[e]) for e in types),
            ]
        return flags
