"""Energies, forces, stress and their stds of configurations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ase import Atoms
from threadpoolctl import threadpool_limits

from snap_al.data.carried import as_extended_xyz, with_reference_names
from snap_al.data.configuration import Configuration
from snap_al.data.counts import ReadCount
from snap_al.data.storage import write_atomically
from snap_al.descriptors import Engine
from snap_al.potential import FittedPotential
from snap_al.potential.snap_calculator import predicted
from snap_al.progress import Report, silent
from snap_al.tasks.data import Data, name_of, read_data
from snap_al.tasks.potential import GivenPotential, potential_of
from snap_al.tasks.result import TaskResult


@dataclass(frozen=True)
class PredictResult(TaskResult):
    """Predictions for configurations."""

    frames: tuple[Atoms, ...]
    """In the order in which they were given, with all that they carried. `info` has energy (eV),
    energy_std (eV, of the whole cell), stress and stress_std ((6,), eV/Å³, Voigt order xx, yy, zz,
    yz, xz, xy); `arrays` has forces and forces_std ((n_atoms, 3), eV/Å). Stds are total ones.
    Labels that a frame had under these names are under REF_energy, REF_forces and REF_stress."""


def predict(
    potential: GivenPotential, data: Data, out: Path | str | None = None, *, report: Report = silent
) -> PredictResult:
    """Predict energies, forces and stress with their stds.

    It is not collective: under MPI, call it on one rank.

    Parameters
    ----------
    potential : FittedPotential, path or str
        A potential, or the folder of a run or a fit.
    data : path, str, DataFile or sequence of Atoms
        Configurations. They are not changed.
    out : path or str, optional
        A file to write them to as extended XYZ, with the predictions.
    report : callable, optional
        Called with what is being done, how much of it is done, and of how much.

    Returns
    -------
    PredictResult
        The configurations with their predictions. Its warnings say what extended XYZ cannot hold.

    Raises
    ------
    InputError
        If there is no potential, a file cannot be read, or a configuration has an element that the
        potential does not know.

    Notes
    -----
    The total std is that of the coefficients' posterior, of the embedded model error of
    Sargsyan et al. and of the labels' noise, in quadrature.

    References
    ----------
    Sargsyan, Huan, Najm, Int. J. Uncertain. Quantif. 9, 365 (2019).

    Examples
    --------
    >>> frames = sa.predict("fit", "frames.extxyz").frames
    >>> frames[0].arrays["forces_std"].max()
    """
    known = potential_of(potential)
    contents = read_data(data, known.elements, labelled=False)
    frames = []
    with threadpool_limits(1), known.engine() as engine:
        for n, (configuration, atoms) in enumerate(
            zip(contents.configurations, contents.atoms, strict=True)
        ):
            report("predictions", n, contents.frames)
            frames.append(_predicted(configuration, atoms, engine, known))
    warnings = list(contents.left_out)
    if out is not None:
        text, remarks = as_extended_xyz(frames)
        write_atomically(Path(out), text)
        warnings += remarks
    read = ReadCount("data", name_of(data), contents.frames, labels_used=False)
    return PredictResult(tuple(frames), read=(read,), warnings=tuple(warnings))


def _predicted(
    configuration: Configuration, carried: Atoms, engine: Engine, potential: FittedPotential
) -> Atoms:
    values = predicted(potential.posterior, engine.rows(configuration), len(configuration))
    atoms = with_reference_names(carried, configuration.label)
    atoms.info |= {name: values[name] for name in ("energy", "energy_std", "stress", "stress_std")}
    atoms.arrays |= {name: values[name] for name in ("forces", "forces_std")}
    return atoms
