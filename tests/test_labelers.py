"""examples/labelers: Each config of examples/labelers: read as a run reads it; and labels where the
code is here, its input where it is not.
"""

import os
import subprocess
import sys
import types
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from helpers.calls import ROOT, snap_al
from helpers.optional import GPAW_SETUPS, needs, needs_program

from snap_al.config import load_config
from snap_al.label import AseLabeler
from snap_al.label.ase_labeler import calculator_named

EXAMPLES = ROOT / "examples" / "labelers"
NEEDED = {
    "tblite": needs(find_spec("tblite"), "tblite: pip install 'snap_al[tblite]'"),
    "cp2k": needs_program("cp2k_shell", "apt-get install cp2k"),
    "gpaw": needs(
        find_spec("gpaw") and GPAW_SETUPS.is_dir(),
        f"GPAW and its datasets in {GPAW_SETUPS}: pip install gpaw",
    ),
}
"""Of the labelers of EXAMPLES, those whose config cannot be read, or whose labels cannot be
computed, without a program.
"""
COMPUTED = ("emt", "lammps", *NEEDED)
SLOW = ("gpaw", "cp2k")


def case(name, slow=()):
    """A labeler with what it needs."""
    marks = [NEEDED[name]] if name in NEEDED else []
    return pytest.param(name, marks=[*marks, pytest.mark.slow] if name in slow else marks)


@pytest.fixture
def surroundings(tmp_path, monkeypatch):
    """ASE's config file, in which it finds ORCA; GPAW's datasets; a folder of the labeler's own."""
    (tmp_path / "ase.ini").write_text("[orca]\ncommand = /opt/orca/orca\n")
    monkeypatch.setenv("ASE_CONFIG_PATH", str(tmp_path / "ase.ini"))
    monkeypatch.setenv("GPAW_SETUP_PATH", str(GPAW_SETUPS))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def labeler_of(name):
    config = load_config(EXAMPLES / f"{name}.yaml")
    asked = config.start.configurations(config.descriptor.elements, config.seed)[0]
    return (
        AseLabeler(config.label.calculator, config.label.arguments, config.label.magmoms),
        asked,
        config,
    )


@pytest.mark.parametrize("name", [case(p.stem) for p in sorted(EXAMPLES.glob("*.yaml"))])
def test_a_run_would_begin(surroundings, name, monkeypatch):
    if name != "orca":  # the only one that ASE's config file is for; with it Python starts anew
        monkeypatch.delenv("ASE_CONFIG_PATH")
    done = snap_al("run", EXAMPLES / f"{name}.yaml", "--dry-run", "--out", surroundings / "run")
    assert done.returncode == 0, done.stderr
    assert "4 to begin with, 20 at most" in done.stdout


@pytest.mark.parametrize("name", [case(name, SLOW) for name in COMPUTED])
def test_forces_are_the_energies_gradient(surroundings, name):
    labeler, asked, _ = labeler_of(name)
    label = labeler.label(asked)
    direction = np.random.default_rng(0).standard_normal(asked.positions.shape)
    direction /= np.linalg.norm(direction)
    energies = []
    for sign in (1.0, -1.0):
        atoms = asked.to_atoms()
        atoms.positions += sign * 0.01 * direction
        energies.append(labeler.label(type(asked).from_atoms(atoms)).energy)
    slope = (energies[0] - energies[1]) / 0.02
    assert slope == pytest.approx(
        -np.sum(label.forces * direction), abs=0.02 * np.linalg.norm(label.forces) + 0.005
    )
    assert label.stress is not None


def test_vasp_input(surroundings, monkeypatch):
    """INCAR and KPOINTS as asked; the POTCAR is put together from a library, here of one that has
    only a first line.
    """
    potcar = surroundings / "pp" / "potpaw_PBE" / "Al" / "POTCAR"
    potcar.parent.mkdir(parents=True)
    potcar.write_text("PAW_PBE Al 04Jan2001\n   3.0000000000000\n")
    monkeypatch.setenv("VASP_PP_PATH", str(surroundings / "pp"))
    _, asked, config = labeler_of("vasp")
    calculator = calculator_named("vasp")(**config.label.arguments)
    atoms = asked.to_atoms()
    calculator.write_input(atoms)
    incar = dict(
        line.split("=")
        for line in (surroundings / "INCAR").read_text().upper().replace(" ", "").splitlines()
        if "=" in line
    )
    assert float(incar["ENCUT"]) == 350
    assert float(incar["KSPACING"]) == 0.25
    assert (incar["KGAMMA"], incar["LREAL"]) == (".TRUE.", ".FALSE.")
    assert int(incar.get("NSW", 0)) == 0
    assert "PAW_PBE Al" in (surroundings / "POTCAR").read_text()
    assert (surroundings / "POSCAR").read_text().count("\n") >= len(asked)


def test_orca_input(surroundings):
    """In a process of its own, which reads ASE's config file as it starts."""
    code = (
        "from test_labelers import labeler_of\n"
        "labeler, asked, _ = labeler_of('orca')\n"
        "labeler.calculator().write_inputfiles(asked.to_atoms(), ['energy', 'forces'])"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )
    text = (surroundings / "orca.inp").read_text()
    assert "PBE def2-SVP TightSCF EnGrad" in text
    assert "nprocs 4" in text
    assert "*xyz 0 1" in text.replace("* xyz", "*xyz")
    assert sum(line.split()[:1] == ["Si"] for line in text.splitlines()) == 8


def test_moments_to_begin_with(surroundings):
    seen = []

    class Spy(calculator_named("emt")):
        def calculate(self, *args, **kwargs):
            super().calculate(*args, **kwargs)
            seen.append(self.atoms.get_initial_magnetic_moments().copy())

    sys.modules["spy"] = types.SimpleNamespace(Spy=Spy)
    asked = labeler_of("emt")[1]
    label = AseLabeler("spy.Spy", {}, {"Cu": 2.0}).label(asked)
    assert label.energy is not None
    assert np.all(seen[0] == 2.0)
    assert AseLabeler("emt", {}, {"Cu": 2.0}).key != AseLabeler("emt").key
