"""snap_al.inference.embedded: The default's error bars on configurations that were not fitted,
nothing per set, beside POPS and flat-prior Bayes.
"""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from helpers.calls import snap_al
from threadpoolctl import threadpool_limits

from snap_al.config import load_config, validate_config
from snap_al.descriptors import DescriptorEngine, DesignMatrix, Rows
from snap_al.inference import fit_posterior
from snap_al.loop import read_inputs
from snap_al.parallel import SERIAL
from snap_al.uncertainty import kind_metrics, wilson

PEERS = {
    "default": {},
    "POPS": {"posterior": "pops"},
    "flat Bayes": {"posterior": "bayes", "prior_precision": 1e-24},
}

LEAST_GAIN = 0.35
"""Nats of force NLL over flat-prior Bayes, which has one std for all forces, where forces differ
that much. (0.4 while the noise of stress was ten times too large on Ta, and took over what the
model error has to explain now.)"""
NEARLY_GAUSSIAN = 4.0
"""Kurtosis of error over std, 3 for a Gaussian. With z = exp(u)·Gaussian, u of variance τ², it is
3·exp(4τ²) and better stds could gain τ² nats: at 4, 0.07."""


def mlearn(data: Path, folder: Path, element: str, number: int, cutoff: float) -> Path:
    train, test = (data / "mlearn" / f"{element}_{part}.extxyz" for part in ("train", "test"))
    (folder / "fit.yaml").write_text(
        f"descriptor: {{elements: [{element}], twojmax: 6, rcutfac: {cutoff}}}\n"
        f'reference: ["pair_style zbl {cutoff - 1.1:.1f} {cutoff - 0.6:.1f}", "pair_coeff * * '
        f'{number} {number}"]\n'
        f"training: [{{path: {train}, eweight: 100, fweight: 1, vweight: 0}}]\ntest: {test}\n"
    )
    return folder / "fit.yaml"


def rows_of(path: Path) -> tuple[Rows, Rows | None]:
    """The used rows of a config's or deck's training and test sets."""
    config = (
        load_config(path)
        if path.suffix == ".yaml"
        else validate_config({"fitsnap": path.name}, path)
    )
    inputs = read_inputs(config, strict=False)
    with threadpool_limits(1), DescriptorEngine(config.descriptor, inputs.reference) as engine:
        found = []
        for items in (inputs.training, inputs.test):
            matrix = DesignMatrix(engine, SERIAL)
            matrix.append(items, strict=False)
            found.append(Rows.joined([slab.used() for slab in matrix.slabs()]) if items else None)
    return found[0], found[1]


def part(rows: Rows, keep: np.ndarray) -> Rows:
    return Rows(*(getattr(rows, f.name)[keep] for f in fields(rows)))


def split(rows: Rows, seed: int) -> tuple[Rows, Rows]:
    """A fifth of the configurations held out."""
    numbers = rows.index["configuration"]
    everyone = np.unique(numbers)
    out = np.isin(numbers, np.random.default_rng(seed).permutation(everyone)[: len(everyone) // 5])
    return part(rows, ~out), part(rows, out)


def compared(train: Rows, test: Rows) -> dict[str, dict]:
    """Of each method: energies, forces, forces above 1 meV/Å, and the worst group's coverage at 2
    std.
    """
    found = {}
    kinds, size = test.index["kind"], np.abs(test.targets)
    for name, options in PEERS.items():
        p = fit_posterior(
            train.values, train.targets, train.weights, kinds=train.index["kind"], **options
        )
        q = p.predict(test.values, kinds=kinds)
        total = q.total_std
        if name == "flat Bayes":  # the conventional noise, σ over the row's weight
            total = np.hypot(q.epistemic_std, np.sqrt(p.residual_variance) / test.weights)
        error, std = q.mean - test.targets, np.maximum(total, 1e-300)
        forces = kinds == 1
        groups = [
            g
            for g in np.unique(test.index["group"])
            if _configurations(test, forces & (test.index["group"] == g)) >= 10
        ]
        found[name] = {
            "energy": kind_metrics(error[kinds == 0], std[kinds == 0]),
            "forces": kind_metrics(error[forces], std[forces]),
            "large forces": kind_metrics(
                error[forces & (size > 1e-3)], std[forces & (size > 1e-3)]
            ),
            "kurtosis": float(
                scipy.stats.kurtosis((error / std)[forces & (size > 1e-3)], fisher=False)
            ),
            "worst": min(
                [
                    np.mean((np.abs(error) <= 2 * std)[forces & (test.index["group"] == g)])
                    for g in groups
                ]
                or [1.0]
            ),
        }
    return found


def _configurations(rows: Rows, keep: np.ndarray) -> int:
    return len(np.unique(rows.index["configuration"][keep]))


def shown(title: str, found: dict[str, dict]) -> None:
    for name, m in found.items():
        e, f, g = m["energy"], m["forces"], m["large forces"]
        print(
            f"{title} {name:10s} energy {e.rmse * 1e3:7.2f} meV {e.coverage_1sigma:.3f} "
            f"{e.coverage_2sigma:.3f} "
            f"NLL {e.nll:.3f} CRPS {e.crps * 1e3:.2f} | forces {f.rmse:.3f} "
            f"{f.coverage_1sigma:.3f} "
            f"{f.coverage_2sigma:.3f} NLL {g.nll:.3f} CRPS {g.crps * 1e3:.1f} | worst "
            f"group {m['worst']:.2f} "
            f"kurtosis {m['kurtosis']:.1f}"
        )


def require_calibrated(m: dict) -> None:
    """The upper bounds on forces were 0.78 and 0.985 while noise of stress, shared in weighted
    units, took over what the model error explains now: one split of Ta has 0.784, one of InP
    0.987."""
    assert 0.60 <= m["forces"].coverage_1sigma <= 0.80
    assert 0.91 <= m["forces"].coverage_2sigma <= 0.99
    for key, nominal in (("coverage_1sigma", 0.68), ("coverage_2sigma", 0.95)):
        low, high = wilson(getattr(m["energy"], key), m["energy"].n)
        assert low - 0.15 < nominal < high + 0.15, key
    assert m["worst"] >= 0.80


def require_better_than_peers(found: dict[str, dict]) -> None:
    ours, pops, bayes = (found[name] for name in PEERS)
    assert ours["forces"].rmse <= 1.03 * bayes["forces"].rmse
    assert ours["energy"].rmse <= 1.03 * bayes["energy"].rmse
    assert ours["energy"].nll <= pops["energy"].nll
    for score in ("nll", "crps"):
        mine, theirs = (getattr(found["large forces"], score) for found in (ours, pops))
        assert mine <= theirs * (1.0 + 1e-3 * (score == "crps"))
    gain = bayes["large forces"].nll - ours["large forces"].nll
    assert gain >= LEAST_GAIN or ours["kurtosis"] < NEARLY_GAUSSIAN


@pytest.mark.parametrize(("element", "number", "cutoff"), [("Mo", 42, 4.6), ("Si", 14, 4.7)])
def test_published_splits(data, tmp_path, element, number, cutoff):
    train, test = rows_of(mlearn(data, tmp_path, element, number, cutoff))
    found = compared(train, test)
    shown(element, found)
    require_calibrated(found["default"])
    require_better_than_peers(found)
    assert found["default"]["energy"].crps <= found["POPS"]["energy"].crps


@pytest.mark.parametrize("seed", range(4))
def test_tantalum_held_out(ta_rows, seed):
    found = compared(*split(ta_rows, seed))
    shown(f"Ta {seed}", found)
    require_calibrated(found["default"])
    require_better_than_peers(found)


@pytest.fixture(scope="module")
def ta_rows(data):
    return rows_of(data / "Ta_Linear_JCP2014" / "Ta-example.in")[0]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_indium_phosphide_held_out(data):
    rows = rows_of(data / "InP_JPCA2020" / "InP-example.in")[0]
    for seed in range(2):
        found = compared(*split(rows, seed))
        shown(f"InP {seed}", found)
        require_calibrated(found["default"])
        require_better_than_peers(found)


def test_the_program_says_the_same(data, tmp_path):
    """`snap-al fit` and `evaluate` on two ranks, with the groups that the file names."""
    mlearn(data, tmp_path, "Mo", 42, 4.6)
    done = snap_al("fit", "fit.yaml", "--out", "out", cwd=tmp_path, ranks=2)
    assert done.returncode == 0, done.stderr
    test = data / "mlearn" / "Mo_test.extxyz"
    table = json.loads(snap_al("evaluate", "out", test, "--json", cwd=tmp_path).stdout)
    assert 0.60 < table["forces"]["coverage_1sigma"] < 0.78
    assert 0.91 < table["forces"]["coverage_2sigma"] < 0.985
    assert table["forces"]["spearman"] > 0.5
    assert len(table["forces"]["groups"]) > 2
    assert sum(g["n"] for g in table["forces"]["groups"].values()) == table["forces"]["n"]
    assert sum(table["forces"]["pit"]) == pytest.approx(1.0)
    before = (tmp_path / "out" / "potential_variance.snapcoeff").read_text()
    again = json.loads(
        snap_al("evaluate", "out", test, "--recalibrate", "--json", cwd=tmp_path).stdout
    )
    assert again["energy"]["nll"] <= table["energy"]["nll"]
    assert again["forces"]["rmse"] == table["forces"]["rmse"]
    assert (tmp_path / "out" / "potential_variance.snapcoeff").read_text() != before
    kept = json.loads(snap_al("evaluate", "out", test, "--json", cwd=tmp_path).stdout)
    assert kept["forces"]["coverage_1sigma"] == again["forces"]["coverage_1sigma"]
