"""The labels that a run has computed, for FitSNAP."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from snap_al.config import read_run
from snap_al.descriptors import ReferencePotential
from snap_al.fitsnap import export as write_training_set
from snap_al.loop import RunDirectory
from snap_al.tasks.run_labels import labels_of_run


@dataclass(frozen=True)
class ExportResult:
    """What `export` has written."""

    configurations: int
    """Number of labelled configurations."""
    deck: Path
    """The FitSNAP deck that fits to them."""


def export(folder: Path | str, out: Path | str) -> ExportResult:
    """Write the labels of a run as FitSNAP JSON groups with a deck.

    It is not collective: under MPI, call it on one rank.

    Parameters
    ----------
    folder : path or str
        The folder of a run.
    out : path or str
        The folder to write into; it is made if it is not there.

    Returns
    -------
    ExportResult
        The number of configurations and the deck's path.

    Raises
    ------
    InputError
        If the folder holds no run, or a label that its journal names is not there.

    Examples
    --------
    >>> sa.export("run", "fitsnap").deck
    PosixPath('fitsnap/export.in')
    """
    directory = RunDirectory(Path(folder))
    config, _, state = read_run(directory.root)
    items = labels_of_run(directory, config, state)
    reference = ReferencePotential.parse(
        list(config.reference), config.descriptor.elements, config.reference_folders
    )
    deck = write_training_set(items, config.descriptor, reference, Path(out), config.eshift)
    return ExportResult(len(items), deck)
