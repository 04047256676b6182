"""examples/on_the_fly: The studies of examples/on_the_fly: one in short form, and what their README
says of them over seeds.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples" / "on_the_fly"


def study(out, *arguments, script="compare.py", timeout=3600):
    call = [sys.executable, str(EXAMPLES / script), "--out", str(out), *map(str, arguments)]
    done = subprocess.run(call, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stderr[-3000:]
    print("\n" + done.stdout)
    return done.stdout


def test_a_study_in_short(tmp_path):
    """Hydrogen by the rule that stops asking soonest: a table, a figure and curves; again from what
    is there.
    """
    arguments = ("--scenarios", "hydrogen", "--rules", "hal", "--seeds", 1)
    table = study(tmp_path, *arguments)
    assert table == study(tmp_path, *arguments)
    assert (tmp_path / "curves.png").stat().st_size > 10_000
    found = json.loads((tmp_path / "curves.json").read_text())
    (curve,) = found["curves"]["hydrogen"]["hal"]
    assert curve["labels"] == sorted(curve["labels"])
    assert curve["forces"][-1] > found["limits"]["hydrogen"] > 0.05


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["copper", "poisoned", "alloy", "hydrogen"])
def test_fewer_labels_than_each_nth_step(tmp_path, scenario):
    """To 1.1 times the model's limit on unseen trajectories, median of five seeds."""
    sys.path.insert(0, str(EXAMPLES))
    from compare import labels_to

    study(tmp_path, "--scenarios", scenario, "--rules", "novel", "every")
    found = json.loads((tmp_path / "curves.json").read_text())
    target = 1.1 * found["limits"][scenario]
    medians = {
        rule: np.median([labels_to(c, target) for c in curves])
        for rule, curves in found["curves"][scenario].items()
    }
    assert medians["novel"] <= 0.85 * medians["every"], medians


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_hydrogen_no_longer_clusters(tmp_path, seed):
    """The first potential makes pairs that the truth does not; its std is over the tolerance
    before; the last makes none.
    """
    study(tmp_path, "--seed", seed, script="clusters.py")
    found = json.loads((tmp_path / "clusters.json").read_text())
    first = found["first"]
    paired = next(n for n, count in enumerate(first["pairs"]) if count)
    flagged = next(n for n, std in enumerate(first["std"]) if std > 0.2)
    assert flagged <= paired
    assert not any(found["truth"]["pairs"])
    assert not any(found["last"]["pairs"])
