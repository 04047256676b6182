"""snap_al.label.local: Runs whose labels are computed in processes of their own, killed at any
instant: no label is lost, and none is paid for twice.
"""

import json
import shutil
from collections import Counter

import numpy as np
import pytest
from helpers.calls import ROOT, snap_al
from helpers.optional import QUANTUM_ESPRESSO, espresso_is_here, needs
from helpers.runs import killed_until_done, result_of, run
from helpers.samples import small_config

COUNTING = """
import hashlib, time
from ase.calculators.emt import EMT

class Counting(EMT):
    def __init__(self, log, **kwargs):
        super().__init__(**kwargs)
        self.log = log

    def calculate(self, *args, **kwargs):
        time.sleep(0.3)
        super().calculate(*args, **kwargs)
        with open(self.log, "a") as file:
            file.write(hashlib.sha256(self.atoms.positions.tobytes()).hexdigest() + "\\n")
"""


def config_of(folder, log):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "counting.py").write_text(COUNTING)
    label = (
        f"label: {{calculator: counting.Counting, arguments: {{log: {log}}}, backend: local, "
        f"at_once: 2, timeout: 60}}"
    )
    return small_config(folder, label=label, stop="stop: {max_labels: 9}")


@pytest.mark.parametrize("ranks", [1, 2])
def test_killed_while_labels_are_computed(tmp_path, ranks, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "in"))
    log = tmp_path / "log"
    config = config_of(tmp_path / "in", log)
    expected = run(config, tmp_path / "whole", ranks)
    assert (
        len(log.read_text().splitlines())
        == json.loads((tmp_path / "whole" / "metrics.json").read_text())["labels"]
    )
    log.unlink()
    kills = killed_until_done(
        config, tmp_path / "killed", ranks, np.random.default_rng(ranks), tmp_path / "whole", 2
    )
    assert kills >= 1
    assert result_of(tmp_path / "killed") == expected
    counts = Counter(log.read_text().split())
    assert len(counts) == json.loads((tmp_path / "killed" / "metrics.json").read_text())["labels"]
    assert set(counts.values()) == {1}


def test_where_labels_run_may_change(tmp_path):
    """From this process to processes of their own, in the same run."""
    config = small_config(tmp_path, label="label: {fweight: 1.0}", stop="stop: {max_labels: 4}")
    run(config, tmp_path / "run")
    config = small_config(
        tmp_path,
        label="label: {fweight: 1.0, backend: local, at_once: 2}",
        stop="stop: {max_labels: 6}",
    )
    run(config, tmp_path / "run")
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["labels"] == 6


@pytest.mark.slow
@needs(espresso_is_here(), QUANTUM_ESPRESSO)
def test_aluminium_with_quantum_espresso(tmp_path):
    """examples/aluminium, shortened: DFT labels in a run on two ranks."""
    for path in (ROOT / "examples" / "aluminium").iterdir():
        shutil.copy(path, tmp_path)
    config = tmp_path / "aluminium.yaml"
    config.write_text(
        config.read_text()
        .replace("max_labels: 40", "max_labels: 6")
        .replace("steps: 10000", "steps: 500")
    )
    done = snap_al("run", config, "--out", tmp_path / "run", ranks=2, timeout=900)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["labels"] >= 4
