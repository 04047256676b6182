"""A labeler whose every answer is kept on disk: a validation that was cut short asks for none of them again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from snap_al.data.configuration import Configuration
from snap_al.data.storage import write_atomically
from snap_al.label import AseLabeler


class RememberedLabeler(Calculator):
    """An AseLabeler as an ASE calculator: energy, forces, and stress where it has one.

    folder: one file per structure asked for, named by structure and labeler; what the labeler writes is in `scratch` there.
    Raises LabelError when the labeler fails.
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012 (as ASE has it)

    def __init__(self, labeler: AseLabeler, folder: Path) -> None:
        super().__init__()
        self._labeler, self._folder = labeler, folder.resolve()

    def calculate(
        self, atoms: Atoms | None = None, properties: Sequence[str] = ("energy",), system_changes: Sequence[str] = all_changes
    ) -> None:  # fmt: skip
        super().calculate(atoms, properties, system_changes)
        configuration = Configuration.from_atoms(self.atoms)
        name = hashlib.sha256(f"{configuration.key} {self._labeler.key}".encode()).hexdigest()[:20]
        path = self._folder / f"{name}.json"
        known = self._known(path)
        if known is None:
            known = self._asked(configuration)
            write_atomically(path, json.dumps(known))
        self.results = {k: np.array(v) if isinstance(v, list) else v for k, v in known.items() if v is not None}

    def _known(self, path: Path) -> dict[str, object] | None:
        """None also for a file that something has cut off."""
        try:
            found = json.loads(path.read_text())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) and {"energy", "forces"} <= set(found) else None

    def _asked(self, configuration: Configuration) -> dict[str, object]:
        scratch = self._folder / "scratch"
        scratch.mkdir(parents=True, exist_ok=True)
        with chdir(scratch):
            label = self._labeler.label(configuration)
        found = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in vars(label).items()}
        return {**found, "free_energy": label.energy}
