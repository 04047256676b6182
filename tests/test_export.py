"""snap_al.fitsnap.export: What a run bought, out to FitSNAP and back: FitSNAP fits it, and its fit
is ours.
"""

import numpy as np
import pytest
from helpers.calls import snap_al
from helpers.samples import small_config

from snap_al.config import read_run
from snap_al.data.counts import by_source
from snap_al.fitsnap import read_deck, scrape
from snap_al.loop import RunDirectory
from snap_al.potential import read_snapcoeff
from snap_al.tasks.run_labels import labels_of_run

pytest.importorskip("fitsnap3lib", reason="pip install 'snap_al[fitsnap]'")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    reference = "reference: ['pair_style zbl 2.0 2.5', 'pair_coeff * * 29 29']"
    config = small_config(folder, reference=reference)
    assert snap_al("run", config, "--out", folder / "run").returncode == 0
    done = snap_al("export", folder / "run", "--out", folder / "out")
    assert done.returncode == 0, done.stderr
    assert "configurations and" in done.stdout
    return folder


def test_groups_and_deck(exported):
    items, left_out = scrape(read_deck(exported / "out" / "export.in"))
    assert not left_out
    labels = list((exported / "run" / "labels").glob("*.json"))
    assert len(items) == len(labels)
    assert {item.group for item in items} <= {
        "start",
        "walker_0",
        "start_damped",
        "walker_0_damped",
    }


def test_labels_of_a_run_are_counted(exported):
    """As `snap-al tune` does, which reads them."""
    run = RunDirectory(exported / "run")
    config, _, state = read_run(run.root)
    (found,) = by_source("training", labels_of_run(run, config, state))
    assert (found.file, found.frames) == (str(run.labels), len(state.labelled))
    assert found.energies == len(state.labelled) > 0


def test_fitsnap_fits_it_and_reads_our_files(exported, tmp_path, fitsnap):
    """FitSNAP runs the exported deck; its coefficients predict what ours do; `lmp` and FitSNAP read
    the files.
    """
    deck = exported / "out" / "export.in"
    theirs = fitsnap.fitted(deck, tmp_path, ours=True)
    assert snap_al("fit", deck, "--out", tmp_path / "ours").returncode == 0
    ours = read_snapcoeff(tmp_path / "ours" / "potential.snapcoeff", read_deck(deck).settings)
    for kind in ("Energy", "Force", "Stress"):
        here = theirs["kinds"] == kind
        one, other = theirs["a"][here] @ ours, theirs["a"][here] @ theirs["fit"]
        assert np.abs(one - other).max() <= 1e-6 * np.std(other), kind
    # written by FitSNAP from our solver's fit, read back by us; and written by us, read by FitSNAP
    again = read_snapcoeff(tmp_path / "potential.snapcoeff", read_deck(deck).settings)
    np.testing.assert_allclose(again, theirs["ours"], rtol=1e-9)
    read = fitsnap.read(deck, tmp_path, tmp_path / "ours" / "potential")
    np.testing.assert_allclose(read, ours[1:], rtol=1e-9)


def test_exporting_again_leaves_nothing_of_before(exported, tmp_path):
    out = exported / "out"
    before = sorted(p.relative_to(out) for p in out.rglob("*.json"))
    stale = out / "JSON" / "start" / "99999.json"
    stale.write_text("{}")
    assert snap_al("export", exported / "run", "--out", out).returncode == 0
    assert sorted(p.relative_to(out) for p in out.rglob("*.json")) == before
    (tmp_path / "JSON").mkdir()
    assert "not from an export" in snap_al("export", exported / "run", "--out", tmp_path).stderr


def test_no_run_and_no_labels(tmp_path):
    done = snap_al("export", tmp_path)
    assert done.returncode == 2
    assert "no run here" in done.stderr
