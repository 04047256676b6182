"""Per-atom predictive stds of SNAP in a running LAMMPS session, computed by each rank for its own
atoms.

Energy std of atom i:  sqrt( (1, B_i) S_α (1, B_i)ᵀ ), see `potential.variance`.
Force std of atom i:   sqrt( tr(D_i Σ D_iᵀ) / 3 ), D_i its three force rows: invariant to
                       rotation, on the scale of a component's RMSE.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from snap_al.descriptors import Columns, SnapSettings
from snap_al.inference import Posterior, atom_force_std, square_root
from snap_al.parallel import sum_rows
from snap_al.potential.variance import element_root
from snap_al.sessions import LammpsSession

Array = NDArray[np.float64]


class StdMonitor:
    """Adds `sna/atom` and `snad/atom` to a session and turns them into stds when asked, not at
    every step.
    """

    def __init__(self, settings: SnapSettings, posterior: Posterior) -> None:
        self.seconds = 0.0
        """Spent here so far."""
        self._settings = settings
        self._columns = columns = Columns.of(settings)
        covariance = posterior.covariance
        is_component = np.ones(columns.n_all, dtype=bool)
        if columns.has_constant:
            is_component[[columns.block(e).start for e in range(columns.n_elements)]] = False
        force_factor = posterior.recalibration[1]
        self._force_root = force_factor * (columns.spread @ square_root(covariance))[is_component]
        self._posterior = posterior
        self._mean = (columns.spread @ posterior.mean)[is_component]
        self._spread = columns.spread[is_component]
        self._energy_roots = [
            element_root(columns, posterior, e) for e in range(columns.n_elements)
        ]

    def attach(self, session: LammpsSession) -> None:
        arguments = self._settings.compute_arguments()
        session.command(f"compute snap_al_b all sna/atom {arguments}")
        session.command(f"compute snap_al_db all snad/atom {arguments}")

    def close(self) -> None:
        """Nothing is open beside the session."""

    def force_std(self, session: LammpsSession) -> Array:
        """(n_local,) eV/Å, for this rank's atoms. Collective over the session's ranks."""
        with self._timed():
            rows = force_rows(session.per_atom("snap_al_db"), len(self._settings.elements))
            return atom_force_std(rows, self._force_root)

    def forces(self, session: LammpsSession) -> Array:
        """(n_local, 3) eV/Å of the fitted SNAP alone, for this rank's atoms. Collective over the
        session's ranks.
        """
        rows = force_rows(session.per_atom("snap_al_db"), len(self._settings.elements))
        return np.asarray((rows @ self._mean).reshape(-1, 3))

    def force_std_if_labelled(self, session: LammpsSession, weight: float) -> Array:
        """(n_local,) eV/Å: what the force stds of this frame would be with its forces in the fit.
        Collective.
        """
        with self._timed():
            rows = force_rows(session.per_atom("snap_al_db"), len(self._settings.elements))
            whitened = weight * rows @ (self._spread @ self._posterior.whitening)
            (information,) = sum_rows(session.comm, whitened.T @ whitened)
            factor = self._posterior.recalibration[1]
            root = (
                factor * self._spread @ square_root(self._posterior.with_information(information))
            )
            return atom_force_std(rows, root)

    def energy_std(self, session: LammpsSession) -> Array:
        """(n_local,) eV, for this rank's atoms. Collective over the session's ranks."""
        with self._timed():
            components = session.per_atom("snap_al_b")
            types = session.atoms()["type"]
            out = np.zeros(len(types))
            for element, root in enumerate(self._energy_roots, 1):
                here = types == element
                if here.any():
                    rows = np.column_stack([np.ones(here.sum()), components[here]])
                    out[here] = np.linalg.norm(rows @ root, axis=1)
            return out

    def grades(self, session: LammpsSession, shares: Array) -> Array:
        """(n_local,) MaxVol γ of this rank's atoms. shares: (n, n), see `ActiveSet.shares`.
        Collective over the session's ranks.
        """
        with self._timed():
            components = session.per_atom("snap_al_b")
            rows = self._columns.atom_rows(session.atoms()["type"].astype(np.int64) - 1, components)
            return np.asarray(np.abs(rows @ shares).max(axis=1, initial=0.0))

    @contextmanager
    def _timed(self) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - started


def force_rows(derivatives: Array, n_elements: int) -> Array:
    """(n, n_elements * 3 * K) as snad/atom orders them (element, xyz, component) → (3 n, n_elements
    * K).
    """
    n, width = len(derivatives), derivatives.shape[1] // 3
    return (
        derivatives.reshape(n, n_elements, 3, width // n_elements)
        .swapaxes(1, 2)
        .reshape(3 * n, width)
    )
