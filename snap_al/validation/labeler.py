"""A label backend as an ASE calculator. Every result is kept on disk, so that a validation that was
interrupted does not compute it again."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from snap_al.data.configuration import Configuration, Label
from snap_al.errors import LabelError
from snap_al.label import LabelBackend

POLL_SECONDS = 0.01


class LabelCalculator(Calculator):
    """Energy, forces, and stress where the labeler has one. Raises LabelError when it fails."""

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012

    def __init__(self, backend: LabelBackend) -> None:
        super().__init__()
        self._backend = backend

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        assert self.atoms is not None  # ASE has set the atoms
        configuration = Configuration.from_atoms(self.atoms, label=Label())
        job = self._backend.submit(configuration)
        while (result := self._backend.poll(job, configuration)) is None:
            time.sleep(POLL_SECONDS)
        if result.label is None:
            raise LabelError(result.reason)
        values = {"free_energy": result.label.energy, **vars(result.label)}
        self.results = {name: value for name, value in values.items() if value is not None}

    def close(self) -> None:
        self._backend.close()
