"""snap_al.named: A run whose posterior, rule, backend and ensemble are of another package, and one
whose model is; a selection by its strategy.
"""

import json
import os
import re
from dataclasses import replace

import ase.io
import pytest
from helpers.calls import ROOT, snap_al
from helpers.journals import read_lines
from helpers.runs import files_of
from helpers.samples import FIT, rattled_copper, small_config, two_units

import snap_al as sa
from snap_al.data import Configuration
from snap_al.errors import InputError
from snap_al.potential import FittedPotential

ENSEMBLE = """
fix integrator all nvt temp ${temperature_start} ${temperature_stop} ${temperature_damping}
fix slow all momentum 50 linear 1 1 1
"""


def on_path(folder):
    """Variables with which Python finds what is in the folder."""
    return {"PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}


def write_package(folder):
    """A package of the classes that the pages on extending show."""
    package = folder / "my_package"
    package.mkdir()
    for page in ("posterior", "rule", "strategy", "label_backend"):
        text = (ROOT / "docs" / "extending" / f"{page}.md").read_text()
        code = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0]
        (package / f"{page}.py").write_text(code)
    (package / "__init__.py").touch()


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_run(tmp_path, ranks):
    write_package(tmp_path)
    (tmp_path / "mine.in").write_text(ENSEMBLE)
    config = small_config(
        tmp_path,
        explore="explore: {walkers: [{structure: Cu.extxyz, supercell: [2, 2, 2]}], "
        "script: mine.in, temperature: [300, 900], timestep: 0.003, steps: 100}",
        fit="fit: {posterior: my_package.posterior.Ridge, posterior_options: {strength: 1.0e-9}}",
        query="query: {rule: my_package.rule.WhenAtomUncertain, rule_options: {limit: 0.002}}",
        label="label: {backend: my_package.label_backend.Threads, backend_options: {workers: 1}}",
        stop="stop: {max_labels: 5}",
    )
    done = snap_al("run", config, "--out", tmp_path / "run", ranks=ranks, env=on_path(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    events = read_lines(tmp_path / "run")
    assert sum(e["event"] == "labelled" for e in events) == 5
    said = {w["reason"] for e in events if e["event"] == "explored" for w in e["walkers"]}
    assert said
    assert all(text.startswith("energy std") for text in said), said
    posterior = FittedPotential.read(tmp_path / "run").posterior
    assert posterior.name == "my_package.posterior.Ridge"


def test_select(tmp_path):
    write_package(tmp_path)
    frames = [rattled_copper(k, repeat=1).to_atoms() for k in range(6)]
    ase.io.write(tmp_path / "train.extxyz", frames[:3])
    ase.io.write(tmp_path / "pool.extxyz", frames[3:])
    config = tmp_path / "config.yaml"
    config.write_text(f"{FIT}query: {{strategy: my_package.strategy.LargestEnergyRow}}\n")
    done = snap_al(
        *("select", config, tmp_path / "pool.extxyz", "-n", 2, "-o", tmp_path / "out.extxyz"),
        env=on_path(tmp_path),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(ase.io.read(tmp_path / "out.extxyz", ":")) == 2


UNITS = two_units()
MODEL = json.dumps(
    {"type": "two_units.TwoUnits", "options": {"weights": UNITS.weights, "center": UNITS.center}}
)


def units_config(folder, labels):
    return small_config(
        folder,
        start="start: {structures: [{structure: Cu.extxyz, supercell: [2, 1, 1], count: 3, "
        "displacement: [0.04, 0.06]}]}",
        explore="explore: {walkers: [{structure: Cu.extxyz, supercell: [2, 1, 1]}], ensemble: nvt, "
        "temperature: [300, 400], timestep: 0.003, steps: 60, guards: {max_force_std: 100}}",
        query="query: {rule: every, every: 20}",
        model=f"model: {MODEL}",
        stop=f"stop: {{max_labels: {labels}}}",
    )


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_model(tmp_path, ranks):
    """A run that goes on ends where one that never stopped does."""
    env = on_path(ROOT / "tests" / "helpers")
    files = ("potential.nn", "posterior.npz", "predictions.npz")

    def run(labels, folder):
        config = units_config(tmp_path / "a", labels)
        done = snap_al("run", config, "--out", tmp_path / folder, ranks=ranks, env=env)
        assert done.returncode == 0, done.stdout + done.stderr

    run(4, "halves")
    run(5, "whole")
    run(5, "halves")
    one, other = (files_of(tmp_path / folder, files) for folder in ("halves", "whole"))
    assert one == other
    events = [e for e in read_lines(tmp_path / "whole") if e["event"] == "explored"]
    assert events
    assert all(e["walkers"][0]["force_std"] > 0 for e in events)
    assert "mliap model nn" in (tmp_path / "whole" / "potential.mod").read_text()


def test_a_fit_with_a_model(tmp_path, monkeypatch):
    """Its predictions are those of its rows; a folder does not say which code to run."""
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "helpers"))
    frames = [rattled_copper(k, repeat=1).to_atoms() for k in range(8)]
    ase.io.write(tmp_path / "train.extxyz", frames)
    (tmp_path / "config.yaml").write_text(f"{FIT}model: {MODEL}\n")
    sa.fit(tmp_path / "config.yaml", tmp_path / "fit")
    with pytest.raises(InputError, match=r"two_units\.TwoUnits, code of another package"):
        FittedPotential.read(tmp_path / "fit")
    model = sa.load_config(tmp_path / "config.yaml").made_model()
    potential = FittedPotential.read(tmp_path / "fit", model)
    (predicted,) = sa.predict(potential, frames[:1]).frames
    with potential.engine() as engine:
        rows = engine.rows(Configuration.from_atoms(frames[0]))
    energy = len(frames[0]) * float(potential.posterior.predict(rows.energy).mean[0])
    assert predicted.info["energy"] == pytest.approx(energy, abs=1e-8)
    assert predicted.arrays["forces_std"].min() > 0
    with pytest.raises(InputError, match="it was fitted with another model"):
        FittedPotential.read(tmp_path / "fit", replace(model, center=[0.0] * len(model.center)))
