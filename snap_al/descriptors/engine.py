"""One configuration → its rows of the design matrix, through `compute snap` on a LAMMPS session of
one rank.

https://docs.lammps.org/compute_sna_atom.html
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration
from snap_al.data.rows import ENERGY, FORCES, STRESS
from snap_al.data.storage import require_regular_file
from snap_al.descriptors.columns import Columns
from snap_al.descriptors.configuration_rows import ConfigurationRows, vanishing
from snap_al.descriptors.lammps_engine import LammpsEngine
from snap_al.descriptors.reference import ReferencePotential
from snap_al.descriptors.settings import SnapSettings
from snap_al.sessions import Box, LammpsSession, LammpsSettings
from snap_al.units import BAR_PER_EV_PER_A3

Array = NDArray[np.float64]
FORMAT = 1
"""Of what rows are; raised when they change, so that stored ones are computed anew."""


class DescriptorEngine(LammpsEngine):
    """Computes rows. Use as a context manager. Raises InputError for a configuration that cannot be
    computed.
    """

    def __init__(
        self,
        settings: SnapSettings,
        reference: ReferencePotential,
        lammps: LammpsSettings | None = None,
        pressure_unit: float = BAR_PER_EV_PER_A3,
    ) -> None:
        """pressure_unit: bar per eV/Å³ in stress rows."""
        super().__init__(settings, reference, lammps)
        self._pressure_unit = pressure_unit
        self.columns = Columns.of(settings)

    def rows(self, configuration: Configuration) -> ConfigurationRows:
        raw, box = self._guarded(configuration, self._compute)
        return self._arrange(configuration, raw, box)

    def atom_rows(self, configuration: Configuration) -> Array:
        """(n_atoms, n_distinct) rows of single atoms' energies, zero outside the block of the
        atom's own element; their mean is the configuration's energy row.
        https://docs.lammps.org/compute_sna_atom.html"""
        raw, _ = self._guarded(configuration, self._compute_atoms)
        return self.columns.atom_rows(self.element_numbers(configuration), raw)

    def rows_with_atoms(
        self, configuration: Configuration
    ) -> tuple[ConfigurationRows, Array, Array]:
        """`rows`, `atom_rows`, and (n_atoms,) eV of the reference potential on each atom, by one
        evaluation of it.
        """
        n = len(configuration)
        raw, box = self._guarded(configuration, self._compute_all)
        elements = self.element_numbers(configuration)
        return (
            self._arrange(configuration, raw[:-n], box),
            self.columns.atom_rows(elements, raw[-n:, : self.columns.n_components]),
            raw[-n:, -1].copy(),
        )

    @property
    def fingerprint(self) -> str:
        """Everything but the configuration that rows depend on, the version of LAMMPS among it."""
        session = self._session or self._open()
        files = [
            hashlib.sha256(require_regular_file(path).read_bytes()).hexdigest()
            for path in self._reference.files()
        ]
        parts = (
            FORMAT,
            self.settings.model_dump_json(),
            self._reference,
            files,
            self._pressure_unit,
            session.version,
        )
        return repr(parts)

    def _compute(self, configuration: Configuration) -> tuple[Array, Box]:
        session, box = self._placed(configuration)
        session.command(f"compute snap all snap {self.settings.compute_arguments()}")
        session.command("run 0 post no")
        raw = session.global_array("snap")
        session.commands(["uncompute snap", "uncompute snap_press"])
        return raw, box

    def _compute_atoms(self, configuration: Configuration) -> tuple[Array, Box]:
        """In the order of the configuration's atoms."""
        session, box = self._placed(configuration)
        session.command(f"compute atoms all sna/atom {self.settings.compute_arguments()}")
        session.command("run 0 post no")
        raw = session.per_atom("atoms")[np.argsort(session.atoms()["id"])]
        session.command("uncompute atoms")
        return raw, box

    def _compute_all(self, configuration: Configuration) -> tuple[Array, Box]:
        """The rows of `_compute`; below them (n_atoms, ...) each atom's components and, last, its
        reference energy.
        """
        session, box = self._placed(configuration)
        arguments = self.settings.compute_arguments()
        session.commands(
            [
                f"compute snap all snap {arguments}",
                f"compute atoms all sna/atom {arguments}",
                "compute energies all pe/atom pair",
            ]
        )
        session.command("run 0 post no")
        order = np.argsort(session.atoms()["id"])
        raw, components = session.global_array("snap"), session.per_atom("atoms")[order]
        own = np.zeros((len(order), raw.shape[1]))
        own[:, : components.shape[1]], own[:, -1] = (
            components,
            session.per_atom_scalar("energies")[order],
        )
        session.commands(
            ["uncompute snap", "uncompute snap_press", "uncompute atoms", "uncompute energies"]
        )
        return np.concatenate([raw, own]), box

    def _placed(self, configuration: Configuration) -> tuple[LammpsSession, Box]:
        session, box = self._session or self._open(), self._box(configuration)
        self._place(session, box, (self.element_numbers(configuration) + 1).astype(np.int32))
        self._reference.set_moments(session, configuration, box)
        return session, box

    def _arrange(self, configuration: Configuration, raw: Array, box: Box) -> ConfigurationRows:
        n = len(configuration)
        columns = self.columns
        full = np.zeros((len(raw), columns.n_all))
        for element in range(columns.n_elements):
            block = columns.block(element)
            k = slice(element * columns.n_components, (element + 1) * columns.n_components)
            full[:, block.start + int(columns.has_constant) : block.stop] = raw[:, k]
            if columns.has_constant:
                full[0, block.start] = configuration.species.count(self.settings.elements[element])
        values, reference = columns.keep_distinct(full), raw[:, -1].copy()
        values[ENERGY] /= n
        reference[ENERGY] /= n
        # compute snap gives the virial of the descriptors in eV, but the pressure of the reference
        # potential in bar and
        # of LAMMPS' box, which along open directions is not the cell that a label's stress belongs
        # to
        volume = configuration.volume or box.volume
        values[STRESS] *= self._pressure_unit / volume
        reference[STRESS] *= box.volume / volume
        if not box.turned:
            return ConfigurationRows(
                values, reference, vanishing(values, self._pressure_unit * n / volume)
            )
        stress_map = box.stress_map()
        for array in (values, reference.reshape(-1, 1)):
            forces = array[FORCES].reshape(n, 3, -1).swapaxes(1, 2)
            array[FORCES] = box.vectors_back(forces).swapaxes(1, 2).reshape(3 * n, -1)
            array[STRESS] = stress_map @ array[STRESS]
        return ConfigurationRows(
            values, reference, vanishing(values, self._pressure_unit * n / volume)
        )

    def _open(self) -> LammpsSession:
        self._session = self._opened(
            self.elements,
            lambda session: [
                *self._reference.with_zero(self.settings.max_cutoff, session.name_of),
                *self._reference.fixes,
            ],
        )
        return self._session
