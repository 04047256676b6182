"""snap_al.named: A run whose posterior, rule, backend and ensemble are of another package; and a
selection by its strategy.
"""

import os
import re

import ase.io
import pytest
from helpers.calls import ROOT, snap_al
from helpers.journals import read_lines
from helpers.samples import FIT, rattled_copper, small_config

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
