"""One configuration → the components of each atom and their derivatives, atom by atom, which models
that are not linear in the components need.

`compute snap` adds derivatives up over the central atoms of one LAMMPS type. Here each central atom
has a type of its own, so that nothing is added up, and the virial comes atom by atom as well. Its
option `dgradflag`, which lists derivatives by pairs of atoms, gives no virial, and none can be had
from it, since it adds up periodic images. Both make an array of 3 n_atoms² rows of components.
https://docs.lammps.org/compute_sna_atom.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration
from snap_al.descriptors.clusters import clusters_of
from snap_al.descriptors.columns import Columns
from snap_al.descriptors.lammps_engine import LammpsEngine
from snap_al.descriptors.reference import ReferencePotential
from snap_al.descriptors.settings import SnapSettings
from snap_al.errors import InputError
from snap_al.sessions import Box, LammpsSession, LammpsSettings, box_of

Array = NDArray[np.float64]
Number = TypeVar("Number", np.float64, np.int64)
_Found = tuple[Array, Array, Array, NDArray[np.int64]]
ALL_AT_ONCE = 100
"""Atoms of a cell that are computed at once; larger cells are cut into clusters."""
AT_ONCE = 24
"""Central atoms of a cluster."""
SPARE = 16
"""Types that a session may have more than half as many again as it needs, before it is replaced."""


@dataclass(frozen=True)
class Derivatives:
    """Components and derivatives in the configuration's axes, K components of n atoms with up to m
    neighbours: 8 n K (3 m + 7) bytes."""

    elements: NDArray[np.int64]
    """(n,) number of each atom's element."""
    components: Array
    """(n, K) B_i."""
    neighbours: NDArray[np.int64]
    """(n, m) atoms on which B_i depends, the atom itself among them. An atom may be there more than
    once: derivatives then add up, and those that only fill the array are zero."""
    forces: Array
    """(n, m, 3, K) −∂B_i/∂r_j, 1/Å."""
    virial: Array
    """(n, 6, K) −Σ_j r_j ∂B_i/∂r_j, in the order xx yy zz yz xz xy, over images as they are."""


def kept_components(settings: SnapSettings) -> NDArray[np.int64]:
    """(K,) numbers, among those that LAMMPS computes, of components that are not equal to an
    earlier one and that at least one element uses."""
    columns = Columns.of(settings)
    width = columns.n_all // columns.n_elements
    inside = columns.first % width - int(columns.has_constant)
    return np.unique(inside[inside >= 0])


def used_components(settings: SnapSettings) -> NDArray[np.bool_]:
    """(n_elements, K) which of the kept components each element uses."""
    columns, kept = Columns.of(settings), kept_components(settings)
    blocks = columns.distinct_of.reshape(columns.n_elements, -1)[:, int(columns.has_constant) :]
    return np.asarray(blocks[:, kept] >= 0)


class DerivativesEngine(LammpsEngine):
    """Computes derivatives. Use as a context manager. Raises InputError for a configuration that
    cannot be computed, and for products of components (quadraticflag)."""

    def __init__(
        self, settings: SnapSettings, lammps: LammpsSettings | None = None, vacuum: float = 0.0
    ) -> None:
        """vacuum: Å, the least width of the gap along open directions."""
        if settings.quadraticflag:
            raise InputError("quadraticflag: a network takes components, not their products")
        super().__init__(settings, ReferencePotential(), lammps)
        self.kept = kept_components(settings)
        self._vacuum = vacuum
        self._n_types = 0
        self._width = Columns.of(settings).n_components

    @property
    def _reach(self) -> float:
        return max(self.settings.max_cutoff, self._vacuum)

    def volume(self, configuration: Configuration) -> float:
        """Å³ of the cell, or of the box with a gap where there is no cell."""
        return configuration.volume or self._box(configuration).volume

    def derivatives(self, configuration: Configuration) -> Derivatives:
        """Of all atoms.

        Parameters
        ----------
        configuration : Configuration
            Of the settings' elements, with any cell.

        Returns
        -------
        Derivatives
            Over the `kept` components.

        Raises
        ------
        InputError
            For a configuration that cannot be computed.

        Notes
        -----
        Time and memory are in proportion to the number of atoms; what LAMMPS itself takes is that
        of one cluster, or of a cell of ALL_AT_ONCE atoms.
        """
        components, (forces, virial, neighbours) = self._guarded(configuration, self._compute)
        return Derivatives(
            self.element_numbers(configuration), components, neighbours, forces, virial
        )

    def components(self, configuration: Configuration) -> Array:
        """(n_atoms, K) of the kept components alone."""
        found, _ = self._guarded(configuration, self._compute_atoms)
        return found

    def _compute_atoms(self, configuration: Configuration) -> tuple[Array, Box]:
        box = self._box(configuration)
        elements = self.element_numbers(configuration)
        session = self._with_types(0)
        n_own = self._n_types
        self._place(session, box, (n_own + 1 + elements).astype(np.int32))
        types = [0] * n_own + [*range(len(self.elements))]
        session.command(f"compute atoms all sna/atom {self.settings.compute_arguments(types)}")
        session.command("run 0 post no")
        raw = session.per_atom("atoms")[np.argsort(session.atoms()["id"])]
        session.command("uncompute atoms")
        return raw[:, self.kept], box

    def _compute(
        self, configuration: Configuration
    ) -> tuple[Array, tuple[Array, Array, NDArray[np.int64]]]:
        """Components (n, K), and forces, virial and neighbours as `Derivatives` has them."""
        box, elements = self._box(configuration), self.element_numbers(configuration)
        n = len(elements)
        if n <= ALL_AT_ONCE:
            found = self._of_central(box, elements, n)
        else:
            found = self._by_clusters(box, elements)
        components, forces, virial, neighbours = found
        if box.turned:
            forces = np.ascontiguousarray(box.vectors_back(forces.swapaxes(2, 3)).swapaxes(2, 3))
            virial = box.stress_map() @ virial
        return components, (forces, virial, neighbours)

    def _by_clusters(self, box: Box, elements: NDArray[np.int64]) -> _Found:
        """The same of all atoms of the box, in its axes, a cluster at a time."""
        central: list[NDArray[np.int64]] = []
        parts: list[_Found] = []
        for cluster in clusters_of(box, self.settings.max_cutoff, AT_ONCE):
            species = tuple(self.elements[e] for e in elements[cluster.atoms])
            alone = Configuration(np.eye(3), cluster.positions, species, (False,) * 3)
            part = self._of_central(
                box_of(alone, vacuum=self.settings.max_cutoff + 1.0),
                elements[cluster.atoms],
                cluster.n_central,
            )
            parts.append((*part[:3], cluster.atoms[part[3]]))
            central.append(cluster.atoms[: cluster.n_central])
        back = np.argsort(np.concatenate(central))
        components, forces, virial, neighbours = zip(*parts, strict=True)
        return (
            np.concatenate(components)[back],
            _joined(forces)[back],
            np.concatenate(virial)[back],
            _joined(neighbours)[back],
        )

    def _of_central(self, box: Box, elements: NDArray[np.int64], n_central: int) -> _Found:
        """Components (c, K), derivatives (c, m, 3, K), virial (c, 6, K) and neighbours (c, m) of
        the first c atoms of a box, in its axes."""
        session = self._with_types(n_central)
        n, n_own = len(elements), self._n_types
        types = n_own + 1 + elements
        types[:n_central] = 1 + np.arange(n_central)
        self._place(session, box, types.astype(np.int32))
        of_types = np.zeros(n_own, dtype=np.int64)
        of_types[:n_central] = elements[:n_central]
        arguments = self.settings.compute_arguments([*of_types, *range(len(self.elements))])
        session.command(f"group central type <= {n_own}")
        session.command(f"compute snap central snap {arguments}")
        session.command("run 0 post no")
        raw = session.global_array("snap")
        session.commands(["uncompute snap", "uncompute snap_press", "group central delete"])
        by_type = raw[:, : n_central * self._width].reshape(len(raw), n_central, self._width)
        if len(self.kept) < self._width:
            by_type = by_type[:, :, self.kept]
        forces, neighbours = _neighbours_only(by_type[1:-6].reshape(n, 3, *by_type.shape[1:]))
        return by_type[0], forces, by_type[-6:].swapaxes(0, 1), neighbours

    def _with_types(self, needed: int) -> LammpsSession:
        """A session with so many types for central atoms, and one for each element beside them."""
        n = self._n_types
        if self._session is None or n < needed or (needed and n > 1.5 * needed + SPARE):
            self.close()
            self._n_types = max(needed, 1)
            self._session = self._opened(
                [*self.elements[:1]] * self._n_types + [*self.elements],
                lambda session: self._reference.with_zero(
                    self.settings.max_cutoff, session.name_of
                ),
            )
        return self._session


def _neighbours_only(everything: Array) -> tuple[Array, NDArray[np.int64]]:
    """(n, 3, c, K) derivatives by all atoms → (c, m, 3, K) by those that matter, and which (c, m)
    they are."""
    matter = np.any(everything != 0.0, axis=(1, 3)).T
    m = max(1, int(matter.sum(axis=1).max()))
    neighbours = np.argsort(~matter, axis=1, kind="stable")[:, :m]
    forces = everything[neighbours, :, np.arange(len(neighbours))[:, None]]
    return np.ascontiguousarray(forces), neighbours


def _joined(parts: Sequence[NDArray[Number]]) -> NDArray[Number]:
    """Along the first axis; along the second, those that are shorter get zeros."""
    longest = max(part.shape[1] for part in parts)
    shape = (sum(map(len, parts)), longest, *parts[0].shape[2:])
    found = np.zeros(shape, dtype=parts[0].dtype)
    start = 0
    for part in parts:
        found[start : start + len(part), : part.shape[1]] = part
        start += len(part)
    return found
