"""snap_al.names: Folders of every name that a file system allows: everything works in them as
anywhere else.
"""

import json
import os
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from helpers.calls import in_this_process, snap_al
from helpers.samples import rattled_copper, small_config

from snap_al import SnapCalculator
from snap_al.errors import InputError
from snap_al.sessions.names import PlainNames, is_plain, plain_scratch_folder

EVERYTHING = os.fsdecode("-ü σ\"'*?$#&%{}${x}$(1)[b]\n;`\\".encode() + b"\xff")
NAMES = [
    "ü",
    'a"b',
    '"""',
    "a'b",
    "a*b",
    "a?b",
    "a$b",
    "a ${x} $(1)",
    "a#b",
    "a&b",
    "a b",
    "a\nb",
    "a%b",
    "{}",
    "-a",
    "[b]x",
    "a\\b",
    "a;b`id`",
    "a:b,c",
    "x" * 250,
    os.fsdecode(b"a\xffb"),
]
EXPLORE = (
    "explore: {walkers: [{structure: Cu.extxyz, supercell: [2, 2, 2]}], temperature: [300, 500], "
    "timestep: 0.003, steps: 60, "
    "check_every: 10, checkpoint_every: 30, trajectory_every: 30}"
)


@pytest.fixture(scope="module")
def anywhere(tmp_path_factory):
    """A run in a folder with an ordinary name."""
    folder = tmp_path_factory.mktemp("plain")
    config = small_config(folder, explore=EXPLORE, stop="stop: {max_labels: 5}")
    with pytest.MonkeyPatch.context() as patch:
        code, said = in_this_process(patch, "run", config, "--out", folder / "run")
    assert code == 0, said
    return np.loadtxt(folder / "run" / "potential.snapcoeff", skiprows=4, usecols=0)


@pytest.mark.parametrize(
    "name", [EVERYTHING, *(pytest.param(n, marks=pytest.mark.slow) for n in NAMES)]
)
def test_a_run_and_what_follows(tmp_path, monkeypatch, anywhere, name):
    """The same numbers as in a folder with an ordinary name, and every command that reads it."""
    root = tmp_path / name
    config = small_config(root, explore=EXPLORE, stop="stop: {max_labels: 5}")
    ase.io.write(root / "frames.extxyz", [rattled_copper(k, repeat=1).to_atoms() for k in range(6)])
    (root / "fit.yaml").write_text(
        "descriptor: {elements: [Cu], twojmax: 4, rcutfac: 4.5}\ntraining: [{path: "
        "frames.extxyz}]\n"
    )
    for arguments in (
        ("run", config, "--out", root / "run"),
        ("run", config, "--out", root / "run"),  # goes on, and finds the end
        ("status", root / "run"),
        ("export", root / "run", "--out", root / "exported"),
        ("fit", root / "exported" / "export.in", "--out", root / "from deck"),
        ("fit", root / "fit.yaml", "--out", root / "fit"),
        ("predict", root / "fit", root / "frames.extxyz", "-o", root / "out.extxyz"),
        ("evaluate", root / "fit", root / "frames.extxyz"),
        (
            "select",
            root / "fit.yaml",
            root / "frames.extxyz",
            "-n",
            2,
            "-o",
            root / "chosen.extxyz",
        ),
        ("validate", root / "run", "--only", "elastic,nve", "--draws", 2),
        ("report", root / "fit"),
        ("init", "--structure", root / "Cu.extxyz", "-o", root / "new.yaml"),
        ("run", root / "new.yaml", "--out", root / "new", "--dry-run"),
    ):
        code, said = in_this_process(monkeypatch, *arguments)
        assert code == 0, f"{arguments[0]}: {said}"
    assert np.array_equal(
        np.loadtxt(root / "run" / "potential.snapcoeff", skiprows=4, usecols=0), anywhere
    )
    atoms, energies = bulk("Cu"), []
    for stds in (True, False):
        atoms.calc = SnapCalculator(root / "run", stds=stds)
        energies.append(atoms.get_potential_energy())
    assert energies[0] == pytest.approx(energies[1], abs=1e-8)


def test_on_two_ranks(tmp_path):
    root = tmp_path / EVERYTHING
    config = small_config(root, explore=EXPLORE, stop="stop: {max_labels: 5}")
    done = snap_al("run", config, "--out", root / "run", ranks=2)
    assert done.returncode == 0, done.stderr
    assert (root / "run" / "potential.snapcoeff").exists()


def test_labels_in_processes_of_their_own(tmp_path, monkeypatch):
    root = tmp_path / EVERYTHING
    config = small_config(
        root, explore=EXPLORE, stop="stop: {max_labels: 4}", label="label: {backend: local}"
    )
    code, said = in_this_process(monkeypatch, "run", config, "--out", root / "run")
    assert code == 0, said


def test_what_lammps_says_names_the_real_path(tmp_path, monkeypatch):
    """And not the link by which it was read."""
    root = tmp_path / "a b"
    config = small_config(
        root, explore=EXPLORE.replace("explore: {", "explore: {script: my 'own'.in, ")
    )
    (root / "my 'own'.in").write_text("fix move all nve\nnonsense\n")
    code, said = in_this_process(monkeypatch, "run", config, "--out", root / "run")
    text = " ".join((root / "run" / "run.log").read_text().split()) + said
    assert f"script {root}/my 'own'.in" in text
    assert "snap_al_" not in text, said
    assert code in (0, 3)


def test_plain_names(tmp_path):
    names = PlainNames()
    assert names.of(Path("a/b.restart")) == "a/b.restart"
    odd = tmp_path / 'o"dd'
    odd.mkdir()
    for path in (odd / "plain.txt", odd / "not plain.txt.gz"):
        name = names.of(path)
        assert is_plain(Path(name))
        assert Path(name).suffix == path.suffix
        Path(name).write_text("written")
        assert path.read_text() == "written"
        assert names.of(path) == name
    assert names.real(f"ERROR: {names.of(odd / 'plain.txt')}") == f"ERROR: {odd / 'plain.txt'}"
    names.close()
    assert not Path(name).parent.exists()


def test_a_temporary_folder_that_lammps_cannot_name(tmp_path, monkeypatch):
    odd = tmp_path / "t m p"
    odd.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(odd))
    with plain_scratch_folder() as found:
        assert is_plain(Path(found))
    monkeypatch.setattr("snap_al.sessions.names.OTHER_PLACES", ())
    with pytest.raises(InputError, match=r"TMPDIR=.*t m p.*: LAMMPS cannot read files there"):
        plain_scratch_folder()


def test_the_origin_of_a_config_is_kept_to_the_byte(tmp_path):
    from snap_al.loop import RunDirectory

    directory = RunDirectory(tmp_path)
    for name in (EVERYTHING, " ends in a space ", "ends in a line\n"):
        directory.write_origin(tmp_path / name)
        assert directory.read_origin() == (tmp_path / name).resolve()


@pytest.mark.parametrize(
    "locale", [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
def test_locales_that_are_not_utf8(tmp_path, locale):
    """Files are UTF-8 whatever the locale; what the terminal lacks is shown as its code."""
    (tmp_path / "fit.yaml").write_text(
        "# σ in eV/Å\ndescriptor: {elements: [Cu], twojmax: 4, rcutfac: 4.5}\n"
        "training: [{path: frames.extxyz, group: Größe}]\n",
        encoding="utf-8",
    )
    ase.io.write(
        tmp_path / "frames.extxyz", [rattled_copper(k, repeat=1).to_atoms() for k in range(6)]
    )
    done = snap_al("fit", tmp_path / "fit.yaml", "--out", tmp_path / "größer", env=locale)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / "größer" / "metrics.json").read_text(encoding="utf-8"))[
        "training"
    ]
    if "PYTHONCOERCECLOCALE" in locale:  # the report of the other would say no more
        done = snap_al("report", tmp_path / "größer", env=locale)
        assert done.returncode == 0, done.stdout + done.stderr
    done = snap_al("fit", tmp_path / "Ångström.yaml", "--out", tmp_path / "größer", env=locale)
    assert done.returncode == 2, done.stderr
    assert "ngstr" in done.stderr
    assert "Traceback" not in done.stderr
