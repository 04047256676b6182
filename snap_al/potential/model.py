"""What the rest of the package needs of a kind of potential."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from snap_al.descriptors import Columns, Engine, ReferencePotential
from snap_al.inference import Posterior
from snap_al.sessions import LammpsSession, LammpsSettings
from snap_al.units import BAR_PER_EV_PER_A3

Array = NDArray[np.float64]
FileName = Callable[[str], str]
"""From what a file's name ends with, such as "snapcoeff", to the name that LAMMPS reads it by."""


class Monitor(Protocol):
    """Stds of this rank's atoms in a running LAMMPS session. All methods but `attach` are
    collective over the session's ranks."""

    seconds: float
    """Wall time spent in the monitor so far."""

    def attach(self, session: LammpsSession) -> None:
        """Before the session's first run: the computes that are needed."""
        ...

    def close(self) -> None:
        """After the session's last check."""
        ...

    def force_std(self, session: LammpsSession) -> Array:
        """(n_local,) eV/Å, sqrt(tr(D Σ Dᵀ)/3) of each atom's three force rows D."""
        ...

    def energy_std(self, session: LammpsSession) -> Array:
        """(n_local,) eV."""
        ...

    def force_std_if_labelled(self, session: LammpsSession, weight: float) -> Array:
        """(n_local,) eV/Å: what the force stds of this frame would be with its forces in the fit.

        weight: of a force row.
        """
        ...

    def forces(self, session: LammpsSession) -> Array:
        """(n_local, 3) eV/Å of the fitted potential alone."""
        ...

    def grades(self, session: LammpsSession, shares: Array) -> Array:
        """(n_local,) MaxVol γ. shares: (n, n), see `ActiveSet.shares`."""
        ...


class Model(Protocol):
    """A kind of potential, with all that is chosen before a fit.

    A potential's energies, forces and stress are rows times coefficients, and what does not depend
    on the coefficients. A model that is not linear in all its parameters gives the derivatives by
    those that a posterior is over, and puts the rest into `ConfigurationRows.reference`.
    `snap_al.potential.contract.validate_model` says what must hold.
    """

    @property
    def elements(self) -> tuple[str, ...]:
        """One LAMMPS atom type each, in this order."""
        ...

    @property
    def cutoff(self) -> float:
        """Å; atoms further apart do not see each other."""
        ...

    @property
    def columns(self) -> Columns: ...

    def column_names(self) -> list[str]:
        """(n_distinct,) of the coefficients."""
        ...

    def columns_named(self, wanted: Iterable[int | str]) -> tuple[int, ...]:
        """Numbers of the distinct columns that `fit.embed` names. Raises InputError."""
        ...

    def described(self) -> str:
        """A description in one line."""
        ...

    def stored(self) -> dict[str, Any]:
        """What descriptor.json keeps, as JSON."""
        ...

    def engine(
        self,
        reference: ReferencePotential,
        lammps: LammpsSettings | None = None,
        pressure_unit: float = BAR_PER_EV_PER_A3,
    ) -> Engine:
        """What computes rows. pressure_unit: bar per eV/Å³ in stress rows."""
        ...

    def files(self, coefficients: Array) -> dict[str, str]:
        """Files of the potential with these coefficients (n_distinct,): ending → text."""
        ...

    def std_files(self, posterior: Posterior) -> dict[str, str]:
        """Files with which LAMMPS alone computes stds: what the name ends with → text."""
        ...

    def pair_style(self, name: FileName) -> tuple[str, str]:
        """The LAMMPS pair style with its arguments, and what follows `pair_coeff * * STYLE`."""
        ...

    def monitor(self, posterior: Posterior) -> Monitor:
        """The monitor for MD with this potential."""
        ...
