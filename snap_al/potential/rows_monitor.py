"""Stds in a running session for any model, from its rows alone.

The frame is gathered, and each rank computes all rows of it in a session of its own. That is slow:
a model for large cells brings a monitor that computes each rank's own atoms, as SNAP does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration
from snap_al.descriptors import ConfigurationRows, Engine
from snap_al.inference import Posterior
from snap_al.sessions import LammpsSession

Array = NDArray[np.float64]


@dataclass(frozen=True)
class _Frame:
    """What is known of one frame."""

    key: bytes
    """Bytes of the positions and the cell."""
    elements: NDArray[np.int64]
    """(n,) numbers of the atoms' elements."""
    rows: ConfigurationRows
    """Rows of the whole frame."""
    atoms: Array
    """(n, n_distinct) rows of single atoms' energies."""


@dataclass
class RowsMonitor:
    """Stds of all atoms from the rows of the whole frame. Keeps `snap_al.potential.Monitor`."""

    engine: Engine
    """Computes rows, without a reference potential."""
    posterior: Posterior
    """Posterior of the coefficients."""
    seconds: float = 0.0
    """Wall time spent in the monitor so far."""
    _last: _Frame | None = field(default=None, repr=False)
    """The frame that was computed last."""

    def attach(self, session: LammpsSession) -> None:
        """Nothing is computed in the session itself."""

    def close(self) -> None:
        """Ends the engine's LAMMPS session."""
        self.engine.close()

    def force_std(self, session: LammpsSession) -> Array:
        return self._own(session, lambda frame: self.posterior.atom_force_std(frame.rows.forces))

    def energy_std(self, session: LammpsSession) -> Array:
        return self._own(
            session, lambda frame: self.posterior.atom_energy_std(frame.atoms, frame.elements)
        )

    def force_std_if_labelled(self, session: LammpsSession, weight: float) -> Array:
        def stds(frame: _Frame) -> Array:
            whitened = weight * frame.rows.forces @ self.posterior.whitening
            covariance = self.posterior.with_information(whitened.T @ whitened)
            return self.posterior.atom_force_std(frame.rows.forces, covariance)

        return self._own(session, stds)

    def forces(self, session: LammpsSession) -> Array:
        return self._own(
            session, lambda frame: self.posterior.mean_of(frame.rows.forces).reshape(-1, 3)
        )

    def grades(self, session: LammpsSession, shares: Array) -> Array:
        return self._own(
            session, lambda frame: np.abs(frame.atoms @ shares).max(axis=1, initial=0.0)
        )

    def _own(self, session: LammpsSession, of_all: Callable[[_Frame], Array]) -> Array:
        """Of all atoms in the order of their ids, those of this rank, in the session's order."""
        started = time.perf_counter()
        own = session.atoms()["id"] - 1
        values: Array = of_all(self._frame(session))[own]
        self.seconds += time.perf_counter() - started
        return values

    def _frame(self, session: LammpsSession) -> _Frame:
        everyone = session.comm.allgather(session.atoms())
        atoms = {name: np.concatenate([part[name] for part in everyone]) for name in everyone[0]}
        order = np.argsort(atoms["id"])
        cell, origin = session.lower_cell()
        positions, elements = atoms["x"][order] - origin, atoms["type"][order].astype(np.int64) - 1
        key = positions.tobytes() + cell.tobytes()
        if self._last is None or self._last.key != key:
            species = tuple(self.engine.elements[e] for e in elements)
            configuration = Configuration(cell, positions, species, session.periodic)
            rows, energies, _ = self.engine.rows_with_atoms(configuration)
            self._last = _Frame(key, elements, rows, energies)
        return self._last
