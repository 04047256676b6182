"""Trees of VASP's OUTCAR files, as FitSNAP's VASP scraper takes them. data/vasp.py says which steps
can be used."""

from __future__ import annotations

from pathlib import Path

from ase import Atoms

from snap_al.data.configuration import Configuration, Label
from snap_al.data.reading_labels import labels_of
from snap_al.data.vasp import read_vasp
from snap_al.errors import InputError


def outcars(folder: Path) -> list[Path]:
    """All files whose name ends in OUTCAR, anywhere below a folder."""
    return sorted(p for p in folder.rglob("*OUTCAR") if p.is_file()) if folder.is_dir() else []


def read_outcar(
    path: Path, *, total_energy: bool, skip_incomplete: bool, remarks: list[str] | None = None
) -> list[Configuration]:
    """Every ionic step that is whole and converged; the others are told to `remarks`.

    Raises InputError for a file without one, and for a step that is cut off unless it is skipped.
    total_energy: the free energy TOTEN, with electronic entropy; otherwise the energy without
    entropy, E₀, which is 2 E(σ→0) - TOTEN. Forces belong to TOTEN.
    """
    found = read_vasp(path, "vasp-out")
    if found.cut and not skip_incomplete:
        raise InputError(f"{path}: {found.cut}")
    if remarks is not None:
        remarks += found.remarks(path) + ([f"{path}: {found.cut}"] if found.cut else [])
    return [_configuration(a, f"{path}, step {n}", total_energy) for n, a in found.converged]


def _configuration(atoms: Atoms, name: str, total_energy: bool) -> Configuration:
    label = labels_of(atoms, name).label
    results = {} if atoms.calc is None else atoms.calc.results
    if not total_energy and label.energy is not None and "energy" in results:
        label = Label(2.0 * float(results["energy"]) - label.energy, label.forces, label.stress)
    return Configuration.from_atoms(atoms, name, label)
