"""Rows of a network's last layer: energies, forces and stress of each of its features.

E_i = c_0 + β·x_i + c·φ(x_i)        -∂E/∂r_j = Σ_i (β ∂x_i/∂B + c ∂φ/∂B) · (-∂B_i/∂r_j)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from snap_al.data.configuration import Configuration
from snap_al.data.rows import ENERGY, FORCES, STRESS, n_rows
from snap_al.descriptors import Columns, ConfigurationRows, ReferencePotential, SnapSettings
from snap_al.descriptors.configuration_rows import vanishing
from snap_al.descriptors.derivatives import Derivatives, DerivativesEngine
from snap_al.descriptors.engine import DescriptorEngine
from snap_al.potential.network.layers import Hidden
from snap_al.sessions import LammpsSettings
from snap_al.units import BAR_PER_EV_PER_A3

Array = NDArray[np.float64]
FORMAT = 1
"""Of what rows are; raised when they change, so that stored ones are computed anew."""
AT_ONCE = 512
"""Central atoms whose features are differentiated at a time."""


class NetworkEngine:
    """Computes rows. Use as a context manager. Keeps `snap_al.descriptors.Engine`; raises
    InputError for a configuration that cannot be computed."""

    def __init__(
        self,
        settings: SnapSettings,
        hidden: Sequence[Hidden],
        columns: Columns,
        reference: ReferencePotential,
        lammps: LammpsSettings | None = None,
        pressure_unit: float = BAR_PER_EV_PER_A3,
    ) -> None:
        """pressure_unit: bar per eV/Å³ in stress rows."""
        self.columns = columns
        self.elements = settings.elements
        self._hidden = tuple(hidden)
        self._unit = pressure_unit
        self._derivatives = DerivativesEngine(settings, lammps, reference.longest_cutoff())
        self._reference = DescriptorEngine(cheapest(settings), reference, lammps, pressure_unit)
        self._has_reference = bool(reference.styles)
        self._zeros = [layers.units(np.zeros((1, len(layers.shift))))[0] for layers in hidden]

    def __enter__(self) -> NetworkEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._derivatives.close()
        self._reference.close()

    @property
    def fingerprint(self) -> str:
        """Everything but the configuration that rows depend on."""
        stored = json.dumps([layers.stored() for layers in self._hidden])
        hidden = hashlib.sha256(stored.encode()).hexdigest()
        settings = self._derivatives.settings.model_dump_json()
        return repr((FORMAT, settings, hidden, self._reference.fingerprint))

    def rows(self, configuration: Configuration) -> ConfigurationRows:
        return self._rows(configuration, self._derivatives.derivatives(configuration))[0]

    def atom_rows(self, configuration: Configuration) -> Array:
        """(n_atoms, n_distinct) rows of single atoms' energies, zero outside the block of the
        atom's own element; their mean is the energy row."""
        components = self._derivatives.components(configuration)
        return self._atom_rows(self._derivatives.element_numbers(configuration), components)

    def rows_with_atoms(
        self, configuration: Configuration
    ) -> tuple[ConfigurationRows, Array, Array]:
        """`rows`, `atom_rows`, and (n_atoms,) eV of the reference potential on each atom."""
        known = self._derivatives.derivatives(configuration)
        rows, energies = self._rows(configuration, known)
        return rows, self._atom_rows(known.elements, known.components), energies

    def _atom_rows(self, elements: NDArray[np.int64], components: Array) -> Array:
        """(n, n_distinct) from numbers of elements (n,) and components (n, K)."""
        full = np.zeros((len(elements), self.columns.n_all))
        n_constant = int(self.columns.has_constant)
        for element, layers in enumerate(self._hidden):
            own, block = np.flatnonzero(elements == element), self.columns.block(element)
            of_own = np.ones((len(own), block.stop - block.start))
            x, units = layers.standardised(components[own]), layers.units(components[own])
            if not n_constant:  # zero for an atom without neighbours, whose components are zero
                x, units = components[own] * layers.scale, units - self._zeros[element]
            of_own[:, n_constant:] = np.hstack([x, units])
            full[own, block] = of_own
        return self.columns.keep_distinct(full)

    def _rows(
        self, configuration: Configuration, known: Derivatives
    ) -> tuple[ConfigurationRows, Array]:
        """Rows, and (n,) eV of the reference potential on each atom."""
        n, volume = len(configuration), self._derivatives.volume(configuration)
        slopes = np.zeros((n_rows(n), self.columns.n_all))
        plain = []
        for element, layers in enumerate(self._hidden):
            own = np.flatnonzero(known.elements == element)
            linear, units = summed(known, own, layers)
            linear[ENERGY] = known.components[own].sum(axis=0)
            plain.append(linear[:, layers.used])
            block = self.columns.block(element)
            first = block.start + int(self.columns.has_constant)
            slopes[:, first : block.stop] = np.hstack([linear * layers.scale, units])
        slopes[STRESS] *= self._unit / volume
        values = self.columns.keep_distinct(slopes)
        values[ENERGY] = self._atom_rows(known.elements, known.components).mean(axis=0)
        components = np.hstack(plain)
        components[ENERGY] /= n
        components[STRESS] *= self._unit / volume
        zero = vanishing(components, self._unit * n / volume)
        if not self._has_reference:
            return ConfigurationRows(values, np.zeros(len(values)), zero), np.zeros(n)
        rows, _, energies = self._reference.rows_with_atoms(configuration)
        return ConfigurationRows(values, rows.reference, zero), energies


def cheapest(settings: SnapSettings) -> SnapSettings:
    """Settings with the same reach whose components take little time, for the reference
    potential."""
    n = len(settings.elements)
    return settings.model_copy(
        update={"twojmax": (1,) * n, "chemflag": False, "wselfallflag": False, "bnormflag": None}
    )


def summed(
    known: Derivatives, own: NDArray[np.int64], layers: Hidden | None = None
) -> tuple[Array, Array]:
    """Rows (1 + 3 n + 6, K) of the components of central atoms `own`, and (1 + 3 n + 6, n_L) of
    their units, or none without layers; stress rows in eV, and energy rows left at zero."""
    n, n_components = known.components.shape
    linear = np.zeros((n_rows(n), n_components))
    units = np.zeros((n_rows(n), 0 if layers is None else layers.sizes[-1]))
    for start in range(0, len(own), AT_ONCE):
        some = own[start : start + AT_ONCE]
        forces, virial = known.forces[some], known.virial[some]
        c, m = known.neighbours[some].shape
        onto = onto_atoms(known.neighbours[some], n)
        linear[FORCES] += _onto(onto, forces.reshape(c * m, -1), n)
        linear[STRESS] += virial.sum(axis=0)
        if layers is None:
            continue
        slopes = layers.slopes(known.components[some]).swapaxes(1, 2)
        by_units = forces.reshape(c, 3 * m, -1) @ slopes
        units[FORCES] += _onto(onto, by_units.reshape(c * m, -1), n)
        units[STRESS] += (virial @ slopes).sum(axis=0)
    return linear, units


def onto_atoms(neighbours: NDArray[np.int64], n: int) -> sparse.csr_matrix:
    """(n, c m) matrix that adds up what belongs to neighbours (c, m) of central atoms, atom by
    atom."""
    pairs = neighbours.size
    ones = np.ones(pairs)
    return sparse.csr_matrix((ones, (neighbours.ravel(), np.arange(pairs))), shape=(n, pairs))


def _onto(matrix: sparse.csr_matrix, pairs: Array, n: int) -> Array:
    """(3 n, columns) from (c m, 3 columns)."""
    return np.asarray(matrix @ pairs).reshape(3 * n, -1)
