"""Labelled configurations as a network learns from them: components, derivatives, targets and
weights."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from snap_al.data.labelled import LabelledConfiguration, Weighting
from snap_al.data.rows import ENERGY, FORCES, STRESS
from snap_al.descriptors import ReferencePotential, SnapSettings
from snap_al.descriptors.derivatives import Derivatives, DerivativesEngine
from snap_al.descriptors.engine import DescriptorEngine
from snap_al.errors import RunError
from snap_al.potential.network.engine import cheapest
from snap_al.progress import Report, silent
from snap_al.sessions import LammpsSettings
from snap_al.units import ASE_STRESS_TO_ROWS, BAR_PER_EV_PER_A3

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Example:
    """A labelled configuration of n atoms."""

    known: Derivatives
    """Components and their derivatives; these in single precision if asked for."""
    stress_unit: float
    """Bar per eV of virial."""
    targets: Array
    """(1 + 3 n + 6,) labels without the reference potential; 0 where there is none."""
    weights: Array
    """(1 + 3 n + 6,) weights of the rows; 0 where there is no label."""


@dataclass(frozen=True)
class Keeping:
    """How derivatives are kept: 12 n_atoms K m bytes in single precision, for K components and m
    neighbours."""

    precision: Literal["single", "double"] = "single"
    """Of the kept arrays."""
    folder: Path | None = None
    """Folder of files without a name, for more than memory holds; in memory when not given."""

    def keep(self, array: Array) -> NDArray[Any]:
        """A copy. Raises RunError when there is no room for it."""
        dtype = np.float32 if self.precision == "single" else np.float64
        if self.folder is None:
            return array.astype(dtype)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder) as file:
                os.posix_fallocate(file.fileno(), 0, array.size * np.dtype(dtype).itemsize)
                kept = np.memmap(file, dtype=dtype, mode="r+", shape=array.shape)
        except OSError as error:
            raise RunError(f"{self.folder}: no room for derivatives on disk: {error}") from error
        kept[:] = array
        return kept


@dataclass(frozen=True)
class Sources:
    """What computes examples."""

    settings: SnapSettings
    """The descriptor."""
    reference: ReferencePotential
    """The reference potential, which is taken off labels."""
    lammps: LammpsSettings | None = None
    """Which LAMMPS, and its arguments."""


def examples_of(
    items: Sequence[LabelledConfiguration],
    sources: Sources,
    keeping: Keeping | None = None,
    report: Report = silent,
) -> list[Example]:
    """Compute the examples of labelled configurations.

    Parameters
    ----------
    items : sequence of LabelledConfiguration
        The training set; it gives each configuration its weights.
    sources : Sources
        Descriptor and reference potential.
    keeping : Keeping, optional
        Precision and place of the derivatives; single precision in memory when not given.
    report : callable, optional
        Told how many configurations are done.

    Returns
    -------
    list of Example

    Raises
    ------
    InputError
        For a configuration that cannot be computed.
    """
    keeping, weighting = keeping or Keeping(), Weighting(items)
    settings, reference, lammps = sources.settings, sources.reference, sources.lammps
    found = []
    with (
        DerivativesEngine(settings, lammps, reference.longest_cutoff()) as engine,
        DescriptorEngine(cheapest(settings), reference, lammps) as referred,
    ):
        for number, item in enumerate(items):
            report("derivatives", number, len(items))
            c = item.configuration
            known = engine.derivatives(c)
            taken_off = referred.rows(c).reference if reference.styles else 0.0
            labels = _labels(item)
            weights = np.where(np.isfinite(labels), weighting.of(item), 0.0)
            found.append(
                Example(
                    replace(known, forces=keeping.keep(known.forces)),
                    BAR_PER_EV_PER_A3 / engine.volume(c),
                    np.where(weights > 0, labels - taken_off, 0.0),
                    weights,
                )
            )
    return found


def _labels(item: LabelledConfiguration) -> Array:
    """(1 + 3 n + 6,) NaN where there is none."""
    configuration = item.configuration
    label, n = configuration.label, len(configuration)
    labels = np.full(1 + 3 * n + 6, np.nan)
    if label.energy is not None:
        labels[ENERGY] = label.energy / n
    if label.forces is not None:
        labels[FORCES] = label.forces.ravel()
    if label.stress is not None:
        labels[STRESS] = label.stress * ASE_STRESS_TO_ROWS
    return labels


def of_element(examples: Iterable[Example], element: int) -> Iterator[Array]:
    """(c, K) components of the atoms of one element, example by example."""
    for example in examples:
        yield example.known.components[example.known.elements == element]
