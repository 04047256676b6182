"""snap_al.tasks.fit: `snap-al fit` on decks and configs, as a user calls it: what it writes, what
it leaves out, and what it does twice.
"""

import json

import ase.db
import ase.io
import numpy as np
import pytest
from helpers.calls import snap_al
from helpers.samples import rattled_copper, written_deck

from snap_al.descriptors import ReferencePotential
from snap_al.errors import InputError
from snap_al.fitsnap import read_deck, write_json
from snap_al.potential import read_snapcoeff

DECK = """
[BISPECTRUM]
numTypes = 1
twojmax = 4
rcutfac = 4.5
type = Cu
bzeroflag = 0
[ESHIFT]
Cu = 0.25
[SOLVER]
solver = SVD
nsam = 7
[PATH]
dataPath = JSON
[OUTFILE]
metrics = metrics.csv
metrics_style = CSV
potential = Cu_pot
truth = b.npy
[REFERENCE]
pair_style = hybrid/overlay zero 10.0 zbl 2.0 2.5
pair_coeff1 = * * zero
pair_coeff2 = * * zbl 29 29
[GROUPS]
group_sections = name training_size testing_size eweight fweight vweight
group_types = str float float float float float
warm = 0.75 0.25 100 1 1.0e-8
[EXTRAS]
dump_descriptors = 1
dump_truth = 1
dump_weights = 1
"""


@pytest.fixture
def deck(tmp_path):
    return written_deck(tmp_path, DECK, write_json)


def fit(deck, out, *more, ranks=1):
    done = snap_al("fit", deck, "--out", out, "--json", *more, ranks=ranks)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout), done.stderr


@pytest.mark.parametrize("ranks", [1, 2])
def test_everything_that_a_deck_asks_for(deck, tmp_path, ranks):
    tables, _ = fit(deck, tmp_path / "out", ranks=ranks)
    assert tables["training"]["energy"]["n"] == 6
    assert tables["test"]["forces"]["n"] == 2 * 12
    out = tmp_path / "out"
    mean, covariance, samples = (
        np.load(out / f"{n}.npy") for n in ("mean", "covariance", "samples")
    )
    assert mean.shape == (15,)
    assert covariance.shape == (15, 15)
    assert samples.shape == (7, 15)
    a, b, w, index = (
        np.load(out / n) for n in ("Descriptors.npy", "b.npy", "Weights.npy", "row_index.npy")
    )
    assert a.shape == (6 * 19, 15)
    first, table = (out / "metrics.csv").read_text().splitlines()[:2]
    assert first == "Group,Weighting,Subsystem,ncount,mae,rmse,rsq"
    assert "warm,Weighted,Testing_Force,24," in (out / "metrics.csv").read_text()
    energies = index["kind"] == 0
    assert table.startswith("*ALL,Unweighted,Energy,6,")
    assert float(table.split(",")[4]) == pytest.approx(
        np.abs(a @ mean - b)[energies].mean(), abs=2e-8
    )
    assert (w[energies] == 100).all()
    np.testing.assert_allclose(
        read_snapcoeff(out / "Cu_pot.snapcoeff", read_deck(deck).settings), mean, rtol=1e-15
    )


@pytest.mark.parametrize("ranks", [1, 2])
def test_one_bad_file_does_not_lose_the_others(deck, tmp_path, ranks):
    """Cut off, coincident atoms, an unknown element: named with file and group, and with --strict
    fatal.
    """
    folder = deck.parent / "JSON" / "warm"
    whole = (folder / "0.json").read_text()
    (folder / "0.json").write_text(whole[:400])
    content = json.loads((folder / "1.json").read_text())
    content["Dataset"]["Data"][0]["Positions"] = [[0.0, 0.0, 0.0]] * 4
    (folder / "1.json").write_text(json.dumps(content))
    (folder / "2.json").write_text((folder / "2.json").read_text().replace('"Cu"', '"Au"'))
    tables, said = fit(deck, tmp_path / "out", ranks=ranks)
    assert tables["training"]["energy"]["n"] == 3
    for name, reason in (
        ("0.json", "no FitSNAP JSON"),
        ("1.json", "coincide"),
        ("2.json", "Au has no type"),
    ):
        (line,) = [x for x in said.splitlines() if name in x]
        assert reason in line
        assert "warm" in line
        assert line.startswith("warning: left out:")
    assert len(json.loads((tmp_path / "out" / "metrics.json").read_text())["warnings"]) == 3
    done = snap_al("fit", deck, "--out", tmp_path / "strict", "--strict", ranks=ranks)
    assert done.returncode == 2
    assert done.stderr.count("error:") == 1
    assert "0.json" in done.stderr
    assert not (tmp_path / "strict").exists()


def test_an_isolated_atom_and_stress_in_kilobar_are_noticed(deck, tmp_path):
    folder = deck.parent / "JSON" / "warm"
    for k in range(8):
        text = (folder / f"{k}.json").read_text()
        (folder / f"{k}.json").write_text(
            text.replace('"StressStyle": "bar"', '"StressStyle": "kbar"')
        )
    content = json.loads((folder / "0.json").read_text())
    data = content["Dataset"]["Data"][0]
    data |= {
        "Positions": [[0.0, 0.0, 0.0]],
        "AtomTypes": ["Cu"],
        "NumAtoms": 1,
        "Forces": [[0.0, 0.0, 0.0]],
    }
    data |= {"Lattice": [[20.0, 0, 0], [0, 20.0, 0], [0, 0, 20.0]], "Stress": [[0.0] * 3] * 3}
    (folder / "0.json").write_text(json.dumps(content))
    deck.write_text(DECK.replace("1 1.0e-8", "1 1.0e-12"))
    _, said = fit(deck, tmp_path / "out")
    assert "0.json, group warm: no atom has a neighbour within the cutoff" in said
    assert "stresses are about" in said
    assert "times larger" in said
    done = snap_al("fit", deck, "--out", tmp_path / "strict", "--strict")
    assert done.returncode == 2
    assert "stresses are about" in done.stderr


def test_dumps_have_the_rows_that_were_asked_for(deck, tmp_path):
    deck.write_text(DECK + "dump_dataframe = 1\n[CALCULATOR]\nstress = 0\n")
    fit(deck, tmp_path / "out", ranks=2)
    a, b = np.load(tmp_path / "out" / "Descriptors.npy"), np.load(tmp_path / "out" / "b.npy")
    assert a.shape == (6 * 13, 15)
    assert np.isfinite(b).all()
    pandas = pytest.importorskip("pandas")
    table = pandas.read_pickle(tmp_path / "out" / "FitSNAP.df")
    np.testing.assert_array_equal(table.iloc[:, :15].to_numpy(), a)
    assert set(table["Row_Type"]) == {"Energy", "Force"}


def test_a_second_fit_computes_nothing(deck, tmp_path):
    """Other weights, the same rows: no descriptors are computed, and the result is that of a fit
    from nothing.
    """
    fit(deck, tmp_path / "out")
    files = {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "descriptors").rglob("*.npz")}
    assert len(files) == 8
    deck.write_text(DECK.replace("0.25 100 1", "0.25 300 1"))
    again, _ = fit(deck, tmp_path / "out")
    assert {
        p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "descriptors").rglob("*.npz")
    } == files
    fresh, _ = fit(deck, tmp_path / "fresh", "--no-cache")
    assert not (tmp_path / "fresh" / "descriptors").exists()
    assert again == fresh


@pytest.mark.parametrize("ranks", [1, 2])
def test_more_rows_than_memory(deck, tmp_path, ranks):
    """[MEMORY] memory of a few bytes: rows go to files; the same fit, bit for bit."""
    expected, _ = fit(deck, tmp_path / "memory", ranks=ranks)
    deck.write_text(DECK + "[MEMORY]\nmemory = 1000\n")
    found, said = fit(deck, tmp_path / "files", ranks=ranks)
    (note,) = found.pop("notes")
    assert expected.pop("notes") == []
    assert found == expected
    assert "larger than memory" in note
    assert f"note: {note}" in said
    same = [(tmp_path / n / "Cu_pot.snapcoeff").read_bytes() for n in ("memory", "files")]
    assert same[0] == same[1]
    deck.write_text(DECK + "[MEMORY]\nmemory = 1000\noverride = 1\n")
    assert "larger than memory" not in fit(deck, tmp_path / "override", ranks=ranks)[1]


def test_a_published_potential_as_prior_mean(deck, tmp_path):
    """With one configuration the fit stays near the prior's mean where that configuration says
    nothing.
    """
    fit(deck, tmp_path / "whole")
    deck.write_text(DECK.replace("warm = 0.75 0.25", "warm = 0.1 0.9"))
    prior = tmp_path / "whole" / "Cu_pot.snapcoeff"
    config = tmp_path / "few.yaml"
    config.write_text("fitsnap: Cu.in\nfit: {prior_precision: 1.0}\n")
    alone, _ = fit(config, tmp_path / "alone")
    helped, _ = fit(config, tmp_path / "helped", "--prior", prior)
    assert helped["test"]["forces"]["rmse"] < 0.5 * alone["test"]["forces"]["rmse"]
    config.write_text(
        "fitsnap: Cu.in\nfit: {prior_precision: 1.0}\nprior_mean: whole/Cu_pot.snapcoeff\n"
    )
    assert fit(config, tmp_path / "named")[0] == helped
    settings = read_deck(deck).settings
    with pytest.raises(InputError, match=r"twojmax is 4 there and 6 here"):
        read_snapcoeff(prior, settings.model_copy(update={"twojmax": (6,)}))
    with pytest.raises(InputError, match="bzeroflag is 0 there and 1 here"):
        read_snapcoeff(prior, settings.model_copy(update={"bzeroflag": True}))
    (tmp_path / "cut.snapcoeff").write_text(prior.read_text()[:300])
    assert (
        "no .snapcoeff for Cu"
        in snap_al("fit", deck, "--prior", tmp_path / "cut.snapcoeff", cwd=tmp_path).stderr
    )


def test_databases_and_stated_units(tmp_path):
    """An ASE database, once in ASE's units and once in others with its units stated: the same fit.
    `REF_*` too.
    """
    frames = [rattled_copper(k, repeat=1).to_atoms() for k in range(4)]
    with (
        ase.db.connect(tmp_path / "plain.db") as plain,
        ase.db.connect(tmp_path / "ref.db") as reference,
    ):
        for atoms in frames:
            plain.write(atoms)
            bare = atoms.copy()
            reference.write(
                bare,
                key_value_pairs={"REF_energy": atoms.get_potential_energy() / 27.211386024367243},
                data={"REF_forces": atoms.get_forces() / 27.211386024367243},
            )
    base = "descriptor: {elements: [Cu], twojmax: 4, rcutfac: 4.5}\n"
    (tmp_path / "plain.yaml").write_text(base + "training: [{path: plain.db}]\n")
    (tmp_path / "ref.yaml").write_text(base + "training: [{path: ref.db, units: {energy: Ha}}]\n")
    one, other = (
        fit(tmp_path / f"{n}.yaml", tmp_path / n)[0]["training"] for n in ("plain", "ref")
    )
    for kind in ("energy", "forces"):
        assert one[kind]["rmse"] == pytest.approx(other[kind]["rmse"], rel=1e-6)


def test_a_charged_reference_potential(deck, tmp_path):
    """Charges from the JSON files; without them each file is named and the fit refused."""
    charged = DECK.replace("[REFERENCE]", "[REFERENCE]\natom_style = charge").replace(
        "zbl 2.0 2.5", "coul/dsf 0.2 4.0"
    )
    charged = charged.replace("pair_coeff2 = * * zbl 29 29", "pair_coeff2 = * * coul/dsf")
    deck.write_text(charged)
    assert "no charges, which atom_style charge needs" in snap_al("fit", deck, cwd=tmp_path).stderr
    for path in (deck.parent / "JSON" / "warm").glob("*.json"):
        content = json.loads(path.read_text())
        content["Dataset"]["Data"][0]["Charges"] = [[0.1], [-0.1], [0.1], [-0.1]]
        path.write_text(json.dumps(content))
    tables, _ = fit(deck, tmp_path / "out")
    assert tables["training"]["forces"]["rmse"] < 0.5
    stored = json.loads((tmp_path / "out" / "descriptor.json").read_text())["reference"]
    assert ReferencePotential(
        **{k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()}
    ).moments == ("q",)


def test_slab_and_cluster_are_fitted(tmp_path):
    """Open boundaries in extended XYZ; forces only, and energies."""
    frames = []
    for k in range(4):
        c = rattled_copper(k, repeat=2)
        atoms = c.to_atoms()
        atoms.pbc = (True, True, k % 2 == 0) if k < 2 else False
        atoms.calc.results.pop("stress")
        frames.append(atoms)
    ase.io.write(tmp_path / "open.extxyz", frames, format="extxyz")
    (tmp_path / "fit.yaml").write_text(
        "descriptor: {elements: [Cu], twojmax: 4, rcutfac: 4.5}\ntraining: [{path: open.extxyz}]\n"
    )
    tables, _ = fit(tmp_path / "fit.yaml", tmp_path / "out")
    assert tables["training"]["energy"]["n"] == 4
