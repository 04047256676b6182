"""The published sets: fits on the training part, errors and calibration on configurations that were not fitted."""

import json

import pytest
from conftest import snap_al


@pytest.mark.parametrize(("element", "number", "cutoff"), [("Mo", 42, 4.6), ("Si", 14, 4.7)])
def test_held_out_calibration(data, tmp_path, element, number, cutoff):
    """Nothing per set: the same settings for both. A calibrated Gaussian covers 0.683 and 0.954."""
    train, test = (data / "mlearn" / f"{element}_{part}.extxyz" for part in ("train", "test"))
    (tmp_path / "fit.yaml").write_text(
        f"descriptor: {{elements: [{element}], twojmax: 6, rcutfac: {cutoff}}}\n"
        f'reference: ["pair_style zbl {cutoff - 1.1:.1f} {cutoff - 0.6:.1f}", "pair_coeff * * {number} {number}"]\n'
        f"training: [{{path: {train}, eweight: 100, fweight: 1, vweight: 0}}]\n"
    )
    done = snap_al("fit", "fit.yaml", "--out", "out", cwd=tmp_path, ranks=2)
    assert done.returncode == 0, done.stderr
    table = json.loads(snap_al("evaluate", "out", test, "--json", cwd=tmp_path).stdout)
    assert 0.60 < table["forces"]["coverage_1sigma"] < 0.78
    assert 0.91 < table["forces"]["coverage_2sigma"] < 0.985
    assert table["energy"]["coverage_2sigma"] > 0.85
    assert table["forces"]["spearman"] > 0.5
