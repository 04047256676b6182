"""snap_al.data.counts and carried: What commands say about the files they read, and what predict
and select keep of them. In one process.
"""

import json

import ase.db
import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from helpers.samples import rattled_copper
from typer.testing import CliRunner

from snap_al.cli.app import app
from snap_al.data.configuration import Configuration
from snap_al.errors import InputError

FRAMES = [rattled_copper(k, repeat=1) for k in range(12)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A potential fitted to twelve frames, with a pool and a config."""
    folder = tmp_path_factory.mktemp("reading")
    ase.io.write(folder / "train.extxyz", [c.to_atoms() for c in FRAMES], format="extxyz")
    (folder / "fit.yaml").write_text(
        "descriptor: {elements: [Cu], twojmax: 4, rcutfac: 4.5}\n"
        "training: [{path: train.extxyz}]\ntest: [{path: train.extxyz, group: again}]\n"
    )
    run(folder, "fit", "fit.yaml", "--out", "out")
    return folder


def invoked(folder, command, *arguments):
    """Paths are relative to the folder."""
    here = {"fit.yaml", "train.extxyz", "out", "o.extxyz", "study", "told"}
    here |= {"forces.yaml", "forces.extxyz", "foo.yaml", "walkers.yaml", "init.yaml"}
    here |= {"zero.yaml", "shifted.extxyz"}
    here |= {"frames", "frames.foo", "frames.dat", "crystal.foo"}
    named = [str(folder / a) if a in here else str(a) for a in arguments]
    return CliRunner().invoke(app, [command, *named])


def run(folder, command, *arguments, exit_code=0):
    """stdout and stderr."""
    done = invoked(folder, command, *arguments)
    assert done.exit_code == exit_code, done.output + repr(done.exception)
    return done.stdout, done.stderr


def refused(folder, command, *arguments):
    """The message of an InputError."""
    error = invoked(folder, command, *arguments).exception
    assert isinstance(error, InputError), repr(error)
    return str(error)


COUNTS = {"frames": 12, "energies": 12, "forces": 48, "unread": []}


def assert_counts(read, name, **expected):
    (found,) = [r for r in read if r["set"] == name]
    for key, value in {**COUNTS, **expected}.items():
        assert found[key] == value


def test_fit(folder):
    out, err = run(folder, "fit", "fit.yaml", "--out", "out", "--json")
    content = json.loads(out)
    assert content == json.loads((folder / "out" / "metrics.json").read_text())
    assert_counts(content["read"], "training", stresses=0, weightless=["stresses"])
    assert_counts(content["read"], "test", stresses=12, weightless=[])
    used = "energies of 12, forces on 48 atoms, stresses of 0"
    assert f"train.extxyz (training.0): 12 frames; used: {used}" in err
    assert err.count("stresses, which are not used: their weight, vweight, is 0") == 1


def test_evaluate(folder):
    out, err = run(folder, "evaluate", "out", "train.extxyz", "--json")
    assert set(json.loads(out)) == {"energy", "forces", "stress"}
    assert "12 frames; used: energies of 12, forces on 48 atoms, stresses of 12" in err


@pytest.mark.parametrize(
    ("command", "sets"),
    [
        (("select", "fit.yaml", "train.extxyz", "-o", "o.extxyz", "-n", "2"), ("training", "test")),
        (
            (
                "learn",
                "fit.yaml",
                "train.extxyz",
                "--out",
                "study",
                "--seeds",
                "1",
                "--most",
                "7",
                "--strategies",
                "random",
            ),
            ("training", "test", "pool"),
        ),
        (
            ("tune", "fit.yaml", "--out", "study", "--twojmax", "2", "--cutoff", "4.5"),
            ("training", "test"),
        ),
    ],
)
def test_other_commands(folder, command, sets):
    out, err = run(folder, *command, "--json")
    content = json.loads(out)
    for name in sets:
        assert_counts(content["read"], name)
        entry = name if name == "pool" else f"{name}.0"
        assert f"train.extxyz ({entry}): 12 frames" in err


def test_frames_are_counted_where_labels_are_not_used(folder):
    """A pool, and what is predicted for."""
    files = ("fit.yaml", "train.extxyz", "-o", "o.extxyz")
    out, err = run(folder, "select", *files, "-n", "2", "--json")
    (pool,) = [r for r in json.loads(out)["read"] if r["set"] == "pool"]
    assert (pool["frames"], pool["labels_used"], pool["energies"]) == (12, False, 0)
    assert "train.extxyz (pool): 12 frames\n" in err
    _, err = run(folder, "predict", "out", "train.extxyz", "-o", "o.extxyz")
    assert err.endswith("train.extxyz (data): 12 frames\n")


@pytest.mark.parametrize(
    "command",
    [
        ("fit", "zero.yaml", "--out", "told"),
        ("select", "zero.yaml", "train.extxyz", "-o", "o.extxyz", "-n", "2"),
        ("learn", "zero.yaml", "--out", "told", "--seeds", "1", "--most", "7"),
        ("tune", "zero.yaml", "--out", "told", "--twojmax", "2,4", "--cutoff", "4.5"),
    ],
    ids=lambda command: command[0],
)
def test_energies_that_the_model_cannot_meet_are_refused(folder, command):
    """Without constants, and with a zero of energy that is not that of separate atoms."""
    text = (folder / "fit.yaml").read_text().replace("twojmax: 4", "twojmax: 4, bzeroflag: 1")
    (folder / "zero.yaml").write_text(text + "eshift: {Cu: -10000}\n")
    message = refused(folder, *command)
    assert "the energies cannot be met: with bzeroflag: 1 the model has no constants" in message
    assert "eshift: {Cu: 9999." in message


def test_a_pool_has_the_zero_of_energy_that_the_config_says(folder):
    """As its training and test files have."""
    frames = [c.to_atoms() for c in FRAMES]
    for atoms in frames:
        atoms.calc.results["energy"] += 10000.0 * len(atoms)
    ase.io.write(folder / "shifted.extxyz", frames, format="extxyz")
    text = (folder / "fit.yaml").read_text().replace("twojmax: 4", "twojmax: 4, bzeroflag: 1")
    text = text.replace("train.extxyz", "shifted.extxyz")
    (folder / "zero.yaml").write_text(text + "eshift: {Cu: -10000}\n")
    options = ("--out", "told", "--seeds", "1", "--most", "7", "--strategies", "random", "--json")
    out, _ = run(folder, "learn", "zero.yaml", "shifted.extxyz", *options)
    alone, _ = run(folder, "learn", "zero.yaml", *options)
    assert json.loads(out)["full"] == json.loads(alone)["full"]


HINT = "with `format:` in a config or `--format` on the command line"


@pytest.mark.parametrize("text", ["no frames\n", "nothing\nthat ASE knows\n"])
@pytest.mark.parametrize("name", ["frames", "frames.foo"])
@pytest.mark.parametrize(
    "command",
    [
        ("fit", "foo.yaml"),
        ("evaluate", "out", "FILE"),
        ("predict", "out", "FILE", "-o", "o.extxyz"),
        ("select", "fit.yaml", "FILE", "-o", "o.extxyz"),
        ("learn", "fit.yaml", "FILE", "--out", "study"),
        ("run", "walkers.yaml", "--dry-run"),
        ("init", "--structure", "FILE", "-o", "init.yaml"),
        ("validate", "out", "--structure", "FILE"),
    ],
    ids=lambda command: command[0],
)
def test_a_file_of_unknown_type(folder, command, name, text):
    """Also one whose ending ASE takes for a format of that name."""
    (folder / name).write_text(text)
    fit = (folder / "fit.yaml").read_text()
    (folder / "foo.yaml").write_text(fit.replace("path: train.extxyz", f"path: {name}"))
    (folder / "walkers.yaml").write_text(f"{fit}explore: {{walkers: [{{structure: {name}}}]}}\n")
    arguments = [name if part == "FILE" else part for part in command]
    message = refused(folder, *arguments)
    assert f"{name}: ASE cannot read it, a file of unknown type" in message
    assert HINT in message


def test_a_file_that_ase_takes_for_something_else(folder):
    (folder / "frames.dat").write_text("x\n")
    message = refused(folder, "evaluate", "out", "frames.dat")
    assert "it seems to be gamess-us-punch" in message
    assert HINT in message


def test_the_format_that_is_named_is_taken(folder):
    """By each command that has the option, and by the config that init writes."""
    content = (folder / "train.extxyz").read_bytes()
    (folder / "frames.foo").write_bytes(content)
    named = ("frames.foo", "--format", "extxyz")
    run(folder, "select", "fit.yaml", *named, "-o", "o.extxyz", "-n", "2")
    run(folder, "learn", "fit.yaml", *named, "--out", "study", "--seeds", "1", "--most", "7")
    ase.io.write(folder / "crystal.foo", bulk("Cu", cubic=True), format="extxyz")
    crystal = ("--structure", "crystal.foo", "--format", "extxyz")
    run(folder, "validate", "out", *crystal, "--only", "lattice", "--draws", "2")
    run(folder, "init", *crystal, "-o", "init.yaml")
    out, _ = run(folder, "run", "init.yaml", "--dry-run", "--json")
    assert json.loads(out)["starting_labels"] == 4


@pytest.fixture(scope="module")
def forces_alone(folder):
    """A config and a pool with labels whose signs and units nothing can be compared with."""
    frames = []
    for c in FRAMES:
        atoms = c.to_atoms()
        atoms.calc = SinglePointCalculator(atoms, forces=c.label.forces)
        frames.append(atoms)
    ase.io.write(folder / "forces.extxyz", frames, format="extxyz")
    config = (folder / "fit.yaml").read_text().replace("train.extxyz", "forces.extxyz")
    (folder / "forces.yaml").write_text(config)
    return folder


@pytest.mark.parametrize(
    "command",
    [
        ("fit", "forces.yaml", "--out", "told"),
        ("evaluate", "out", "forces.extxyz"),
        ("select", "forces.yaml", "train.extxyz", "-o", "o.extxyz", "-n", "2"),
        ("learn", "forces.yaml", "forces.extxyz", "--out", "study", "--seeds", "1", "--most", "7"),
        ("tune", "forces.yaml", "--out", "told", "--twojmax", "2", "--cutoff", "4.5"),
    ],
    ids=lambda command: command[0],
)
def test_what_could_not_be_told_is_a_note(forces_alone, command):
    out, err = run(forces_alone, *command, "--json")
    said = [line for line in err.splitlines() if "sign and unit of forces not checked" in line]
    assert said
    assert all(line.startswith("note: ") for line in said)
    if command[0] != "evaluate":
        content = json.loads(out)
        assert [f"note: {text}" for text in content["notes"] if "not checked" in text] == said
        assert not any("not checked" in text for text in content["warnings"])


def test_other_names_on_the_command_line(folder, tmp_path):
    frames = [c.to_atoms() for c in FRAMES]
    for atoms in frames:
        atoms.info["my_energy"] = atoms.calc.results["energy"]
        atoms.calc.results["energy"] += 1.0
    path = tmp_path / "x.extxyz"
    ase.io.write(path, frames, format="extxyz")
    one, err = run(
        folder, "evaluate", "out", path, "--labels", "energy=my_energy,forces=forces", "--json"
    )
    two, _ = run(folder, "evaluate", "out", "train.extxyz", "--json")
    assert json.loads(one)["energy"] == json.loads(two)["energy"]
    assert "stress" not in json.loads(one)
    assert "not read, though they look like labels: stress" in err
    for wrong in ("energy", "mass=a", "stress=a,virial=b"):
        done = CliRunner().invoke(
            app, ["evaluate", str(folder / "out"), str(path), "--labels", wrong]
        )
        assert "--labels" in str(done.exception)
    done = CliRunner().invoke(
        app, ["evaluate", str(folder / "out"), str(path), "--format", "extxy"]
    )
    assert "did you mean 'extxyz'" in str(done.exception)


def carrying(frames_of=FRAMES[:3]):
    """Frames with all that a frame can carry."""
    frames = []
    for n, c in enumerate(frames_of):
        atoms = c.to_atoms()
        atoms.info |= {
            "config_type": f"x{n}",
            "my_id": 100 + n,
            "dft_energy": c.label.energy,
            "note": "two words",
        }
        atoms.set_tags([1, 2, 3, 4])
        atoms.set_initial_charges([0.1, -0.1, 0.2, -0.2])
        atoms.set_initial_magnetic_moments([1.0, -1.0, 1.0, -1.0])
        atoms.arrays["site"] = np.arange(12.0).reshape(4, 3)
        atoms.set_constraint(FixAtoms([0, 2]))
        atoms.calc = SinglePointCalculator(
            atoms, **atoms.calc.results
        )  # of these atoms, as they are now
        frames.append(atoms)
    return frames


@pytest.mark.parametrize("format", ["extxyz", "traj", "db"])
def test_predict_keeps_what_frames_carry(folder, tmp_path, format):
    frames, path, out = carrying(), tmp_path / f"in.{format}", tmp_path / "out.extxyz"
    if format == "db":
        with ase.db.connect(path) as database:
            for atoms in frames:
                pairs = {k: v for k, v in atoms.info.items() if k != "site"}
                database.write(atoms, key_value_pairs=pairs, data={"site": atoms.arrays["site"]})
    else:
        ase.io.write(path, frames, format=format)
    run(folder, "predict", "out", path, "-o", out)
    back = ase.io.read(out, ":")
    assert len(back) == 3
    for found, given, truth in zip(back, frames, FRAMES, strict=False):
        for key in ("config_type", "my_id", "note"):
            assert found.info[key] == given.info[key]
        assert found.info["dft_energy"] == pytest.approx(given.info["dft_energy"])
        np.testing.assert_array_equal(found.get_tags(), given.get_tags())
        np.testing.assert_allclose(found.get_initial_charges(), given.get_initial_charges())
        np.testing.assert_allclose(
            found.get_initial_magnetic_moments(), given.get_initial_magnetic_moments()
        )
        assert list(found.constraints[0].index) == [0, 2]
        if format != "traj":  # which has no columns of other names
            np.testing.assert_allclose(found.arrays["site"], given.arrays["site"])
        assert found.info["REF_energy"] == pytest.approx(truth.label.energy)
        np.testing.assert_allclose(found.arrays["REF_forces"], truth.label.forces, atol=1e-7)
        assert found.get_potential_energy() != pytest.approx(truth.label.energy, abs=1e-9)
        assert found.arrays["forces_std"].shape == (4, 3)
        reference = Configuration.from_atoms(_only(found, "REF_"))
        np.testing.assert_allclose(reference.label.stress, truth.label.stress, atol=1e-9)


def _only(atoms, prefix):
    atoms.calc = None
    atoms.info = {k: v for k, v in atoms.info.items() if k.startswith(prefix)}
    return atoms


def test_predictions_of_predictions(folder, tmp_path):
    """The reference stays what it was, and errors are measured by naming it."""
    run(folder, "predict", "out", "train.extxyz", "-o", tmp_path / "a.extxyz")
    run(folder, "predict", "out", tmp_path / "a.extxyz", "-o", tmp_path / "b.extxyz")
    for a, b in zip(
        *(ase.io.read(tmp_path / name, ":") for name in ("a.extxyz", "b.extxyz")), strict=True
    ):
        assert set(a.info) == set(b.info)
        assert set(a.arrays) == set(b.arrays)
        for key, value in a.info.items():
            np.testing.assert_allclose(b.info[key], value, atol=1e-5)
        np.testing.assert_allclose(b.arrays["REF_forces"], a.arrays["REF_forces"])
        np.testing.assert_allclose(b.get_forces(), a.get_forces(), atol=1e-5)
    done = CliRunner().invoke(app, ["evaluate", str(folder / "out"), str(tmp_path / "b.extxyz")])
    assert "energy and REF_energy disagree" in str(done.exception)
    names = "energy=REF_energy,forces=REF_forces,stress=REF_stress"
    one, _ = run(folder, "evaluate", "out", tmp_path / "b.extxyz", "--labels", names, "--json")
    two, _ = run(folder, "evaluate", "out", "train.extxyz", "--json")
    assert json.loads(one)["forces"]["rmse"] == pytest.approx(
        json.loads(two)["forces"]["rmse"], rel=1e-6
    )


def test_what_extended_xyz_cannot_hold_is_said(folder, tmp_path):
    atoms = carrying()[0]
    atoms.info["lines"] = "one\ntwo"
    ase.io.write(tmp_path / "a.traj", atoms)
    _, err = run(folder, "predict", "out", tmp_path / "a.traj", "-o", tmp_path / "b.extxyz")
    assert (
        "cannot hold 'lines'" in err
        or ase.io.read(tmp_path / "b.extxyz").info["lines"] == "one\ntwo"
    )


def test_select_keeps_what_frames_carry(folder, tmp_path):
    pool = carrying([rattled_copper(k, repeat=1) for k in range(20, 23)])
    ase.io.write(tmp_path / "pool.extxyz", pool, format="extxyz")
    run(
        folder,
        "select",
        "fit.yaml",
        tmp_path / "pool.extxyz",
        "-o",
        tmp_path / "asked.extxyz",
        "-n",
        "2",
    )
    asked = ase.io.read(tmp_path / "asked.extxyz", ":")
    assert len(asked) == 2
    for atoms in asked:
        given = pool[atoms.info["pool_index"]]
        assert atoms.info["my_id"] == given.info["my_id"]
        np.testing.assert_array_equal(atoms.get_tags(), given.get_tags())
        assert atoms.get_potential_energy() == pytest.approx(given.get_potential_energy())
        np.testing.assert_allclose(atoms.get_stress(), given.get_stress())
