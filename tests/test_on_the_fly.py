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
@pytest.mark.timeout(3600)
def test_hydrogen_hardly_clusters_any_more(tmp_path):
    """Over five seeds: with the first potential there is a pair that the truth never makes in
    nearly all frames, with the last in nearly none; and no pair forms before its std is over the
    tolerance.
    """
    sys.path.insert(0, str(EXAMPLES))
    from clusters import TOLERANCE

    study(tmp_path, "--seeds", 1, 2, 3, 4, 5, script="clusters.py")
    found = json.loads((tmp_path / "clusters.json").read_text())
    frames = {name: np.array([values[name]["pairs"] for values in found]) for name in found[0]}
    second_half = {name: pairs[:, pairs.shape[1] // 2 :] > 0 for name, pairs in frames.items()}
    assert not frames["truth"].any()
    assert second_half["first"].mean() > 0.95
    assert second_half["last"].mean() < 0.05
    for values in (values[name] for values in found for name in ("first", "last")):
        flagged = np.maximum.accumulate(np.array(values["std"]) > TOLERANCE)
        assert flagged[np.array(values["pairs"]) > 0].all()
