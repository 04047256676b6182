"""A network of the bispectrum components, with a linear skip and a linear last layer.

    E_i = c_0 + β·x_i + Σ_u c_u φ_u(x_i)        x_i = (B_i - m) / s, of the element of atom i

Constants, β and c are fitted and have a posterior; what is inside φ is given. LAMMPS computes it by
`pair_style mliap model nn`, https://docs.lammps.org/pair_mliap.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from snap_al.descriptors import Columns, ReferencePotential, SnapSettings, component_names
from snap_al.descriptors.derivatives import kept_components, used_components
from snap_al.errors import InputError
from snap_al.inference import Posterior
from snap_al.potential.model import FileName
from snap_al.potential.network.descriptor_file import descriptor_text
from snap_al.potential.network.engine import NetworkEngine
from snap_al.potential.network.layers import Hidden
from snap_al.potential.network.nn_file import NnFile
from snap_al.potential.network.skip import with_skip
from snap_al.potential.rows_monitor import RowsMonitor
from snap_al.sessions import LammpsSettings
from snap_al.units import BAR_PER_EV_PER_A3

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Network:
    """A network with given hidden layers. Keeps `snap_al.potential.Model`. Raises InputError for
    layers that do not fit the descriptor."""

    settings: SnapSettings
    """Settings of the bispectrum, without quadraticflag."""
    hidden: tuple[Hidden, ...]
    """Hidden layers of each element, all of the same sizes."""

    def __post_init__(self) -> None:
        if self.settings.quadraticflag:
            raise InputError("quadraticflag: a network takes components, not their products")
        used = used_components(self.settings)
        if len(self.hidden) != len(self.elements):
            raise InputError(
                f"network: layers of {len(self.hidden)} elements, and there are "
                f"{', '.join(self.elements)}"
            )
        for element, layers, own in zip(self.elements, self.hidden, used, strict=True):
            if layers.sizes != self.hidden[0].sizes:
                raise InputError(
                    f"network: layers of {layers.sizes} units for {element}, and "
                    f"{self.hidden[0].sizes} for {self.elements[0]}; LAMMPS takes one for all"
                )
            if not np.array_equal(layers.used, own):
                raise InputError(
                    f"network: the layers of {element} are for other components than its own"
                )

    @property
    def elements(self) -> tuple[str, ...]:
        return self.settings.elements

    @property
    def cutoff(self) -> float:
        return self.settings.max_cutoff

    @cached_property
    def columns(self) -> Columns:
        """Of each element a constant (without bzeroflag), K components and n_L units."""
        n_units, n_constant = self.hidden[0].sizes[-1], int(not self.settings.bzeroflag)
        fitted = np.concatenate(
            [
                np.concatenate([np.ones(n_constant), layers.used, np.ones(n_units)])
                for layers in self.hidden
            ]
        ).astype(bool)
        distinct = np.where(fitted, np.cumsum(fitted) - 1, -1)
        return Columns(distinct, len(self.elements), not self.settings.bzeroflag)

    @cached_property
    def _names(self) -> list[str]:
        """(n_all,) of all columns, those that are not fitted among them."""
        kept = kept_components(self.settings)
        components = component_names(self.settings)
        block = [
            *["constant"] * int(self.columns.has_constant),
            *[components[k] for k in kept],
            *[f"unit {u}" for u in range(1, self.hidden[0].sizes[-1] + 1)],
        ]
        return [f"{element}:{name}" for element in self.elements for name in block]

    def column_names(self) -> list[str]:
        return [self._names[k] for k in self.columns.first]

    def columns_named(self, wanted: Iterable[int | str]) -> tuple[int, ...]:
        """Distinct columns by number, by element, by name (`B_2.1.1`, `unit 3`, of every element),
        or by both (`Ta:unit 3`). Raises InputError for what no column is called."""
        names, found = self.column_names(), set[int]()
        for entry in wanted:
            here = {
                k for k, name in enumerate(names) if entry in (k, name) or entry in name.split(":")
            }
            if not here:
                raise InputError(
                    f"fit.embed: {entry!r} is no column: there are {len(names)}, numbered from 0; "
                    f"elements {', '.join(self.elements)}; {names[0]}, {names[1]}, … {names[-1]}"
                )
            found |= here
        return tuple(sorted(found))

    def described(self) -> str:
        s, sizes = self.settings, "-".join(map(str, self.hidden[0].sizes))
        flags = [name for name in ("chemflag", "bzeroflag") if getattr(s, name)]
        return ", ".join(
            [
                f"network {sizes} of SNAP, twojmax {s.largest_twojmax}",
                f"cutoff {s.max_cutoff:g} Å, {self.columns.n_distinct} coefficients",
                *flags,
            ]
        )

    def stored(self) -> dict[str, Any]:
        """Settings and weights; `restored` has the same bits."""
        return {
            "settings": self.settings.model_dump(mode="json"),
            "hidden": [layers.stored() for layers in self.hidden],
        }

    @classmethod
    def restored(cls, stored: Mapping[str, Any]) -> Network:
        """From what `stored` gave. Raises InputError."""
        try:
            settings = SnapSettings.model_validate(stored["settings"])
            return cls(settings, tuple(Hidden.restored(layers) for layers in stored["hidden"]))
        except (KeyError, TypeError, ValidationError) as error:
            raise InputError(f"network: not what snap_al stores: {error}") from error

    def engine(
        self,
        reference: ReferencePotential,
        lammps: LammpsSettings | None = None,
        pressure_unit: float = BAR_PER_EV_PER_A3,
    ) -> NetworkEngine:
        return NetworkEngine(
            self.settings, self.hidden, self.columns, reference, lammps, pressure_unit
        )

    def nn_file(self, coefficients: Array) -> NnFile:
        """The network with these coefficients (n_distinct,) for `pair_style mliap model nn`."""
        everything = self.columns.spread @ coefficients
        blocks = [everything[self.columns.block(e)] for e in range(len(self.elements))]
        return with_skip(self.settings, self.hidden, blocks)

    def files(self, coefficients: Array) -> dict[str, str]:
        return {
            ".nn": self.nn_file(coefficients).text(),
            ".descriptor": descriptor_text(self.settings),
        }

    def std_files(self, posterior: Posterior) -> dict[str, str]:
        """None: LAMMPS does not compute the variance of a network."""
        return {}

    def pair_style(self, name: FileName) -> tuple[str, str]:
        style = f"mliap model nn {name('.nn')} descriptor sna {name('.descriptor')}"
        return style, " ".join(self.elements)

    def monitor(self, posterior: Posterior) -> RowsMonitor:
        return RowsMonitor(self.engine(ReferencePotential()), posterior)
