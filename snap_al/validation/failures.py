"""Which errors say that a calculation failed, and which are a fault of the program."""

from __future__ import annotations

import subprocess

import spglib

from snap_al.errors import SnapALError, UnexpectedError, of_the_disk

FAILURES = (
    SnapALError,  # LAMMPS, a labeler, a relaxation without an end, atoms without descriptors
    RuntimeError,  # ASE's calculators and optimisers, SciPy, phonopy; NotImplementedError too
    ValueError,  # NumPy (LinAlgError), SciPy and ASE at NaN, ASE at an energy without a minimum
    ArithmeticError,
    OSError,
    subprocess.SubprocessError,
    getattr(spglib, "SpglibError", RuntimeError),  # since spglib 2.7
)
"""What calculators, and what is computed with them, raise where a crystal or a potential is to
blame."""


def failure_of(error: Exception) -> str:
    """What an error says of a calculation that failed.

    Raises the error itself where it says no such thing: a TypeError, KeyError, IndexError or
    AssertionError is a fault of the program, and a full disk or memory is the machine's.
    """
    if not isinstance(error, FAILURES) or isinstance(error, UnexpectedError):
        raise error
    if of_the_disk(error) is not None:
        raise error
    return f"{type(error).__name__}: {error}"
