"""What a folder holds of a run or a fit, read once for figures, numbers and the page."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snap_al.data.arrays import read_arrays
from snap_al.data.remarks import Remarks
from snap_al.data.rows import TO_USER_UNITS
from snap_al.loop import Event, RunConfig, RunDirectory, RunState
from snap_al.loop.events import Fitted, Labelled, Rejected, Segment
from snap_al.potential import FittedPotential
from snap_al.reporting.summary import segments
from snap_al.uncertainty import ErrorTable
from snap_al.validation import Validation

Array = NDArray[np.float64]
SHOWN_UNITS = (("meV/atom", 1e3), ("eV/Å", 1.0), ("GPa", 1e-4))
"""Name, and factor on what rows are in: eV/atom, eV/Å, bar."""
CSV_UNITS = tuple(zip(("eV/atom", "eV/Å", "eV/Å³"), TO_USER_UNITS, strict=True))


@dataclass(frozen=True)
class Predictions:
    """Labelled rows and what is predicted of them, in the units of rows: eV/atom, eV/Å, bar."""

    kinds: NDArray[np.int8]
    """(m,) 0 energy, 1 force, 2 stress."""
    groups: NDArray[np.int32]
    """(m,) numbers into `names`."""
    names: tuple[str, ...]
    """Names of the groups."""
    targets: Array
    """(m,) labels."""
    mean: Array
    """(m,) what is predicted."""
    std: Array
    """(m,) its total std."""

    @classmethod
    def read(cls, path: Path) -> Predictions | None:
        """The predictions of a file. None for a file that does not exist, is cut off, or is of an
        earlier version."""
        try:
            arrays = read_arrays(path)
        except (OSError, ValueError):
            return None
        stds = ("epistemic_std", "model_error_std", "noise_std")
        numbers = ("kinds", "groups", "targets", "mean", *stds)
        if "names" not in arrays or any(
            name not in arrays or arrays[name].dtype.kind not in "fi" for name in numbers
        ):
            return None
        values = {
            name: np.asarray(arrays[name], dtype=float) for name in ("targets", "mean", *stds)
        }
        if len({values[name].shape for name in values}) > 1:
            return None
        names = tuple(str(name) for name in np.atleast_1d(arrays["names"]))
        std = np.sqrt(sum((values[name] ** 2 for name in stds), np.zeros(())))
        columns = (
            arrays["kinds"].astype(np.int8),
            arrays["groups"].astype(np.int32),
            values["targets"],
            values["mean"],
            std,
        )
        if {c.shape for c in columns} != {(len(columns[0]),)} or not (
            columns[1] < len(names)
        ).all():
            return None
        kinds, groups, targets, mean, std = columns
        return cls(kinds, groups, names, targets, mean, std)

    def of(self, kind: int) -> Predictions:
        here = self.kinds == kind
        parts = (self.targets[here], self.mean[here], self.std[here])
        return Predictions(self.kinds[here], self.groups[here], self.names, *parts)

    @property
    def present(self) -> list[int]:
        """The kinds that have rows."""
        return [kind for kind in range(3) if (self.kinds == kind).any()]


@dataclass(frozen=True)
class Record:
    """The content of the folder of a run or a fit."""

    folder: Path
    """The folder."""
    stem: str
    """Name of the potential's files; "" where there is no potential."""
    potential: FittedPotential | None
    """The last potential; None where there is none yet."""
    tables: dict[str, ErrorTable]
    """Errors and calibration by name of the set."""
    predictions: Predictions | None
    """Predictions of the test set or, where there is none, of the training set."""
    config: RunConfig | None = None
    """Config of a run; None for a fit."""
    state: RunState | None = None
    """State of a run; None for a fit."""
    events: tuple[Event, ...] = ()
    """Events of a run's journal."""
    validation: Validation | None = None
    """What `snap-al validate` found; None without a validation."""
    remarks: Remarks = field(default_factory=Remarks)
    """Remarks on the labels that it began with."""

    @property
    def directory(self) -> RunDirectory:
        return RunDirectory(self.folder)

    @property
    def fits(self) -> list[Fitted]:
        return [e for e in self.events if isinstance(e, Fitted)]

    @property
    def labels(self) -> list[Labelled | Rejected]:
        """The labels that arrived, whether accepted or rejected."""
        return [e for e in self.events if isinstance(e, Labelled | Rejected)]

    def segments(self) -> list[Segment]:
        """The segments of all walkers, in the order in which they ran."""
        return segments(self.events)
