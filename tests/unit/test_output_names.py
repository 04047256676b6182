"""snap_al.data.output_names: Names of outputs that come from input: inside the output folder, none
of our own, and refused before anything is computed.
"""

from dataclasses import replace

import numpy as np
import pytest
from helpers.calls import snap_al
from helpers.samples import rattled_copper, written_deck

from snap_al.data import LabelledConfiguration, Weights
from snap_al.data.output_names import check_output_name
from snap_al.descriptors import ReferencePotential, SnapSettings
from snap_al.errors import InputError
from snap_al.fitsnap import export, read_deck
from snap_al.fitsnap.json_files import write_json
from snap_al.tasks.fit import fit

DECK = """[BISPECTRUM]
numTypes = 1
twojmax = 2
rcutfac = 4.5
type = Cu
[CALCULATOR]
calculator = LAMMPSSNAP
stress = 0
[SCRAPER]
scraper = JSON
[PATH]
dataPath = JSON
[OUTFILE]
{outfile}
[REFERENCE]
{reference}
[GROUPS]
group_sections = name training_size testing_size eweight fweight vweight
group_types = str float float float float float
warm = 1.0 0.0 100 1 0
[EXTRAS]
dump_truth = 1
dump_weights = 1
"""


def deck(folder, outfile="", reference="pair_style = zero 10.0"):
    folder.mkdir(exist_ok=True)
    return written_deck(folder, DECK.format(outfile=outfile, reference=reference), write_json)


PATHS = ["../x", "/tmp/x", "a/b", "./x", "..", ".", "a/../../x", "x/", ""]
NOT_PLAIN = [
    "a b",
    ".hidden",
    "-rf",
    "a\n  shell touch x",
    "a$b",
    'a"b',
    "a*",
    "ü",
    "~/x",
    "x" * 300,
    "a;b",
    "a&b",
    "a\tb",
    "{}",
]
OWN = [
    "metrics.json",
    "posterior.npz",
    "predictions.npz",
    "descriptor.json",
    "mean.npy",
    "covariance.npy",
    "samples.npy",
    "row_index.npy",
    "RandomSamplingSeed.txt",
    "journal.jsonl",
    "config.yaml",
    "run.log",
    "report.html",
    "descriptors",
    "labels",
    "figures",
    "fits",
    "METRICS.json",
    "JSON",
]


@pytest.mark.parametrize("key", ["metrics", "potential", "truth", "weights"])
@pytest.mark.parametrize("name", [*PATHS, *NOT_PLAIN, *OWN])
def test_refused_by_deck_key_value_and_what_to_write_instead(tmp_path, key, name):
    source = tmp_path / "Cu.in"  # without any data: nothing is read before names are looked at
    source.write_text(DECK.format(outfile=f"{key} = {name}", reference="pair_style = zero 10.0"))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(
        InputError,
        match=rf"Cu\.in: \[OUTFILE\] {key} = .*(write a name such as '\w|take another name)",
    ):
        fit(source, tmp_path / "out")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("outfile", "message"),
    [
        (
            "metrics = Cu.mod\npotential = Cu",
            r"potential = Cu: Cu\.mod is also written for .*metrics = Cu\.mod",
        ),
        ("metrics = cu.SNAPCOEFF\npotential = Cu", "is also written for"),
        (
            "truth = t.npy\nweights = t.npy",
            "weights = t.npy: t.npy is also written for .*truth = t.npy",
        ),
        ("potential = Cu_variance", "take another name"),
        ("metrics = Cu_std.mod\npotential = Cu", "is also written for"),
    ],
)
def test_two_outputs_of_one_name(tmp_path, outfile, message):
    with pytest.raises(InputError, match=message):
        fit(deck(tmp_path / "in", outfile), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_neither_the_deck_nor_a_folder_is_replaced(tmp_path):
    source = deck(tmp_path / "in", "metrics = Cu.in")
    with pytest.raises(
        InputError, match=r"Cu\.in: is the deck itself; take another name, or another --out"
    ):
        fit(source, tmp_path / "in")
    source.write_text(source.read_text().replace("metrics = Cu.in", "metrics = table"))
    (tmp_path / "out" / "table").mkdir(parents=True)
    with pytest.raises(InputError, match="table is a folder"):
        fit(source, tmp_path / "out")


def test_names_of_published_decks_are_taken(tmp_path):
    fit(
        deck(tmp_path / "in", "metrics = Cu_metrics.md\npotential = Cu-pot.2024+b"),
        tmp_path / "out",
    )
    assert {"Cu_metrics.md", "Cu-pot.2024+b.snapcoeff", "metrics.json", "Truth-Ref.npy"} <= {
        p.name for p in (tmp_path / "out").iterdir()
    }


def test_the_advice_is_a_name_that_is_taken():
    for name in (*PATHS, *NOT_PLAIN):
        with pytest.raises(InputError) as raised:
            check_output_name(name, "x")
        check_output_name(str(raised.value).split("write a name such as '")[1].split("'")[0], "x")


def test_on_the_command_line(tmp_path):
    done = snap_al(
        "fit", deck(tmp_path / "in", "potential = ../../x"), "--out", tmp_path / "a" / "b"
    )
    assert done.returncode == 2
    assert "[OUTFILE] potential = ../../x: is a path, where FitSNAP would write" in " ".join(
        done.stderr.split()
    )
    assert not (tmp_path / "a").exists()


def test_a_file_of_the_reference_potential_with_a_name_of_our_own(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "posterior.npz").write_text("1\n")
    lines = f"pair_style = eam\npair_coeff1 = * * {tmp_path}/in/posterior.npz"
    with pytest.raises(InputError, match="this name is one of its own; rename the file"):
        fit(deck(tmp_path / "in", reference=lines), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_groups_become_folders_of_their_own(tmp_path):
    """Whatever their names are: none leaves the folder, none is too long, and no two become one."""
    groups = [
        "../x",
        "slab [clean]",
        "slab (clean)",
        "Slab (clean)",
        "..",
        "/etc",
        "a\nb = 1",
        "x" * 300,
        "x" * 299 + "y",
        "ü",
        "",
    ]
    settings = SnapSettings(elements=("Cu",), twojmax=2, rcutfac=4.5)
    item = LabelledConfiguration(rattled_copper(1, repeat=1), Weights(1.0, 1.0, 1.0))
    items = [
        replace(item, group=g, weights=Weights(float(n), 1.0, 1.0)) for n, g in enumerate(groups, 1)
    ]
    found = read_deck(export(items, settings, ReferencePotential(), tmp_path / "out"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["JSON", "export.in"]
    assert np.array_equal(sorted(g.eweight for g in found.groups), np.arange(1.0, len(groups) + 1))
    assert {p.name for p in (tmp_path / "out" / "JSON").iterdir()} == {g.name for g in found.groups}
