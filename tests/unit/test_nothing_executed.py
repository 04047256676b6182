"""snap_al.descriptors.allowed: What a potential, a deck or a run directory of somebody else's says
is never executed.
"""

import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from helpers.samples import COPPER

from snap_al import SnapCalculator
from snap_al.descriptors import DescriptorEngine, ReferencePotential
from snap_al.descriptors.allowed import PAIR_STYLES
from snap_al.errors import InputError
from snap_al.potential import FittedPotential, Snap
from snap_al.sessions.library import load_lammps

LINES = [
    "shell touch {canary}",
    "python f source here",
    "include {canary}",
    "jump {canary}",
    "plugin load {canary}",
    "variable a getenv HOME",
    "variable a python f",
    "variable a file {canary}",
    'print "x" file {canary}',
    "dump 1 all atom 1 {canary}",
    "write_data {canary}",
    "write_restart {canary}",
    "info all out overwrite {canary}",
    "log {canary}",
    'if "1 == 1" then "shell touch {canary}"',
    "fix 1 all print 1 x file {canary}",
    "fix 1 all python/invoke 1 end f",
    "fix 1 all nve/spin lattice moving\nshell touch {canary}",
    "fix 1 all nve/spin lattice moving &",
    "fix 1 all nve/spin lattice $(python:f)",
    "fix ${{x}} all nve/spin lattice moving",
    "fix 1 all `touch {canary}`",
    "fix 1 all nve/spin lattice moving # comment",
    "quit",
    "clear",
    "label loop",
    "next a",
    "read_data {canary}",
]
STYLES = [
    "python 5.0",
    "mliap model linear a descriptor sna b",
    "kim LennardJones",
    "zbl 2.5 3.5\nshell touch {canary}",
    "zbl 2.5 $(1+1)",
    'zbl 2.5 "3.5"',
    "zbl 2.5 3.5 &",
    "zbl 2.5 ${{cut}}",
    "zbl 2.5 /etc/passwd",
    "hybrid/overlay zbl 2.5 3.5",
    "",
    "zbl  2.5 3.5",
    "zbl/kk/../python 1 2",
]
ARGUMENTS = [
    "29 29\nshell touch {canary}",
    "29 $(v_x)",
    "29 29 # more",
    "29 29 &",
    '"29" 29',
    "/etc/passwd 29",
    "../other 29",
    "~/file 29",
    "a/b 29",
    "29 `id`",
    "29\t29",
    "29;29",
]


@pytest.fixture(scope="module")
def written(copper_potential, tmp_path_factory):
    """Of copper with ZBL."""
    folder = tmp_path_factory.mktemp("potential")
    zbl = ReferencePotential.parse(["pair_style zbl 2.5 3.5", "pair_coeff 1 1 29 29"])
    FittedPotential(Snap(COPPER), zbl, copper_potential.posterior).write(folder)
    return folder


def tampered(written, folder, name, value):
    shutil.copytree(written, folder)
    stored = json.loads((folder / "descriptor.json").read_text())
    stored["reference"][name] = value
    (folder / "descriptor.json").write_text(json.dumps(stored))
    return folder


CHANGES = [
    *(("fixes", [line]) for line in LINES),
    *(("styles", [style]) for style in STYLES),
    *(("coefficients", [["1 1", "zbl", arguments]]) for arguments in ARGUMENTS),
    ("coefficients", [["1 1\nshell touch {canary}\n", "zbl", "29 29"]]),
    ("coefficients", [["1 1", "zbl\nshell touch {canary}", "29 29"]]),
    ("coefficients", [["1 1", "python", "29 29"]]),
    ("coefficients", [["1", "zbl", "29 29"]]),
    ("coefficients", [["1 1", "zbl"]]),
    ("coefficients", {"1 1": "zbl"}),
    ("coefficients", None),
    ("styles", "zbl 2.5 3.5"),
    ("styles", [["zbl", "2.5"]]),
    ("atom_style", "atomic\nshell touch {canary}"),
    ("atom_style", "body nparticle"),
    ("atom_style", 3),
    ("fixes", 3),
]


@pytest.mark.parametrize(("name", "value"), CHANGES)
def test_a_potential_is_refused_with_its_file_named(written, tmp_path, name, value):
    canary = tmp_path / "canary"
    value = json.loads(
        json.dumps(value).replace("{canary}", str(canary)).replace("{{", "{").replace("}}", "}")
    )
    folder = tampered(written, tmp_path / "p", name, value)
    with pytest.raises(InputError, match=r"descriptor\.json: .*reference"):
        SnapCalculator(folder)
    assert not canary.exists()


def test_what_is_written_is_read_and_works(written):
    atoms = bulk("Cu", cubic=True)
    atoms.calc = SnapCalculator(written)
    assert np.isfinite(atoms.get_potential_energy())


def test_files_of_the_reference_potential_lie_beside_the_potential(
    copper_potential, tmp_path, monkeypatch
):
    """A copy, by which the potential works wherever the folder is, under a name that LAMMPS could
    not read.
    """
    load_lammps()
    shipped = Path(os.environ["LAMMPS_POTENTIALS"])
    elsewhere = tmp_path / "in"
    elsewhere.mkdir()
    shutil.copy(shipped / "Cu_u3.eam", elsewhere / "mine.eam")
    lines = ["pair_style eam", f"pair_coeff 1 1 {elsewhere}/mine.eam"]
    potential = FittedPotential(
        Snap(COPPER), ReferencePotential.parse(lines), copper_potential.posterior
    )
    potential.write(tmp_path / "p")
    shutil.rmtree(elsewhere)
    moved = shutil.move(tmp_path / "p", tmp_path / "a 'b' $c")
    assert (
        str(tmp_path)
        not in (moved / "potential.mod").read_text() + (moved / "descriptor.json").read_text()
    )
    atoms = bulk("Cu", cubic=True)
    energies = []
    for stds in (True, False):
        monkeypatch.chdir(moved.parent)
        atoms.calc = SnapCalculator(moved.name, stds=stds)
        monkeypatch.chdir(
            Path(__file__).parent
        )  # the program may stand elsewhere when it first computes
        energies.append(atoms.get_potential_energy())
    assert energies[0] == pytest.approx(energies[1], abs=1e-9)
    again = FittedPotential.read(moved)
    again.write(tmp_path / "again")
    assert (tmp_path / "again" / "mine.eam").read_bytes() == (moved / "mine.eam").read_bytes()


def test_a_file_with_a_name_of_our_own_is_refused(copper_potential, tmp_path):
    (tmp_path / "potential.snapcoeff").write_text("1 1\n")
    lines = ["pair_style snap", f"pair_coeff 1 1 {tmp_path}/potential.snapcoeff Cu"]
    potential = FittedPotential(
        Snap(COPPER), ReferencePotential.parse(lines), copper_potential.posterior
    )
    with pytest.raises(InputError, match="one of its own; rename the file"):
        potential.write(tmp_path / "p")


@pytest.mark.parametrize(
    "lines",
    [
        ["pair_style python 5.0", "pair_coeff * * a.py"],
        ["pair_style zbl 2.5 3.5", "pair_coeff * * $(python:f) 29"],
        ["pair_style zbl 2.5 3.5", "pair_coeff * * 29 29 &"],
        ["pair_style zbl 2.5 3.5", 'pair_coeff * * 29 "29"'],
        [
            "pair_style zbl 2.5 3.5",
            "pair_coeff * * zbl 29 29",
            "fix 1 all nve/spin lattice moving\nshell id",
        ],
        ["pair_style zbl 2.5 3.5", "shell id"],
    ],
)
def test_lines_of_configs_and_decks_too(lines):
    with pytest.raises(InputError, match="reference: `"):
        ReferencePotential.parse(lines)


def test_every_style_that_may_be_is_known_to_lammps():
    """Except for packages that a build does not have."""
    lammps = load_lammps()
    session = lammps.lammps(cmdargs=["-screen", "none", "-log", "none", "-nocite"])
    known = set(session.available_styles("pair"))
    session.close()
    assert PAIR_STYLES - known <= {"pace"}


def test_pickles_in_the_place_of_arrays(written, tmp_path):
    canary = tmp_path / "canary"

    class Touch:
        def __reduce__(self):
            return (canary.touch, ())

    folder = shutil.copytree(written, tmp_path / "p")
    np.savez(folder / "posterior.npz", header=np.array([Touch()], dtype=object))
    with pytest.raises(InputError, match=r"posterior"):
        FittedPotential.read(folder)
    (folder / "posterior.npz").write_bytes(pickle.dumps(Touch()))
    with pytest.raises(InputError, match=r"posterior"):
        FittedPotential.read(folder)
    assert not canary.exists()


def test_the_engine_takes_what_has_been_checked_only():
    with pytest.raises(InputError, match="none of the styles"):
        DescriptorEngine(COPPER, ReferencePotential(("python 5.0",), (("1 1", "python", "a"),)))
