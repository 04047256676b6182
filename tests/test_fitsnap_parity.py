"""snap_al.fitsnap: Design matrix, targets, weights and fit, row by row, against FitSNAP itself on
its published examples.
"""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from ase.calculators.emt import EMT
from helpers.calls import ROOT
from helpers.samples import orthogonal, rattled_copper

from snap_al.config import validate_config
from snap_al.data import Configuration, Label
from snap_al.descriptors import DescriptorEngine, DesignMatrix, Rows
from snap_al.fitsnap import read_deck, write_json
from snap_al.fitsnap.dumps import all_columns
from snap_al.fitsnap.output import KINDS, metrics_of
from snap_al.inference import fit_posterior
from snap_al.loop import read_inputs
from snap_al.loop.evaluation import predicted
from snap_al.parallel import SERIAL
from snap_al.potential import read_snapcoeff
from snap_al.units import FITSNAP_BAR_PER_EV_PER_A3

pytest.importorskip("fitsnap3lib", reason="pip install 'snap_al[fitsnap]'")
SLOW = [
    pytest.param("Ta_Quadratic_JCP2018", marks=pytest.mark.slow),
    pytest.param("InP_JPCA2020", marks=pytest.mark.slow),
]


MADE = ("spin", "charge", "twojmax", "quadratic twojmax", "inner", "chem")
"""Small decks made here: what the published examples do not have."""


def made_deck(kind, folder):
    """Cu and Ag in cells of any orientation, with charges and spins, by EMT."""
    (folder / "JSON" / "warm").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for k in range(40 if kind in ("quadratic twojmax", "chem") else 12):
        atoms = rattled_copper(k, repeat=1).to_atoms()
        atoms.symbols[[k % 4, k % 3]] = "Ag"
        atoms.calc = EMT()
        q = orthogonal(k, mirror=False)
        atoms.set_cell(atoms.cell.array @ q, scale_atoms=True)
        label = Label(atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress())
        c = replace(Configuration.from_atoms(atoms), charges=rng.standard_normal(4)).labelled(label)
        content = json.loads(write_json(c))
        length, direction = rng.uniform(1, 3, (4, 1)), rng.standard_normal((4, 3))
        direction /= np.linalg.norm(direction, axis=1)[:, None]
        content["Dataset"]["Data"][0]["Spins"] = np.hstack([length, direction]).tolist()
        (folder / "JSON" / "warm" / f"{k:02d}.json").write_text(json.dumps(content))
    pair, style = "zbl 2.0 2.5", "atomic"
    coefficients = ["1 1 zbl 29 29", "1 2 zbl 29 47", "2 2 zbl 47 47"]
    if kind == "spin":
        pair, style = "spin/exchange 4.0", "spin"
        coefficients = ["* * spin/exchange exchange 4.0 0.2 0.28 2.5"]
    if kind == "charge":
        pair, style, coefficients = "coul/dsf 0.2 6.0", "charge", ["* * coul/dsf"]
    more = {
        "chem": "chemflag = 1",
        "quadratic twojmax": "quadraticflag = 1",
        "inner": "switchinnerflag = 1\nsinner = 2.2 2.4\ndinner = 0.3 0.2",
    }
    lines = "\n".join(f"pair_coeff{n} = {c}" for n, c in enumerate(["* * zero", *coefficients], 1))
    deck = folder / "made.in"
    deck.write_text(
        f"""[BISPECTRUM]
numTypes = 2
twojmax = {"4 2" if "twojmax" in kind else "4 4"}
rcutfac = 4.5
wj = 1.0 0.9
radelem = 0.5 0.45
type = Cu Ag
bzeroflag = {int(kind == "inner")}
{more.get(kind, "")}
[CALCULATOR]
calculator = LAMMPSSNAP
energy = 1
force = 1
stress = 1
[ESHIFT]
Cu = 0.5
Ag = -0.25
[SOLVER]
solver = SVD
[SCRAPER]
scraper = JSON
[PATH]
dataPath = JSON
[OUTFILE]
metrics = m.md
potential = pot
[REFERENCE]
units = metal
atom_style = {style}
pair_style = hybrid/overlay zero 10.0 {pair}
{lines}
[GROUPS]
group_sections = name training_size testing_size eweight fweight vweight
group_types = str float float float float float
smartweights = 1
warm = 1.0 0.0 100 1 1.0e-3
[EXTRAS]
dump_descriptors = 0
[MEMORY]
override = 0
"""
    )
    return deck


@pytest.fixture(scope="module", params=["Ta_Linear_JCP2014", "Ta_XYZ", *MADE, *SLOW])
def both(request, tmp_path_factory, fitsnap):
    """Our rows and FitSNAP's rows of the same deck, FitSNAP's put in our order."""
    folder = tmp_path_factory.mktemp("fitsnap")
    if request.param in MADE:
        deck_path = made_deck(request.param, tmp_path_factory.mktemp("deck"))
    else:
        (deck_path,) = (request.getfixturevalue("data") / request.param).glob("*.in")
    return compared(fitsnap, deck_path, folder, ours="Quadratic" not in request.param)


def compared(fitsnap, deck_path, folder, ours=False):
    """Deck, matrix and rows of ours, and FitSNAP's arrays. ours: whether FitSNAP fits with our
    solver as well.
    """
    theirs = fitsnap.fitted(deck_path, folder, ours)
    deck = read_deck(deck_path)
    inputs = read_inputs(validate_config({"fitsnap": deck.path.name}, deck.path))
    with DescriptorEngine(deck.settings, inputs.reference, (), FITSNAP_BAR_PER_EV_PER_A3) as engine:
        matrix = DesignMatrix(engine, SERIAL)
        matrix.append(inputs.training)
    return deck, matrix, Rows.joined(matrix.slabs()), theirs


def xyz_frame(path):
    """A FitSNAP JSON file as a frame of FitSNAP's XYZ: stress in bar."""
    (data,) = json.loads(path.read_text())["Dataset"]["Data"]
    cell, stress = (" ".join(map(repr, np.ravel(data[k]).tolist())) for k in ("Lattice", "Stress"))
    atoms = zip(data["AtomTypes"], data["Positions"], data["Forces"], strict=True)
    lines = [" ".join([s, *map(repr, [*r, *f])]) for s, r, f in atoms]
    head = (
        f'Lattice="{cell}" Properties=species:S:1:pos:R:3:forces:R:3 energy={data["Energy"]!r} '
        f'stress="{stress}"'
    )
    return "\n".join([str(len(lines)), head, *lines]) + "\n"


@pytest.mark.parametrize("scraper", ["JSON", "XYZ"])
def test_energies_in_rydberg_are_shifted_as_fitsnap_does(scraper, tmp_path, fitsnap):
    """[ESHIFT] in the unit of the files; FitSNAP's rydberg is 3.6e-7 larger than that of CODATA."""
    deck_path = made_deck("rydberg", tmp_path / "deck")
    warm = tmp_path / "deck" / "JSON" / "warm"
    files = sorted(warm.glob("*.json"))
    if scraper == "XYZ":
        warm.with_suffix(".xyz").write_text("".join(map(xyz_frame, files)))
        said = "scraper = XYZ\nproperty_array = Energy energy rydberg Metal"
        deck_path.write_text(deck_path.read_text().replace("scraper = JSON", said))
    for path in files:
        path.write_text(
            path.read_text().replace('"EnergyStyle": "electronvolt"', '"EnergyStyle": "rydberg"')
        )
    (tmp_path / "fitsnap").mkdir()
    _, matrix, rows, theirs = compared(fitsnap, deck_path, tmp_path / "fitsnap")
    b = theirs["b"][in_our_order(matrix, theirs)]
    energies = rows.index["kind"] == 0
    np.testing.assert_allclose(rows.targets[energies], b[energies], rtol=1e-6)
    others = rows.targets[~energies]
    np.testing.assert_allclose(others, b[~energies], rtol=1e-9, atol=1e-9 * np.abs(others).max())


def in_our_order(matrix, theirs):
    """FitSNAP lists a configuration's rows together, as energy, forces, stress; which files came
    first is the disk's.
    """
    starts = np.flatnonzero(theirs["kinds"] == "Energy")
    blocks = np.split(np.arange(len(theirs["kinds"])), starts[1:])
    seen: dict[tuple[str, str], list[np.ndarray]] = {}
    for block in blocks:
        seen.setdefault((theirs["groups"][block[0]], theirs["files"][block[0]]), []).append(block)
    order = []
    for item in matrix.items.values():
        name = item.configuration.name
        file = name.split(", group")[0].split(", frame")[0].rsplit("/", 1)[-1]
        order.append(seen[(item.group, file)].pop(0))
    return np.concatenate(order)


def test_rows_are_fitsnaps(both):
    deck, matrix, rows, theirs = both
    order = in_our_order(matrix, theirs)
    a, b, w = theirs["a"][order], theirs["b"][order], theirs["w"][order]
    everything = all_columns(rows.values, matrix)
    for kind in range(3):
        here = rows.index["kind"] == kind
        for ours, reference in ((everything, a), (rows.targets[:, None], b[:, None])):
            scale = np.abs(reference[here]).max(axis=0)
            assert (
                np.abs(ours[here] - reference[here]) <= 1e-10 * scale + 1e-14 * scale.max()
            ).all(), (deck.path, kind)
    np.testing.assert_allclose(rows.weights, w, rtol=1e-12)


def test_the_fit_predicts_what_fitsnaps_fit_predicts(both):
    deck, matrix, rows, theirs = both
    used = rows.used()
    posterior = fit_posterior(used.values, used.targets, used.weights, **deck.fit.options)
    ours = rows.values @ posterior.mean
    columns = matrix.columns
    fit = theirs["fit"]
    if (
        not columns.has_constant
    ):  # FitSNAP puts a constant of zero before each element's coefficients
        fit = fit.reshape(columns.n_elements, -1)[:, 1:].ravel()
    reference = all_columns(rows.values, matrix) @ fit
    for kind in range(3):
        here = rows.index["kind"] == kind
        spread = np.std(reference[here])
        assert np.abs(ours[here] - reference[here]).max() <= 1e-6 * spread, kind


def test_the_metrics_table_is_fitsnaps(both):
    """Count, MAE, RMSE and R² of every group, kind and weighting, as near as predictions are;
    R² of what does not vary is rounding, or no number."""
    deck, matrix, rows, theirs = both
    used = rows.used()
    posterior = fit_posterior(used.values, used.targets, used.weights, **deck.fit.options)
    table = metrics_of(predicted(matrix.slabs(), posterior, SERIAL), matrix.groups)
    ours = {name: values for name, *values in table}
    expected = {}
    for name, values in zip(theirs["names"], theirs["table"], strict=True):
        group, weighting, *others = name.split("|")
        expected[group, weighting.capitalize(), next(k for k in KINDS if k in others)] = values
    assert ours.keys() == expected.keys()
    for key, values in expected.items():
        here = rows.index["kind"] == KINDS.index(key[2])
        spread = 1e-6 * np.std(rows.targets[here])  # what predictions may differ by
        if key[0] != "*ALL":
            here &= rows.index["group"] == matrix.groups.index(key[0])
        spread *= rows.weights[here].max() if key[1] == "Weighted" else 1.0
        np.testing.assert_allclose(
            ours[key][:3], values[:3], rtol=1e-6, atol=spread, err_msg=str(key)
        )
        if np.isfinite(values[3]) and values[1] > max(
            spread, 1e-9
        ):  # not of forces that are zero by symmetry
            assert ours[key][3] == pytest.approx(values[3], abs=1e-5), key


@pytest.mark.parametrize(
    "name",
    [
        "Ta_Linear_JCP2014",
        *(
            pytest.param(n, marks=pytest.mark.slow)
            for n in ("Ta_Quadratic_JCP2018", "InP_JPCA2020")
        ),
    ],
)
def test_the_fit_predicts_what_the_published_coefficients_do(data, name):
    (path,), (published,) = ((data / name).glob(g) for g in ("*.in", "reference/*.snapcoeff"))
    deck = read_deck(path)
    inputs = read_inputs(validate_config({"fitsnap": deck.path.name}, deck.path))
    with DescriptorEngine(deck.settings, inputs.reference, (), FITSNAP_BAR_PER_EV_PER_A3) as engine:
        matrix = DesignMatrix(engine, SERIAL)
        matrix.append(inputs.training)
    rows = Rows.joined(matrix.slabs())
    used = rows.used()
    posterior = fit_posterior(used.values, used.targets, used.weights, **deck.fit.options)
    one, other = (
        rows.values @ posterior.mean,
        rows.values @ read_snapcoeff(published, deck.settings),
    )
    for kind in range(3):
        here = rows.index["kind"] == kind
        assert np.abs(one[here] - other[here]).max() <= 1e-6 * np.std(other[here]), kind


def test_our_solver_inside_fitsnap(both):
    """FitSNAP assigned our solver, did its error analysis and wrote its files: the same
    predictions, and a covariance.
    """
    _, matrix, rows, theirs = both
    if "ours" not in theirs:
        pytest.skip("FitSNAP repeats its error analysis only on the small sets")
    columns = matrix.columns
    everything = all_columns(rows.values, matrix)
    fits = [theirs[name] for name in ("fit", "ours")]
    if not columns.has_constant:
        fits = [f.reshape(columns.n_elements, -1)[:, 1:].ravel() for f in fits]
    one, other = (everything @ f for f in fits)
    for kind in range(3):
        here = rows.index["kind"] == kind
        assert np.abs(one[here] - other[here]).max() <= 1e-6 * np.std(one[here]), kind
    assert np.linalg.eigvalsh(theirs["cov"]).min() >= -1e-9 * np.linalg.norm(theirs["cov"])
    assert len(theirs["samples"]) == 50


@pytest.mark.parametrize(
    ("name", "arguments"), [("our_solver_in_fitsnap.py", ()), ("run_fitsnap.py", ("--overwrite",))]
)
def test_the_examples_run(data, tmp_path, name, arguments):
    script = ROOT / "examples" / "fitsnap" / name
    deck = data / "Ta_Linear_JCP2014" / "Ta-example.in"
    command = [sys.executable, str(script), str(deck), *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert len(read_snapcoeff(tmp_path / "Ta_pot.snapcoeff", read_deck(deck).settings)) == 31
