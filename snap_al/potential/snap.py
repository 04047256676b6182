"""SNAP, linear and quadratic: the model whose rows are bispectrum components.

https://docs.lammps.org/pair_snap.html
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snap_al.descriptors import (
    Columns,
    DescriptorEngine,
    ReferencePotential,
    SnapSettings,
    columns_named,
    distinct_names,
)
from snap_al.inference import Posterior
from snap_al.potential.files import snapcoeff, snapparam
from snap_al.potential.model import FileName
from snap_al.potential.snap_monitor import StdMonitor
from snap_al.potential.variance import MOST_COMPONENTS, std_mod, variance_snapcoeff
from snap_al.sessions import LammpsSettings
from snap_al.units import BAR_PER_EV_PER_A3

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Snap:
    """Linear SNAP, or quadratic SNAP with `quadraticflag`. Keeps `snap_al.potential.Model`."""

    settings: SnapSettings
    """Settings of the bispectrum."""

    @property
    def elements(self) -> tuple[str, ...]:
        return self.settings.elements

    @property
    def cutoff(self) -> float:
        return self.settings.max_cutoff

    @cached_property
    def columns(self) -> Columns:
        return Columns.of(self.settings)

    def column_names(self) -> list[str]:
        return distinct_names(self.settings)

    def columns_named(self, wanted: Iterable[int | str]) -> tuple[int, ...]:
        return columns_named(self.settings, wanted)

    def described(self) -> str:
        s = self.settings
        flags = [name for name in ("chemflag", "quadraticflag", "bzeroflag") if getattr(s, name)]
        size = f"{self.columns.n_distinct} coefficients"
        return ", ".join(
            [f"SNAP, twojmax {s.largest_twojmax}, cutoff {s.max_cutoff:g} Å", size, *flags]
        )

    def stored(self) -> dict[str, Any]:
        return self.settings.model_dump(mode="json")

    def engine(
        self,
        reference: ReferencePotential,
        lammps: LammpsSettings | None = None,
        pressure_unit: float = BAR_PER_EV_PER_A3,
    ) -> DescriptorEngine:
        return DescriptorEngine(self.settings, reference, lammps, pressure_unit)

    def files(self, coefficients: Array) -> dict[str, str]:
        return {
            ".snapcoeff": snapcoeff(self.settings, coefficients),
            ".snapparam": snapparam(self.settings),
        }

    def std_files(self, posterior: Posterior) -> dict[str, str]:
        """The variance of linear SNAP as a quadratic one; that of quadratic SNAP is of fourth order
        in B, which LAMMPS does not compute."""
        if self.settings.quadraticflag:
            return {}
        found = {
            "_variance.snapcoeff": variance_snapcoeff(self.settings, posterior),
            "_variance.snapparam": snapparam(self.settings, quadratic=True),
        }
        if self.columns.n_components <= MOST_COMPONENTS:
            found["_std.mod"] = std_mod(self.settings, posterior)
        return found

    def pair_style(self, name: FileName) -> tuple[str, str]:
        return "snap", f"{name('.snapcoeff')} {name('.snapparam')} {' '.join(self.elements)}"

    def monitor(self, posterior: Posterior) -> StdMonitor:
        return StdMonitor(self.settings, posterior)
