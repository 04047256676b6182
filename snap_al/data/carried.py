"""Writes frames as extended XYZ with all that they had when they were read: info, columns,
constraints, and labels under names of their own.

ASE's format holds constraints of whole atoms and of Cartesian components, and no others.
"""

from __future__ import annotations

from io import StringIO
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms, FixCartesian
from ase.stress import voigt_6_to_full_3x3_stress

from snap_al.data.label import Label
from snap_al.data.label_names import BARE, family_of

REFERENCE = "REF_"
_AS_MATRIX = ("stress", "virial")
"""Names that ASE's format has as nine numbers."""


def with_results(atoms: Atoms) -> Atoms:
    """A copy with a calculator's results in `info` and `arrays`, where they do not hide what is
    there."""
    copy: Atoms = atoms.copy()
    if isinstance(atoms.calc, SinglePointCalculator):
        for name, value in atoms.calc.results.items():
            if value is None or name in copy.info or name in copy.arrays:
                continue
            if np.ndim(value) > 0 and len(value) == len(atoms) and name not in _AS_MATRIX:
                copy.arrays[name] = np.asarray(value)
            else:
                copy.info[name] = value
    return copy


def with_reference_names(atoms: Atoms, label: Label) -> Atoms:
    """A copy without the bare names of labels (energy, forces, …), which a prediction then takes:
    the label is under REF_energy, REF_forces, REF_stress. REF_* names that the frame has already
    stay as they are."""
    copy = with_results(atoms)
    has = {name for name in (*copy.info, *copy.arrays) if name.startswith(REFERENCE)}
    for place in (copy.info, copy.arrays):
        for name in list(place):
            known = family_of(str(name))
            if known is None or known[0] != BARE:
                continue
            value = place.pop(name)
            if not has and _is_more(known[1].name, value, label, len(atoms)):
                place[f"{REFERENCE}{known[1].name}"] = value
    if not has:
        stress = None if label.stress is None else voigt_6_to_full_3x3_stress(label.stress).ravel()
        reference: dict[str, Any] = {"energy": label.energy, "stress": stress}
        copy.info |= {
            f"{REFERENCE}{k}": v
            for k, v in reference.items()
            if v is not None and f"{REFERENCE}{k}" not in copy.info
        }
        if label.forces is not None:
            copy.arrays[f"{REFERENCE}forces"] = label.forces
    return copy


def _is_more(name: str, value: Any, label: Label, n_atoms: int) -> bool:
    """Whether a value has more than the label: another energy than the free energy, or the share of
    each atom."""
    if name in ("energy", "free_energy"):
        return label.energy is not None and np.size(value) == 1
    return (
        name in ("energies", "stresses", "virials")
        and n_atoms > 1
        and np.size(value) % n_atoms == 0
    )


def as_extended_xyz(frames: list[Atoms]) -> tuple[str, list[str]]:
    """The text, and a list of what this format cannot hold and is therefore left out."""
    import ase.io  # late: it is slow to import

    dropped: dict[str, None] = {}
    text = StringIO()
    for atoms in frames:
        ase.io.write(text, _writable(atoms, dropped), format="extxyz", write_results=False)
    return text.getvalue(), [f"extended XYZ cannot hold {what}: left out" for what in dropped]


def _writable(atoms: Atoms, dropped: dict[str, None]) -> Atoms:
    from ase.io.extxyz import key_val_dict_to_str  # late: it is slow to import

    copy: Atoms = atoms.copy()
    for name, value in list(copy.info.items()):
        try:
            if name in _AS_MATRIX and np.size(value) == 6:
                copy.info[name] = voigt_6_to_full_3x3_stress(np.asarray(value, dtype=float).ravel())
            if "\n" in key_val_dict_to_str({name: copy.info[name]}):
                raise ValueError("it has more than one line")
        except Exception:  # noqa: BLE001  values can be of any type
            dropped[f"{name!r} of a frame's info"] = None
            del copy.info[name]
    for name, array in list(copy.arrays.items()):
        if array.dtype.kind not in "fiOSUb" or (array.ndim > 2 and array.dtype.kind not in "fi"):
            dropped[f"the column {name!r}"] = None
            del copy.arrays[name]
        elif array.ndim > 2:
            copy.arrays[name] = array.reshape(len(copy), -1)
    for constraint in copy.constraints:
        if not isinstance(constraint, FixAtoms | FixCartesian):
            dropped[f"constraints of type {type(constraint).__name__}"] = None
    return copy
