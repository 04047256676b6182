"""Quantum ESPRESSO as a labeler, through ASE.

label: calculator: snap_al.label.espresso.espresso arguments: {pseudopotentials: {Al:
  Al.pbe-n-kjpaw_psl.1.0.0.UPF}, pseudo_dir: /usr/share/espresso/pseudo, ecutwfc: 30} backend: local
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ase.calculators.espresso import Espresso, EspressoProfile

from snap_al.errors import InputError
from snap_al.label.ase_labeler import merged


def espresso(
    pseudopotentials: dict[str, str],
    pseudo_dir: str,
    ecutwfc: float,
    command: str = "pw.x",
    kspacing: float | None = 0.04,
    smearing: float = 0.02,
    input_data: dict[str, Any] | None = None,
    **more: Any,
) -> Espresso:
    """An ASE calculator for pw.x with energy, forces and stress of one self-consistent calculation.

    pseudopotentials: file in `pseudo_dir` per element. ecutwfc: Ry. kspacing: 1/Å without 2π,
    distance of k-points at most, so that their number follows the cell; None to give `kpts`.
    smearing: Ry, Marzari-Vanderbilt. input_data: sections of pw.x's input that come before what is
    set here (https://www.quantum-espresso.org/Doc/INPUT_PW.html). With smearing pw.x' total energy
    is the free energy that its forces are the gradient of. Raises InputError for a pseudopotential
    that is not there.
    """
    if not Path(pseudo_dir).is_absolute():
        raise InputError(
            f"label.arguments.pseudo_dir: {pseudo_dir}: give an absolute path; each label runs in "
            "a folder of its own"
        )
    for element, name in pseudopotentials.items():
        if not (Path(pseudo_dir) / name).is_file():
            raise InputError(
                f"label.arguments.pseudopotentials: {element}: no file {Path(pseudo_dir) / name}"
            )
    usual = {
        "control": {"calculation": "scf", "tprnfor": True, "tstress": True, "disk_io": "none"},
        "system": {
            "ecutwfc": ecutwfc,
            "occupations": "smearing",
            "smearing": "mv",
            "degauss": smearing,
        },
        "electrons": {"conv_thr": 1e-8},
    }
    return Espresso(
        profile=EspressoProfile(command=command, pseudo_dir=pseudo_dir),
        pseudopotentials=pseudopotentials,
        input_data=merged(usual, _lower(input_data or {})),
        kspacing=kspacing,
        **more,
    )


def _lower(sections: dict[str, Any]) -> dict[str, Any]:
    """Fortran's namelists know no case."""
    return {k.lower(): _lower(v) if isinstance(v, dict) else v for k, v in sections.items()}
