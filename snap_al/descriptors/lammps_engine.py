"""What engines that compute with a LAMMPS session of one rank have in common.

The session is kept between configurations; for small cells opening it would cost more than the
descriptors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration, check_configuration
from snap_al.data.masses import masses
from snap_al.descriptors.reference import ReferencePotential
from snap_al.descriptors.settings import SnapSettings
from snap_al.errors import InputError, LammpsError
from snap_al.parallel import SERIAL
from snap_al.sessions import Box, LammpsSession, LammpsSettings, box_of, make_room, most_neighbours

Array = NDArray[np.float64]
Found = TypeVar("Found")
_SKIN = 0.01
COINCIDENT = 0.01
"""Å; no two atoms are this close."""


class LammpsEngine:
    """A session that is opened when it is first needed. Use as a context manager."""

    def __init__(
        self, settings: SnapSettings, reference: ReferencePotential, lammps: LammpsSettings | None
    ) -> None:
        self.settings = settings
        self.elements = settings.elements
        self._reference = reference
        self._lammps = lammps
        self._session: LammpsSession | None = None

    def __enter__(self) -> Self:
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

    def element_numbers(self, configuration: Configuration) -> NDArray[np.int64]:
        """(n_atoms,) which of `elements` each atom is."""
        return np.array([self.elements.index(symbol) for symbol in configuration.species])

    @property
    def _reach(self) -> float:
        """Å, the longest distance at which anything acts."""
        return max(self.settings.max_cutoff, self._reference.longest_cutoff())

    def _guarded(
        self, configuration: Configuration, compute: Callable[[Configuration], tuple[Array, Found]]
    ) -> tuple[Array, Found]:
        """What `compute` finds. Raises InputError for a configuration that cannot be computed."""
        where = configuration.name or "configuration"
        check_configuration(configuration, self.elements, where)
        try:
            raw, found = compute(configuration)
        except LammpsError as error:
            self.close()
            raise InputError(f"{where}: no descriptors: {error}") from error
        if not np.isfinite(raw).all():
            raise InputError(f"{where}: descriptors are not finite")
        return raw, found

    def _box(self, configuration: Configuration) -> Box:
        """Raises InputError for atoms that coincide, which SNAP would pass over without a word."""
        box = box_of(configuration, vacuum=self._reach + 1.0)
        if pair := box.coincident(COINCIDENT):
            raise InputError(
                f"{configuration.name or 'configuration'}: atoms {pair[0]} and {pair[1]} coincide"
            )
        return box

    def _place(self, session: LammpsSession, box: Box, types: NDArray[np.int32]) -> None:
        """The atoms of the box in the session, in the place of those that were there.

        types: (n_atoms,) LAMMPS' types, from 1 on.
        """
        if session.n_atoms:
            session.command("delete_atoms group all compress yes")
        session.command(f"change_box all {box.bounds()}")
        session.create_atoms(types, box.positions)
        make_room(session, most_neighbours(box, self._reach + _SKIN))

    def _opened(
        self, elements: Sequence[str], potential: Callable[[LammpsSession], list[str]]
    ) -> LammpsSession:
        """A session with a type for each of `elements` and the lines of a potential."""
        session = LammpsSession(SERIAL, lammps=self._lammps)
        try:
            session.commands(
                [
                    "units metal",
                    f"atom_style {self._reference.atom_style}",
                    "atom_modify map array sort 0 0.0",
                    "boundary p p p",
                    "box tilt large",
                    "region unit prism 0 10 0 10 0 10 0 0 0",
                    f"create_box {len(elements)} unit",
                    *(f"mass {k} {m!r}" for k, m in enumerate(masses(elements), 1)),
                    f"neighbor {_SKIN} bin",
                    *potential(session),
                ]
            )
        except LammpsError as error:
            session.close()
            places = self._reference.looked_for(str(error))
            raise InputError(f"reference potential: {error}{places}") from error
        return session
