"""snap_al.cli.demo: The demo's promises, over seeds, clean and poisoned, on one and two ranks.
Minutes each.
"""

import json

import pytest
from helpers.calls import snap_al

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clean_errors():
    return {}


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("poison", [False, True])
def test_demo(tmp_path, clean_errors, seed, poison, ranks):
    flags = ["--poison"] if poison else []
    done = snap_al(
        "demo",
        "--seed",
        seed,
        "--out",
        tmp_path / "demo",
        "--json",
        *flags,
        ranks=ranks,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    metrics = json.loads(done.stdout)
    forces, energy = metrics["test"]["forces"], metrics["test"]["energy"]
    print(
        f"\nseed {seed} poison {poison} ranks {ranks}: {metrics['labels']} labels, forces "
        f"{forces['rmse']:.4f} eV/Å, "
        f"energy {1e3 * energy['rmse']:.2f} meV/atom, coverage {forces['coverage_1sigma']:.3f} "
        f"{forces['coverage_2sigma']:.3f}"
    )
    assert metrics["labels"] <= 30
    assert energy["rmse"] <= 0.003
    assert 0.60 <= forces["coverage_1sigma"] <= 0.76
    assert 0.92 <= forces["coverage_2sigma"] <= 0.98
    if poison:
        assert forces["rmse"] <= 1.2 * clean_errors[seed, ranks]
    else:
        assert forces["rmse"] <= 0.085
        clean_errors[seed, ranks] = forces["rmse"]
