"""Labels that are computed elsewhere: structures are written to one folder, and results are read
from another, whenever they are put there."""

from __future__ import annotations

import time
from io import StringIO
from pathlib import Path

import numpy as np

from snap_al.data.configuration import Configuration, Label
from snap_al.data.readers import read_frames
from snap_al.data.storage import write_atomically
from snap_al.errors import LabelError, SnapALError
from snap_al.label.backend import LabelResult, encode_result, job_name, read_result, result_paths
from snap_al.label.labeler import check_result

SETTLED = 5.0
"""s during which a file that cannot be read must not change before it counts as a failure, since it
may still be copied."""
SAME = 1e-4
"""Å, error of positions in formats with few digits."""


class FolderBackend:
    """Writes folder/asked/JOB.extxyz; takes folder/answers/JOB.*, any file of one structure that
    ASE reads, with energy, forces and, if it has one, stress under the names that training files
    have, in ASE's units."""

    everywhere = False

    def __init__(self, key: str, folder: Path) -> None:
        self._key, self._folder = key, folder

    def submit(self, configuration: Configuration) -> str:
        job = job_name(configuration, self._key)
        label, failed = result_paths(self._folder, job)
        if not label.exists():
            failed.unlink(missing_ok=True)
            write_atomically(self._folder / "asked" / f"{job}.extxyz", _as_text(configuration, job))
            (self._folder / "answers").mkdir(exist_ok=True)
        return job

    def poll(self, job: str, configuration: Configuration) -> LabelResult | None:
        """Raises LabelError for a label file that is not of this configuration."""
        if (known := read_result(self._folder, job, configuration)) is not None:
            return known
        answer = next(iter(sorted((self._folder / "answers").glob(f"{job}.*"))), None)
        if answer is None:
            return None
        try:
            label, reason = _label_in(answer, configuration), ""
        except SnapALError as error:  # including errors of files that cannot be read
            if time.time() - answer.stat().st_mtime < SETTLED:
                return None
            label, reason = None, f"{answer.name}: {error}"
            answer.replace(answer.with_name(f"refused-{answer.name}"))
        path = result_paths(self._folder, job)[label is None]
        write_atomically(path, encode_result(configuration, label, reason, 0.0))
        return read_result(self._folder, job, configuration)

    def cancel(self, job: str) -> None:
        (self._folder / "asked" / f"{job}.extxyz").unlink(missing_ok=True)

    def close(self) -> None:
        """Does nothing."""


def _as_text(configuration: Configuration, job: str) -> str:
    import ase.io  # late: it is slow to import

    atoms, text = configuration.to_atoms(), StringIO()
    atoms.info["job"] = job
    ase.io.write(text, atoms, format="extxyz")
    return text.getvalue()


def _label_in(path: Path, asked: Configuration) -> Label:
    """Raises LabelError for another structure, or no label; InputError for what cannot be read."""
    answered = read_frames(path)[-1]
    if answered.species != asked.species:
        raise LabelError("other atoms, or in another order, than were asked for")
    separations = (answered.positions - asked.positions) @ np.linalg.pinv(asked.cell)
    separations -= np.where(asked.pbc, np.round(separations), 0.0)
    if (
        not np.allclose(answered.cell, asked.cell, atol=SAME)
        or np.abs(separations @ asked.cell).max() > SAME
    ):
        raise LabelError(f"another structure than was asked for (compare asked/{path.stem}.extxyz)")
    return check_result(asked, answered.label)
