"""snap_al.loop.checking: Labels that are numbers, and cannot be true: kept apart with the reason,
counted, never fitted; too many stop the run.
"""

import json

import ase.io
import pytest
from helpers.calls import snap_al
from helpers.runs import result_of, run
from helpers.samples import rattled_copper, small_config

from snap_al.descriptors import SnapSettings
from snap_al.potential import read_snapcoeff

FAULTY = """
from ase.calculators.emt import EMT

class Faulty(EMT):
    def __init__(self, fault, which, **kwargs):
        super().__init__(**kwargs)
        self.fault, self.which = fault, which

    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        chosen = self.which == "all" or abs(self.atoms.positions).sum() % 1.0 < self.which
        if self.fault == "energy" and chosen:
            for name in ("energy", "free_energy"):
                self.results[name] += 1000.0
        if self.fault == "forces" and chosen:
            self.results["forces"] = 1000.0 * self.results["forces"]
        if self.fault == "stress":
            self.results["stress"] = -self.results["stress"]
"""


def config_of(folder, fault, which, monkeypatch, **more):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "faulty.py").write_text(FAULTY)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    label = {"calculator": "faulty.Faulty", "arguments": {"fault": fault, "which": which}, **more}
    return small_config(folder, label=f"label: {json.dumps(label)}")


@pytest.mark.parametrize(
    ("backend", "ranks"),
    [
        ("here", 1),
        ("local", 2),
        pytest.param("here", 2, marks=pytest.mark.slow),
        pytest.param("local", 1, marks=pytest.mark.slow),
    ],
)
def test_a_label_with_another_energy_is_kept_apart(tmp_path, monkeypatch, backend, ranks):
    config = config_of(tmp_path, "energy", 0.45, monkeypatch, backend=backend, max_failures=8)
    run(config, tmp_path / "run", ranks)
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["rejected"] > 0
    assert metrics["training"]["energy"]["rmse"] < 0.01
    failed = list((tmp_path / "run" / "labels" / "failed").glob("*.json"))
    assert len(failed) == metrics["rejected"]
    for path in failed:
        assert not (path.parents[1] / path.name).exists()
        stored = json.loads(path.read_text())
        assert "above label.checks.energy_window" in stored["reason"]
        assert stored["label"] is None
        assert stored["refused"]["energy"] > 500
    said = snap_al("status", tmp_path / "run").stdout
    assert "label failed: energy" in said
    assert failed[-1].name in said or len(failed) > 3
    before = result_of(tmp_path / "run")
    run(config, tmp_path / "run", ranks)
    assert result_of(tmp_path / "run") == before


def test_forces_too_large_to_be_true_stop_the_run(tmp_path, monkeypatch):
    config = config_of(tmp_path, "forces", "all", monkeypatch, max_failures=3)
    done = snap_al("run", config, "--out", tmp_path / "run")
    assert done.returncode == 3
    assert "3 labels in a row failed" in done.stderr
    assert "max_force" in done.stderr


def test_a_stress_of_the_other_sign_is_found_before_anything_is_fitted(tmp_path, monkeypatch):
    config = config_of(tmp_path, "stress", "all", monkeypatch, checks={"stress_by_strain": True})
    done = snap_al("run", config, "--out", tmp_path / "run", ranks=2)
    assert done.returncode == 3
    assert "it has the other sign" in done.stderr
    config = config_of(tmp_path, "none", "all", monkeypatch, checks={"stress_by_strain": True})
    run(config, tmp_path / "right")
    assert "derivative" in (tmp_path / "right" / "run.log").read_text()


def test_energies_of_elements(tmp_path):
    """Energies of another zero, and `eshift` to go with them, are the same fit; a run's export has
    it too.
    """
    descriptor = "descriptor: {elements: [Cu], twojmax: 4, rcutfac: 4.5, bzeroflag: true}"
    frames = [rattled_copper(k).to_atoms() for k in range(6)]
    ase.io.write(tmp_path / "as_is.extxyz", frames)
    for atoms in frames:
        atoms.calc.results["energy"] -= 3.5 * len(atoms)
    ase.io.write(tmp_path / "other.extxyz", frames)
    found = {}
    for name, eshift in (("as_is", "{}"), ("other", "{Cu: 3.5}"), ("other", "{}")):
        config = tmp_path / "fit.yaml"
        config.write_text(f"{descriptor}\ntraining: [{{path: {name}.extxyz}}]\neshift: {eshift}\n")
        assert snap_al("fit", config, "--out", tmp_path / "fit").returncode == 0
        found[name, eshift] = read_snapcoeff(
            tmp_path / "fit" / "potential.snapcoeff",
            SnapSettings(elements=("Cu",), twojmax=4, rcutfac=4.5, bzeroflag=True),
        )
    assert found["other", "{Cu: 3.5}"] == pytest.approx(found["as_is", "{}"], rel=1e-6, abs=1e-9)
    assert found["other", "{}"] != pytest.approx(found["as_is", "{}"], rel=1e-2)
    run(
        small_config(tmp_path / "b", descriptor=descriptor, eshift="eshift: {Cu: 3.5}"),
        tmp_path / "run",
    )
    done = snap_al("export", tmp_path / "run", "--out", tmp_path / "fitsnap")
    assert done.returncode == 0, done.stderr
    assert "Cu = 3.5" in (tmp_path / "fitsnap" / "export.in").read_text()
