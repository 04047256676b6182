"""snap_al.loop.tuning: Tuning: left-out errors against fits without them, subsets against LAMMPS,
the search on labels that say what is right, and as a user calls it.
"""

import json

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from helpers.calls import in_this_process, snap_al
from helpers.samples import CHEM, WEIGHTS, ZBL, rattled_copper

from snap_al.config import load_config
from snap_al.data import Configuration, Label, LabelledConfiguration
from snap_al.descriptors import Columns, DescriptorEngine, ReferencePotential, SnapSettings
from snap_al.inference import Block, left_out
from snap_al.loop.scoring import Scored, Scorer, Scoring
from snap_al.loop.tuning import Subset, Tuner, cheapest_good
from snap_al.parallel import SERIAL
from snap_al.sessions import LammpsSettings

BASE = SnapSettings(elements=("Cu",), twojmax=4, rcutfac=4.5)


@pytest.mark.parametrize("seed", range(3))
def test_left_out_residuals_are_those_of_fits_without_the_fold(seed):
    rng = np.random.default_rng(seed)
    units = 10.0 ** rng.integers(-3, 4, 5)
    a = rng.standard_normal((60, 5)) * units
    b = a @ (rng.uniform(2, 4, 5) / units) + 0.1 * rng.standard_normal(60)
    folds = rng.integers(4, size=60)
    block = Block(a.copy(), b.copy(), np.ones(60, dtype=bool))
    found = left_out([block], [folds], 4, SERIAL)
    for fold in range(4):
        out = folds == fold
        c = np.linalg.lstsq(a[~out], b[~out], rcond=None)[0]
        np.testing.assert_allclose(found.residuals[0][out], b[out] - a[out] @ c, atol=2e-3)
    np.testing.assert_allclose(a @ found.mean, a @ np.linalg.lstsq(a, b, rcond=None)[0], atol=2e-3)


def test_a_direction_that_one_fold_alone_holds():
    """An element that only one group has: without that group its coefficients are at the prior's
    zero.
    """
    rng = np.random.default_rng(2)
    a = np.zeros((40, 6))
    a[:30, :3] = rng.standard_normal((30, 3))
    a[30:, :] = rng.standard_normal((10, 6))
    b = a @ rng.uniform(1, 2, 6) + 0.01 * rng.standard_normal(40)
    folds = (np.arange(40) >= 30).astype(np.int64)
    found = left_out([Block(a.copy(), b.copy(), np.ones(40, dtype=bool))], [folds], 2, SERIAL)
    c = np.linalg.lstsq(a[:30], b[:30], rcond=None)[
        0
    ]  # least squares of least norm: zero where there is no data
    np.testing.assert_allclose(found.residuals[0][30:], b[30:] - a[30:] @ c, rtol=1e-3, atol=1e-3)


def test_evidence_is_the_marginal_likelihood():
    """Of a Gaussian with covariance σ²(1 + A N⁻² Aᵀ/κ), the slow way, at the κ and σ² that make it
    largest.
    """
    from scipy.optimize import minimize
    from scipy.stats import multivariate_normal

    rng = np.random.default_rng(5)
    a = rng.standard_normal((40, 3))
    b = a @ [1.0, -2.0, 0.5] + 0.3 * rng.standard_normal(40)
    unit = a / np.linalg.norm(a, axis=0)

    def cost(x):
        return -multivariate_normal(
            np.zeros(40), np.exp(x[0]) * (np.eye(40) + unit @ unit.T / np.exp(x[1]))
        ).logpdf(b)

    best = minimize(
        cost,
        [-2.0, -3.0],
        method="Nelder-Mead",
        options={"maxiter": 2000, "xatol": 1e-6, "fatol": 1e-8},
    )
    found = left_out(
        [Block(a, b, np.ones(40, dtype=bool))], [np.zeros(40, dtype=np.int64)], 0, SERIAL
    )
    assert 40 * found.evidence == pytest.approx(-best.fun, abs=1e-4)


@pytest.mark.parametrize(
    "settings",
    [
        CHEM,
        SnapSettings(
            elements=("Cu", "Ag"), twojmax=4, rcutfac=4.5, radelem=(0.5, 0.45), quadraticflag=True
        ),
    ],
)
def test_smaller_twojmax_out_of_a_larger(alloy, settings):
    small = SnapSettings(**{**settings.model_dump(), "twojmax": 2})
    with DescriptorEngine(settings, ZBL) as large, DescriptorEngine(small, ZBL) as engine:
        subset = Subset(large, settings, small)
        assert subset.columns.n_distinct == Columns.of(small).n_distinct
        expected = engine.rows(alloy)
        np.testing.assert_allclose(
            subset.rows(alloy).values, expected.values, atol=1e-9 * np.abs(expected.values).max()
        )
        np.testing.assert_allclose(subset.rows(alloy).reference, expected.reference)


def labelled(model, n=24):
    """Configurations with labels of a made-up SNAP of these settings: what tuning should find."""
    rng = np.random.default_rng(0)
    coefficients = None
    items = []
    with DescriptorEngine(model, ReferencePotential()) as engine:
        for k in range(n):
            c = rattled_copper(k, 0.12)
            rows = engine.rows(c)
            if coefficients is None:
                coefficients = (
                    rng.standard_normal(rows.values.shape[1]) / np.abs(rows.values[0]) ** 0.5
                )
            values = rows.values @ coefficients
            label = Label(values[0] * len(c), values[1:-6].reshape(-1, 3), None)
            items.append(LabelledConfiguration(c.labelled(label), WEIGHTS, "made up"))
    return items


@pytest.mark.parametrize("by", ["folds", "evidence"])
def test_finds_the_model_that_made_the_labels(tmp_path, by):
    truth = SnapSettings(elements=("Cu",), twojmax=4, rcutfac=4.0)
    tuner = Tuner(
        Scorer(
            labelled(truth), ReferencePotential(), LammpsSettings(), tmp_path, SERIAL, Scoring(by)
        )
    )
    best = cheapest_good(tuner.grid(BASE, [2, 4, 6], [3.6, 4.0, 4.5]))
    assert (best.settings.largest_twojmax, best.settings.rcutfac) == (4, 4.0)
    assert best.rmse["forces"] < 1e-4
    assert best.cost > 0


def test_finds_the_radius_of_an_element(tmp_path):
    rng = np.random.default_rng(1)
    truth = SnapSettings(
        elements=("Cu", "Ag"), twojmax=2, rcutfac=4.0, radelem=(0.5, 0.575), wj=(1.0, 1.0)
    )
    items, coefficients = [], None
    with DescriptorEngine(truth, ReferencePotential()) as engine:
        for _ in range(16):
            atoms = bulk("Cu", cubic=True) * (2, 1, 1)
            atoms.symbols[rng.permutation(8)[:4]] = "Ag"
            atoms.positions += 0.15 * rng.standard_normal((8, 3))
            c = Configuration.from_atoms(atoms)
            rows = engine.rows(c)
            coefficients = (
                rng.standard_normal(rows.values.shape[1]) if coefficients is None else coefficients
            )
            values = rows.values @ coefficients
            items.append(
                LabelledConfiguration(
                    c.labelled(Label(values[0] * 8, values[1:-6].reshape(-1, 3), None)), WEIGHTS
                )
            )
    tuner = Tuner(
        Scorer(items, ReferencePotential(), LammpsSettings(), tmp_path, SERIAL, Scoring(n_folds=4))
    )
    (start,) = tuner.grid(SnapSettings(**{**truth.model_dump(), "radelem": (0.5, 0.5)}), [2], [4.0])
    best = cheapest_good([start, *tuner.elements(start)])
    assert best.settings.radelem == (0.5, 0.575)
    assert best.settings.wj == (1.0, 1.0)


def test_the_cheapest_that_is_nearly_as_good():
    """A better score must pay for its cost; costs alike do not decide."""

    def scored(score, cost):
        return Scored(BASE, score, {}, 0.0, 1, cost)

    assert cheapest_good([scored(1.0, 500), scored(1.02, 100), scored(1.2, 10)]).cost == 100
    assert cheapest_good([scored(1.0, 500), scored(1.05, 100)]).cost == 500
    assert cheapest_good([scored(1.0, 110), scored(1.02, 100)]).cost == 110, (
        "the timing of one is no better"
    )


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tune")
    quiet = [rattled_copper(k, 0.06, repeat=1).to_atoms() for k in range(12)]
    rng = np.random.default_rng(0)
    noisy = []
    for k in range(12):
        atoms = rattled_copper(100 + k, 0.06, repeat=1).to_atoms()
        atoms.calc.results["forces"] = atoms.calc.results["forces"] + 0.3 * rng.standard_normal(
            (4, 3)
        )
        noisy.append(atoms)
    ase.io.write(folder / "quiet.extxyz", quiet)
    ase.io.write(folder / "noisy.extxyz", noisy)
    (folder / "fit.yaml").write_text(
        "# kept\ndescriptor:\n  elements: [Cu]\n  twojmax: 4 # kept too\n  rcutfac: 4.5\n"
        "training:\n  - {path: quiet.extxyz}\n  - {path: noisy.extxyz, eweight: 50}\n"
    )
    return folder


def test_as_a_user_calls_it(training):
    one, two = (
        snap_al(
            "tune",
            "fit.yaml",
            "--out",
            f"tune{n}",
            "--twojmax",
            "2,4",
            "--cutoff",
            "4.0,4.5",
            "--json",
            ranks=n,
            cwd=training,
        )
        for n in (1, 2)
    )
    assert one.returncode == two.returncode == 0, one.stderr + two.stderr
    found, again = json.loads(one.stdout), json.loads(two.stdout)
    assert [t["changed"] for t in found["tried"][:4]] == [
        f"2J {j}, {c} Å" for c in ("4", "4.5") for j in (2, 4)
    ]
    for a, b in zip(found["tried"], again["tried"], strict=True):
        assert a["rmse"] == pytest.approx(b["rmse"], rel=1e-6)
    assert found["now"]["changed"] == "2J 4, 4.5 Å"
    assert found["best"]["score"] <= found["now"]["score"] * 1.03
    assert found["best"]["groups"].get("noisy", 1.0) < 1.0, "labels with noise count less"
    text = (training / "tune1" / "tuned.yaml").read_text()
    assert "# kept" in text
    assert "# kept too" in text
    tuned, before = (
        load_config(training / "tune1" / "tuned.yaml"),
        load_config(training / "fit.yaml"),
    )
    assert tuned.descriptor.twojmax[0] == found["best"]["descriptor"]["twojmax"]
    factor = found["best"]["groups"].get("noisy", 1.0)
    assert tuned.training[1].eweight == pytest.approx(before.training[1].eweight * factor)
    assert snap_al("fit", "tune1/tuned.yaml", "--out", "fit", cwd=training).returncode == 0
    assert (
        "best"
        in snap_al(
            "tune",
            "fit.yaml",
            "--out",
            "tune1",
            "--twojmax",
            "2,4",
            "--cutoff",
            "4.5",
            cwd=training,
        ).stdout
    )
    assert (training / "tune1" / "descriptors").is_dir()


def test_refusals(training, monkeypatch):
    monkeypatch.chdir(training)
    (training / "few.yaml").write_text(
        "descriptor: {elements: [Cu], twojmax: 4, rcutfac: 4.5}\ntraining: [{path: few.extxyz}]\n"
    )
    atoms = bulk("Cu", cubic=True)
    atoms.calc = EMT()
    atoms.get_forces()
    ase.io.write(training / "few.extxyz", atoms)
    for message, *arguments in (
        ("--by fold: did you mean 'folds'?", "fit.yaml", "--by", "fold"),
        ("--twojmax 2,x: numbers with commas", "fit.yaml", "--twojmax", "2,x"),
        ("is not between 0 and 20", "fit.yaml", "--twojmax", "99"),
        ("1 labelled configurations; below 10", "few.yaml"),
    ):
        code, text = in_this_process(monkeypatch, "tune", *arguments)
        assert (code, message in " ".join(text.split())) == (2, True), text
