"""One configuration → its rows of the design matrix, through `compute snap` on a LAMMPS session of
one rank.

The session is kept between configurations; for small cells opening it would cost more than the
descriptors. https://docs.lammps.org/compute_sna_atom.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration, check_configuration
from snap_al.data.masses import masses
from snap_al.data.rows import ENERGY, FORCES, STRESS
from snap_al.data.storage import require_regular_file
from snap_al.descriptors.columns import Columns
from snap_al.descriptors.configuration_rows import ConfigurationRows, vanishing
from snap_al.descriptors.reference import ReferencePotential
from snap_al.descriptors.settings import SnapSettings
from snap_al.errors import InputError, LammpsError
from snap_al.parallel import SERIAL
from snap_al.sessions import Box, LammpsSession, LammpsSettings, box_of, make_room, most_neighbours
from snap_al.units import BAR_PER_EV_PER_A3

Array = NDArray[np.float64]
_SKIN = 0.01
FORMAT = 1
"""Of what rows are; raised when they change, so that stored ones are computed anew."""
COINCIDENT = 0.01
"""Å; no two atoms are this close."""


class DescriptorEngine:
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
        self._pressure_unit = pressure_unit
        self.settings = settings
        self.columns = Columns.of(settings)
        self.elements = settings.elements
        self._reference = reference
        self._lammps = lammps
        self._session: LammpsSession | None = None

    def __enter__(self) -> DescriptorEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: without the session. A copy opens one of its own when it first
        computes something.
        """
        return {**self.__dict__, "_session": None}

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def rows(self, configuration: Configuration) -> ConfigurationRows:
        raw, box = self._guarded(configuration, self._compute)
        return self._arrange(configuration, raw, box)

    def atom_rows(self, configuration: Configuration) -> Array:
        """(n_atoms, n_distinct) rows of single atoms' energies, zero outside the block of the
        atom's own element; their mean is the configuration's energy row.
        https://docs.lammps.org/compute_sna_atom.html"""
        raw, _ = self._guarded(configuration, self._compute_atoms)
        elements = np.array(
            [self.settings.elements.index(symbol) for symbol in configuration.species]
        )
        return self.columns.atom_rows(elements, raw)

    def rows_with_atoms(
        self, configuration: Configuration
    ) -> tuple[ConfigurationRows, Array, Array]:
        """`rows`, `atom_rows`, and (n_atoms,) eV of the reference potential on each atom, by one
        evaluation of it.
        """
        n = len(configuration)
        raw, box = self._guarded(configuration, self._compute_all)
        elements = np.array(
            [self.settings.elements.index(symbol) for symbol in configuration.species]
        )
        return (
            self._arrange(configuration, raw[:-n], box),
            self.columns.atom_rows(elements, raw[-n:, : self.columns.n_components]),
            raw[-n:, -1].copy(),
        )

    def _guarded(
        self, configuration: Configuration, compute: Callable[[Configuration], tuple[Array, Box]]
    ) -> tuple[Array, Box]:
        where = configuration.name or "configuration"
        check_configuration(configuration, self.settings.elements, where)
        try:
            raw, box = compute(configuration)
        except LammpsError as error:
            self.close()
            raise InputError(f"{where}: no descriptors: {error}") from error
        if not np.isfinite(raw).all():
            raise InputError(f"{where}: descriptors are not finite")
        return raw, box

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
        session = self._session or self._open()
        reach = max(self.settings.max_cutoff, self._reference.longest_cutoff())
        box = box_of(configuration, vacuum=reach + 1.0)
        if pair := box.coincident(COINCIDENT):  # SNAP would pass over them without a word
            raise InputError(
                f"{configuration.name or 'configuration'}: atoms {pair[0]} and {pair[1]} coincide"
            )
        if session.n_atoms:
            session.command("delete_atoms group all compress yes")
        session.command(f"change_box all {box.bounds()}")
        types = np.array(
            [self.settings.elements.index(s) + 1 for s in configuration.species], dtype=np.int32
        )
        session.create_atoms(types, box.positions)
        self._reference.set_moments(session, configuration, box)
        make_room(session, most_neighbours(box, reach + _SKIN))
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
        session = LammpsSession(SERIAL, lammps=self._lammps)
        try:
            n_types = len(self.settings.elements)
            session.commands(
                [
                    "units metal",
                    f"atom_style {self._reference.atom_style}",
                    "atom_modify map array sort 0 0.0",
                    "boundary p p p",
                    "box tilt large",
                    "region unit prism 0 10 0 10 0 10 0 0 0",
                    f"create_box {n_types} unit",
                    *(f"mass {k} {m!r}" for k, m in enumerate(masses(self.elements), 1)),
                    f"neighbor {_SKIN} bin",
                    *self._reference.with_zero(self.settings.max_cutoff, session.name_of),
                    *self._reference.fixes,
                ]
            )
        except LammpsError as error:
            session.close()
            places = self._reference.looked_for(str(error))
            raise InputError(f"reference potential: {error}{places}") from error
        self._session = session
        return session
