"""snap_al.tasks: What `import snap_al as sa` offers: the commands as functions, which take files or
Python objects, and need neither typer nor rich.
"""

import ast
import dataclasses
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.calculators.emt import EMT
from helpers.calls import ROOT
from helpers.samples import rattled_copper, small_config

import snap_al as sa
from snap_al.config import load_config, parse_yaml, read_run, validate_config
from snap_al.config.written import origin_of, text_of
from snap_al.errors import InputError

VERBS = ("run", "fit", "evaluate", "predict", "select")
VERBS += ("learn", "tune", "validate", "export", "report")
FIT = "descriptor: {elements: [Cu], twojmax: 2, rcutfac: 4.5}\n"
TRAINING = "training: [{path: train.extxyz, vweight: 0.1}]\n"
WITHOUT = """
import sys
sys.modules["typer"] = sys.modules["rich"] = None
import snap_al as sa
for name in sa.__all__:
    getattr(sa, name)
result = sa.fit("fit.yaml", "again")
compared = sa.evaluate(result.potential, "test.extxyz")
predicted = sa.predict("again", "test.extxyz", "predicted.extxyz")
print(len(compared.table.by_kind()), len(predicted.frames), result.folder)
"""


def as_stored(result):
    """What a file of its JSON reads as."""
    return json.loads(json.dumps(result.as_json()))


def copper(seeds):
    return [rattled_copper(k, repeat=1).to_atoms() for k in seeds]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A config, its data, and a fit to them."""
    folder = tmp_path_factory.mktemp("tasks")
    ase.io.write(folder / "train.extxyz", copper(range(12)))
    ase.io.write(folder / "test.extxyz", copper(range(20, 24)))
    (folder / "fit.yaml").write_text(FIT + TRAINING + "test: test.extxyz\n")
    return folder


@pytest.fixture(scope="module")
def fitted(folder):
    return sa.fit(folder / "fit.yaml", folder / "fit")


def test_neither_typer_nor_rich_is_needed(folder):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], cwd=folder, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["3", "4", "again"]


def test_results_are_what_is_on_disk(folder, fitted):
    assert as_stored(fitted) == json.loads((folder / "fit" / "metrics.json").read_text())
    assert set(fitted.tables.as_json()) == {"training", "test"}
    assert [c.file for c in fitted.read] == [
        str(folder / f"{name}.extxyz") for name in ("train", "test")
    ]
    stored = sa.FittedPotential.read(folder / "fit")
    assert stored.posterior.digest == fitted.potential.posterior.digest


def test_atoms_are_read_as_their_file_is(folder, fitted):
    """Whether labels are a calculator's results, or in info and arrays."""
    frames = ase.io.read(folder / "test.extxyz", ":")
    table = sa.evaluate(folder / "fit", folder / "test.extxyz").table
    assert sa.evaluate(fitted.potential, frames).table == table
    renamed = [atoms.copy() for atoms in frames]
    for atoms, with_labels in zip(renamed, frames, strict=True):
        atoms.info["REF_energy"] = with_labels.calc.results["energy"]
        atoms.info["REF_stress"] = with_labels.calc.results["stress"]
        atoms.arrays["REF_forces"] = with_labels.calc.results["forces"]
    found = sa.evaluate(fitted.potential, renamed)
    assert found.table == table
    assert found.read[0].file == "the atoms given"
    assert (found.read[0].energies, found.read[0].forces) == (4, 16)


def test_a_calculators_results_are_those_of_the_atoms_as_they_are(fitted):
    atoms = copper([30])[0]
    atoms.calc = EMT()
    with pytest.raises(InputError, match="the atoms given, frame 0: no energy"):
        sa.evaluate(fitted.potential, [atoms])
    atoms.get_forces()
    assert sa.evaluate(fitted.potential, [atoms]).table.forces.n == 12
    atoms.rattle(0.01)
    with pytest.raises(InputError, match="no energy"):
        sa.evaluate(fitted.potential, [atoms])
    with pytest.raises(InputError, match="no configurations"):
        sa.evaluate(fitted.potential, [])


def test_predictions_in_memory_are_those_on_disk(folder, fitted):
    frames = copper(range(20, 23))
    before = [atoms.copy() for atoms in frames]
    result = sa.predict(fitted.potential, frames, folder / "out.extxyz")
    alone = sa.predict(fitted.potential, frames[:1]).frames[0]
    assert alone.info["energy"] == result.frames[0].info["energy"]
    for atoms, old, stored in zip(
        frames, before, ase.io.read(folder / "out.extxyz", ":"), strict=True
    ):
        assert (atoms.info, set(atoms.arrays)) == (old.info, set(old.arrays)), "it is not changed"
        assert stored.calc.results["energy"] is not None
    for made, atoms in zip(result.frames, frames, strict=True):
        atoms.calc = sa.SnapCalculator(fitted.potential)
        assert made.arrays["forces"] == pytest.approx(atoms.get_forces(), abs=1e-9)
        assert made.arrays["forces_std"] == pytest.approx(atoms.calc.results["forces_std"])
        assert "REF_energy" in made.info


def test_recalibrated_in_memory_alone(folder, fitted):
    found = sa.evaluate(fitted.potential, folder / "test.extxyz", recalibrate=True)
    assert not np.allclose(found.potential.posterior.recalibration, 1.0)
    stored = sa.FittedPotential.read(folder / "fit")
    assert np.array_equal(stored.posterior.recalibration, np.ones(3))


def test_a_config_is_as_good_as_its_file(folder, fitted):
    config = sa.load_config(folder / "fit.yaml")
    assert sa.fit(config, folder / "same").as_json() == fitted.as_json()
    pool = copper(range(40, 46))
    asked = sa.select(config, pool, folder / "ask.extxyz", n=2)
    ase.io.write(folder / "pool.extxyz", pool)
    same = sa.select(folder / "fit.yaml", folder / "pool.extxyz", folder / "ask2.extxyz", n=2)
    assert [c.number for c in asked.selected] == [c.number for c in same.selected]
    assert [a.info["pool_index"] for a in asked.frames] == [c.number for c in asked.selected]
    assert (asked.pool, asked.asked, asked.strategy) == (6, 2, "novel")


def test_a_study_and_a_search_of_a_config(folder):
    config = sa.load_config(folder / "fit.yaml")
    curves = []
    settings = sa.LearnSettings(("random",), seeds=2, initial=3, most=4)
    found = sa.learn(
        config,
        folder / "learn",
        pool=copper(range(40, 48)),
        settings=settings,
        finished=curves.append,
    )
    assert tuple(curves) == found.curves
    assert [c.seed for c in curves] == [0, 1]
    assert as_stored(found) == json.loads((folder / "learn" / "summary.json").read_text())
    tuned = sa.tune(config, folder / "tune", twojmax=[2], cutoffs=[4.5])
    assert as_stored(tuned) == json.loads((folder / "tune" / "tune.json").read_text())
    again = load_config(folder / "tune" / "tuned.yaml")
    assert again.descriptor == tuned.best.settings
    assert again.test[0].path == folder / "test.extxyz"


def test_a_validation_has_types(folder, fitted):
    settings = sa.ValidateSettings(only=("lattice", "holes"), draws=2)
    crystal = ase.build.bulk("Cu", cubic=True)
    found = sa.validate(folder / "fit", structure=crystal, table={"a": 3.6}, settings=settings)
    stored = json.loads((folder / "fit" / "validation" / "validation.json").read_text())
    assert found.as_json() == stored
    assert [p.name for p in found.properties] == [p["name"] for p in stored["properties"]]
    assert found.properties[0].z == stored["properties"][0]["z"]
    assert found.curves[0].x.shape == found.curves[0].std.shape
    assert found.passed == stored["passed"]
    assert found.trajectories == ()


def test_a_config_as_text_is_the_same_config(tmp_path):
    written = [p for p in sorted((ROOT / "examples").rglob("*.yaml")) if p.name != "metal.yaml"]
    assert len(written) > 10
    for path in written:
        config = load_config(path)
        origin = origin_of(config)
        assert origin.parent == path.parent
        again = validate_config(parse_yaml(text_of(config), path), origin)
        assert again.model_dump() == config.model_dump(), path
        assert again.reference_folders == config.reference_folders


def test_a_run_goes_on_with_a_config_that_an_earlier_version_wrote(tmp_path, monkeypatch):
    """It wrote a walltime in seconds, where minutes are read."""
    monkeypatch.setattr("snap_al.label.cluster.shutil.which", lambda command: f"/no/such/{command}")
    path, kept = small_config(tmp_path), tmp_path / "run" / "config.yaml"
    path.write_text(path.read_text().replace("steps: 400", "steps: 40"))
    result = sa.run(sa.load_config(path), tmp_path / "run")
    label = "label: {{backend: cluster, cluster: {{scheduler: slurm, walltime: {}}}}}\n"
    kept.write_text(kept.read_text() + label.format("600.0"))
    path.write_text(path.read_text() + label.format("0:10:00"))
    config = sa.load_config(path)
    assert config.label.cluster.walltime == 600.0
    assert sa.run(config, tmp_path / "run").tables == result.tables
    kept = parse_yaml(kept.read_text(), path)
    assert kept["label"]["cluster"]["walltime"] == "0:10:00"
    assert read_run(tmp_path / "run")[0].model_dump() == config.model_dump()
    assert sa.run(config, tmp_path / "run").tables == result.tables


def test_a_run_of_a_config_keeps_it(tmp_path, capfd):
    """It goes on with the same config, and prints nothing."""
    path = small_config(tmp_path)
    path.write_text(path.read_text().replace("steps: 400", "steps: 40"))
    config = sa.load_config(path)
    result = sa.run(config, tmp_path / "run")
    assert as_stored(result) == json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert result.labels >= 3
    assert result.folder == tmp_path / "run"
    assert read_run(tmp_path / "run")[0].model_dump() == config.model_dump()
    assert sa.run(config, tmp_path / "run").tables == result.tables
    log = (tmp_path / "run" / "run.log").read_text()
    assert log.count("opened on 1 rank") == 2
    assert capfd.readouterr() == ("", "")
    assert sa.export(tmp_path / "run", tmp_path / "deck").configurations == result.labels


def test_settings_that_make_no_sense_are_refused(folder):
    for wrong in ({"seeds": 0}, {"most": 1}, {"hold_out": 1.0}):
        with pytest.raises(InputError, match=f"{next(iter(wrong))} is"):
            sa.LearnSettings(**wrong)
    for wrong in ({"draws": 1}, {"ps": 0.0}, {"timestep": float("nan")}):
        with pytest.raises(InputError, match=f"{next(iter(wrong))} is"):
            sa.ValidateSettings(**wrong)
    with pytest.raises(InputError, match="did you mean 'folds'"):
        sa.tune(folder / "fit.yaml", folder / "tune", by="fods")


def exported():
    return [name for name in sa.__all__ if name != "__version__"]


def sections(text):
    """The text under each heading of a docstring in numpydoc's form."""
    parts = re.split(r"^([A-Z][A-Za-z ]+)\n-{3,}\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_type_checkers_know_the_names():
    """They see imports in place of what loads names when they are used; both are the same."""
    source = Path(sa.__file__).read_text()
    (block,) = (
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    imported = {alias.name: node.module for node in block.body for alias in node.names}
    assert imported == sa._WHERE
    assert Path(sa.__file__).with_name("py.typed").exists()


@pytest.mark.parametrize("name", exported())
def test_what_is_exported_is_documented(name):
    """Functions: each parameter, what is returned and what is raised. Classes: each field."""
    value = getattr(sa, name)
    text = inspect.getdoc(value)
    assert text
    if inspect.isfunction(value):
        found = sections(text)
        listed = re.findall(r"^(?:(\w+) : \S|\*\*(\w+)$)", found["Parameters"], re.MULTILINE)
        assert [one or other for one, other in listed] == list(inspect.signature(value).parameters)
        assert found["Returns"].strip()
        assert re.search(r"^\w+Error\n    \S", found["Raises"], re.MULTILINE)
        assert "sa." in found["Examples"]
    elif dataclasses.is_dataclass(value):
        documented = {n for base in value.__mro__ for n in documented_fields(base)}
        assert {f.name for f in dataclasses.fields(value)} <= documented
        for member, what in vars(value).items():
            if not member.startswith("_") and (inspect.isfunction(what) or type(what) is property):
                assert inspect.getdoc(what), f"{name}.{member}"


def documented_fields(cls):
    """Fields that have a string after them in the source of a class."""
    if not dataclasses.is_dataclass(cls):
        return set()
    tree = ast.parse(Path(inspect.getsourcefile(cls)).read_text())
    (here,) = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == cls.__name__)
    return {
        one.target.id
        for one, after in zip(here.body, here.body[1:], strict=False)
        if isinstance(one, ast.AnnAssign)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
    }


@pytest.mark.parametrize("name", VERBS)
def test_each_command_is_a_function(name):
    from snap_al.cli.app import app

    assert name in {c.callback.__name__ for c in app.registered_commands}
    assert inspect.isfunction(getattr(sa, name))
    assert inspect.signature(getattr(sa, name)).return_annotation == f"{name.capitalize()}Result"
