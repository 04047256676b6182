"""Any LAMMPS potential as an ASE calculator, in memory: a truth for studies, a labeler like any
other.

label: calculator: snap_al.potential.calculator.LammpsCalculator arguments: {elements: [Ni, H],
  commands: ["pair_style eam/alloy", "pair_coeff * * NiAlH_jea.eam.alloy Ni H"]}
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, CalculatorSetupError, all_changes
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration, Label
from snap_al.data.masses import masses
from snap_al.descriptors import ReferencePotential
from snap_al.errors import LammpsError
from snap_al.parallel import SERIAL
from snap_al.sessions import (
    MD_SKIN,
    Box,
    LammpsSession,
    LammpsSettings,
    box_of,
    make_room,
    most_neighbours,
)
from snap_al.units import ASE_STRESS_TO_ROWS

Array = NDArray[np.float64]
PRESSURES = ("pxx", "pyy", "pzz", "pyz", "pxz", "pxy")
"""In ASE's Voigt order."""


class LammpsCalculator(Calculator):
    """Energy (eV), forces (eV/Å), and stress (eV/Å³) where the cell has a volume, in metal units,
    on one rank.

    elements: one symbol per atom type, in the order of `commands`, which are a pair_style and its
    pair_coeff. vacuum: Å, to the end of the box along open directions, more than the potential's
    cutoff. arguments: LAMMPS' command line, and library, its liblammps.so, as in a config's
    `lammps`. atom_style: of charges and spins, which are then the atoms' initial ones.

    A copy, or a pickle, has all but the LAMMPS session; it opens one of its own when it first
    computes something. Raises CalculatorSetupError for an atom of another element, LammpsError for
    what LAMMPS refuses.
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012

    def __init__(
        self,
        commands: Sequence[str],
        elements: Sequence[str],
        arguments: Sequence[str] = (),
        vacuum: float = 20.0,
        library: str | None = None,
        atom_style: str = "atomic",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._commands, self._elements = tuple(commands), tuple(elements)
        self._lammps = LammpsSettings(
            arguments=tuple(arguments), library=None if library is None else Path(library)
        )
        self._vacuum, self._moments = vacuum, ReferencePotential(atom_style=atom_style)
        self._session: LammpsSession | None = None
        self._pbc = (True, True, True)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        assert self.atoms is not None  # ASE has set it
        configuration = Configuration.from_atoms(self.atoms, label=Label())
        if unknown := sorted(set(configuration.species) - set(self._elements)):
            raise CalculatorSetupError(
                f"{', '.join(unknown)}: the potential is for {', '.join(self._elements)}"
            )
        try:
            self.results = self._computed(configuration, box_of(configuration, vacuum=self._vacuum))
        except LammpsError:
            self.close()
            raise

    def _computed(self, configuration: Configuration, box: Box) -> dict[str, Any]:
        session = self._placed(configuration, box)
        session.command("run 0 post no")
        order = np.argsort(session.atoms()["id"])
        energy = session.thermo("pe")
        results = {
            "energy": energy,
            "free_energy": energy,
            "forces": box.vectors_back(session.forces()[order]),
        }
        if (
            configuration.volume > 0
        ):  # LAMMPS' own is of its box, which along open directions is another than the cell
            pressure = (
                np.array([session.thermo(name) for name in PRESSURES])
                * session.thermo("vol")
                / configuration.volume
            )
            results["stress"] = box.stress_map() @ pressure / ASE_STRESS_TO_ROWS
        return results

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: without the session, which belongs to one object in one
        process.
        """
        return {**self.__dict__, "_session": None}

    def close(self) -> None:
        """Ends the LAMMPS session; the next calculation opens another."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _placed(self, configuration: Configuration, box: Box) -> LammpsSession:
        """The session is kept while all directions are periodic: then another box is a
        `change_box`.
        """
        if self._session is None or not all((*self._pbc, *box.pbc)):
            self.close()
            self._session, self._pbc = self._opened(box), box.pbc
        session = self._session
        if session.n_atoms:
            session.command("delete_atoms group all compress yes")
            session.command(f"change_box all {box.bounds()}")
        types = np.array(
            [self._elements.index(s) + 1 for s in configuration.species], dtype=np.int32
        )
        session.create_atoms(types, box.positions if all(box.pbc) else box.centered())
        self._moments.set_moments(session, configuration, box)
        make_room(session, most_neighbours(box, self._vacuum + MD_SKIN))
        return session

    def _setup(self, session: LammpsSession) -> None:
        """The lines that define the potential."""
        session.commands(self._commands)

    def _opened(self, box: Box) -> LammpsSession:
        session = LammpsSession(SERIAL, lammps=self._lammps)
        try:
            session.create_box(box, masses(self._elements), self._moments.atom_style, sort=False)
            self._setup(session)
            session.command(f"thermo_style custom step pe vol {' '.join(PRESSURES)}")
        except Exception:
            session.close()
            raise
        return session
