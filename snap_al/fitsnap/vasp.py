"""Trees of VASP's OUTCAR files, as FitSNAP's VASP scraper takes them; read by ASE.

https://www.vasp.at/wiki/index.php/OUTCAR
"""

from __future__ import annotations

import re
from pathlib import Path

from ase import Atoms

from snap_al.data.configuration import Configuration
from snap_al.errors import InputError


def outcars(folder: Path) -> list[Path]:
    """All files whose name ends in OUTCAR, anywhere below a folder."""
    return sorted(p for p in folder.rglob("*OUTCAR") if p.is_file()) if folder.is_dir() else []


def read_outcar(path: Path, *, total_energy: bool, skip_incomplete: bool) -> list[Configuration]:
    """Every ionic step. Raises InputError for a file without one, and for a step that is cut off unless it is skipped.

    total_energy: the free energy TOTEN, with electronic entropy; otherwise the energy without entropy, E₀, which is
    2 E(σ→0) - TOTEN. Forces belong to TOTEN.
    """
    import ase.io  # late: it is slow to import

    steps: list[Atoms] = []
    try:
        for atoms in ase.io.iread(path, format="vasp-out"):
            steps.append(atoms)
    except Exception as error:
        if not (skip_incomplete and steps):
            message = f"{type(error).__name__}: {error}"
            raise InputError(f"{path}: step {len(steps) + 1} of this OUTCAR cannot be read: {message}") from error
    begun = {int(n) for n in re.findall(r"Iteration\s+(\d+)\(", path.read_text(errors="replace"))}
    if not skip_incomplete and len(begun) > len(steps):  # ASE passes over a last step that is cut off
        raise InputError(f"{path}: step {len(steps) + 1} of this OUTCAR is cut off")
    if not steps:
        raise InputError(f"{path}: an OUTCAR without a finished ionic step")
    return [_configuration(a, f"{path}, step {n}", total_energy) for n, a in enumerate(steps, 1)]


def _configuration(atoms: Atoms, name: str, total_energy: bool) -> Configuration:
    found = Configuration.from_atoms(atoms, name)
    free, label = found.label.energy, found.label
    if total_energy or free is None or atoms.calc is None or "energy" not in atoms.calc.results:
        return found
    without_entropy = 2.0 * float(atoms.calc.results["energy"]) - free
    return found.labelled(type(label)(without_entropy, label.forces, label.stress))
