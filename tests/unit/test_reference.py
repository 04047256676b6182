"""snap_al.descriptors.reference: the lines of a reference potential, in rows and in the files that
are written."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.samples import COPPER, rattled_copper

from snap_al.config import load_config, validate_config
from snap_al.data import LabelledConfiguration, Weights
from snap_al.descriptors import DescriptorEngine, ReferencePotential, SnapSettings
from snap_al.errors import InputError
from snap_al.fitsnap import export as write_training_set
from snap_al.loop import read_inputs
from snap_al.sessions.library import load_lammps


def test_single_style_becomes_an_overlay():
    lines = ReferencePotential.parse(["pair_style zbl 3.5 4.0", "pair_coeff * * 42 42"]).with_zero(
        4.6
    )
    assert lines == [
        "pair_style hybrid/overlay zbl 3.5 4.0 zero 4.6",
        "pair_coeff * * zbl 42 42",
        "pair_coeff * * zero",
    ]


def test_overlay_as_in_a_fitsnap_deck():
    lines = [
        "units metal",
        "atom_style atomic",
        "pair_style hybrid/overlay zero 10.0 zbl 4.0 4.8",
        "pair_coeff * * zero",
        "pair_coeff * * zbl 73 73",
    ]
    reference = ReferencePotential.parse(lines)
    assert reference.styles == ("zero 10.0", "zbl 4.0 4.8")
    assert reference.with_zero(4.6)[0] == "pair_style hybrid/overlay zbl 4.0 4.8 zero 4.6"
    assert reference.commands(("snap", ("a b Ta",)))[-1] == "pair_coeff * * snap a b Ta"


def test_hybrid_with_one_style_for_each_pair_is_an_overlay():
    lines = [
        "pair_style hybrid zbl 3 4 morse 5.0",
        "pair_coeff 1 1 zbl 29 29",
        "pair_coeff 1 2 morse 1 1 2",
    ]
    assert ReferencePotential.parse(lines).styles == ("zbl 3 4", "morse 5.0")
    with pytest.raises(InputError, match="use hybrid/overlay"):
        ReferencePotential.parse([*lines, "pair_coeff 2 1 zbl 29 29"])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["units real"], "only `units metal`"),
        (["atom_style granular"], "not supported; there are"),
        (["pair_coeff * * 1 1"], "without a pair_style"),
        (["fix 1 all nve"], "expected one pair_style"),
        (["pair_style hybrid zbl 3 4", "pair_coeff * * zbl 1 1"], "use hybrid/overlay"),
        (["pair_style hybrid/overlay zbl 3 4"], "no pair_coeff"),
    ],
)
def test_refused(lines, message):
    with pytest.raises(InputError, match=message):
        ReferencePotential.parse(lines)


AU_CU = ("Au", "Cu")


def zbl(*pairs):
    return ["pair_style zbl 2.0 2.5", *(f"pair_coeff {p}" for p in pairs)]


@pytest.mark.parametrize(
    "lines",
    [
        zbl("Cu Cu 29 29", "Cu Au 29 79", "Au Au 79 79"),
        zbl("Au * 79 79", "Au Cu 79 29", "2 Cu 29 29"),
        [
            "pair_style hybrid/overlay zbl 2.0 2.5",
            "pair_coeff Au Au zbl 79 79",
            "pair_coeff Cu Au zbl 29 79",
            "pair_coeff Cu Cu zbl 29 29",
        ],
        [
            "pair_style hybrid zbl 2.0 2.5",
            "pair_coeff Au Au zbl 79 79",
            "pair_coeff Cu Au zbl 29 79",
            "pair_coeff Cu Cu zbl 29 29",
        ],
    ],
)
def test_lines_may_name_elements(lines):
    reference = ReferencePotential.parse(lines, AU_CU)
    found = {types: arguments for types, _, arguments in reference.coefficients}
    assert (found.get("1 1", "79 79"), found["1 2"], found["2 2"]) == ("79 79", "79 29", "29 29")
    assert all(style == "zbl" for _, style, _ in reference.coefficients)


@pytest.mark.parametrize(
    ("lines", "elements", "message"),
    [
        (
            zbl("1 1 29 29", "1 2 29 79", "2 2 79 79"),
            AU_CU,
            r"charges 29 and 29 for types 1 and 1, which are Au Au.* \[Au, Cu\].* pair_coeff 1 1 "
            r".* 79 79",
        ),
        (zbl("* * 29 29"), AU_CU, "which are Au Au"),
        (zbl("* * 79 79"), AU_CU, "which are Au Cu.* Expected: pair_coeff 1 2 .* 79 29"),
        (zbl("1* 1* 79 79", "1 2 79 29"), AU_CU, "which are Cu Cu"),
        (zbl("1 1*2 79 79", "2 2 29 29"), AU_CU, "which are Au Cu"),
        (zbl("Au Au 79 79", "Au Cu 79 28", "Cu Cu 29 29"), AU_CU, "charges 79 and 28"),
        (zbl("1 1 42.6 42.6"), ("Mo",), "charges 42.6"),
        (zbl("Fe Au 26 79"), AU_CU, "Fe is neither a type nor one of the elements Au, Cu"),
        (zbl("cu Au 29 79"), AU_CU, "cu is neither.* did you mean 'Cu'"),
        (
            [
                "pair_style hybrid/overlay zbl 2 3 zbl 1 2",
                "pair_coeff * * zbl 1 42 42",
                "pair_coeff * * zbl 2 41 41",
            ],
            ("Mo",),
            "charges 41",
        ),
        (["pair_style zbl/omp 2 3", "pair_coeff * * 41 41"], ("Mo",), "charges 41"),
        (
            ["pair_style eam/alloy", "pair_coeff * * a.eam.alloy Cu Au"],
            AU_CU,
            "Cu for type 1, which is Au.* Expected: … Au Cu",
        ),
        (
            ["pair_style meam", "pair_coeff * * library.meam Cu Au a.meam Cu Au"],
            AU_CU,
            "Cu for type 1",
        ),
        (["pair_style sw/kk", "pair_coeff * * a.sw Ge"], ("Si",), "Ge for type 1, which is Si"),
        (
            [
                "pair_style hybrid/overlay tersoff zbl 1 2",
                "pair_coeff * * tersoff a.tersoff NULL C",
                "pair_coeff * * zbl 14 14",
            ],
            ("Si", "Ge"),
            "C for type 2, which is Ge.* Expected: … NULL Ge",
        ),
    ],
)
def test_lines_for_another_element_are_refused(lines, elements, message):
    with pytest.raises(InputError, match=message):
        ReferencePotential.parse(lines, elements)


@pytest.mark.parametrize(
    ("lines", "elements"),
    [
        (
            zbl("* * 79 79", "1 2 79 29", "2 2 29 29"),
            AU_CU,
        ),  # the last line of a pair is the one that counts
        (zbl("1 1 79 79", "1 2 29 79", "2 2 29 29"), AU_CU),  # zbl is the same in both orders
        (zbl("* * 42.3 41.7"), ("Mo",)),
        (["pair_style sw", "pair_coeff * * water.sw mW"], ("O",)),  # a name that is no element
        (["pair_style eam/alloy", "pair_coeff * * a.eam.alloy Au Cu"], AU_CU),
        (
            [
                "pair_style hybrid/overlay eam/alloy zbl 1 2",
                "pair_coeff * * eam/alloy a.eam.alloy NULL Cu",
                "pair_coeff 1 1 zbl 79 79",
            ],
            AU_CU,
        ),
        (["pair_style table linear 1000", "pair_coeff * * a.table K"], ("Cu",)),
        (["pair_style morse 5.0", "pair_coeff Au Cu 0.3 1.0 2.5"], AU_CU),
        (["pair_style zbl 1 2", "pair_coeff * * 1"], ("Cu",)),  # LAMMPS refuses it
    ],
)
def test_lines_that_say_nothing_else_are_taken(lines, elements):
    ReferencePotential.parse(lines, elements)


def test_a_file_of_another_element_is_refused(tmp_path):
    """The header of plain eam files has the atomic number."""
    path = tmp_path / "Cu.eam"
    path.write_text("Cu, made for a test\n29 63.55 3.615 fcc\n")
    lines = ["pair_style eam", f"pair_coeff 2 2 {path}"]
    ReferencePotential.parse(lines, AU_CU)
    with pytest.raises(InputError, match="atomic number 29 for type 2, which is Ag"):
        ReferencePotential.parse(lines, ("Cu", "Ag"))


def test_names_and_types_are_the_same_potential(alloy):
    """Whatever the order of the elements, energies and forces of LAMMPS are those of the alloy."""
    found = []
    for elements, pairs in (
        (("Cu", "Ag"), ("1 1 29 29", "1 2 29 47", "2 2 47 47")),
        (("Ag", "Cu"), ("Cu Cu 29 29", "Cu Ag 29 47", "Ag Ag 47 47")),
    ):
        settings = SnapSettings(elements=elements, twojmax=2, rcutfac=4.0)
        with DescriptorEngine(settings, ReferencePotential.parse(zbl(*pairs), elements)) as engine:
            found.append(engine.rows(alloy).reference)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-10, atol=1e-10)
    assert np.abs(found[0]).max() > 1e-3


def test_a_wildcard_with_two_stars_is_no_type():
    with pytest.raises(InputError, match=r"\*\*"):
        ReferencePotential.parse(["pair_style zbl 3 4", "pair_coeff * ** 29 29"], ("Au", "Cu"))


@pytest.mark.parametrize("place", ["config", "deck", "working", "lammps"])
def test_files_are_looked_for_beside_the_config_first(tmp_path, monkeypatch, place):
    """Each of these places is where it is when those before it have none."""
    load_lammps()
    shipped = Path(os.environ["LAMMPS_POTENTIALS"])
    (tmp_path / "decks").mkdir()
    (tmp_path / "working").mkdir()
    monkeypatch.chdir(tmp_path / "working")
    places = {"config": tmp_path, "deck": tmp_path / "decks", "working": tmp_path / "working"}
    folders = (tmp_path, tmp_path / "decks", Path())
    name = "Cu_u3.eam" if place == "lammps" else "mine.eam"
    for folder in list(places.values())[[*places, "lammps"].index(place) :]:
        shutil.copy(shipped / "Cu_u3.eam", folder / name)
    lines = ["pair_style eam", f"pair_coeff 1 1 {name}"]
    reference = ReferencePotential.parse(lines, ("Cu",), folders)
    found = [path.resolve() for path in reference.files()]
    assert found == ([] if place == "lammps" else [places[place] / name])
    with DescriptorEngine(COPPER, reference) as engine:
        assert np.isfinite(engine.rows(rattled_copper(1, repeat=1)).values).all()


def test_where_a_file_was_looked_for_is_said(tmp_path):
    """By a config, from another working directory."""
    (tmp_path / "c.yaml").write_text(
        "descriptor: {elements: [Cu], twojmax: 2, rcutfac: 4.0}\n"
        'reference: ["pair_style eam", "pair_coeff 1 1 none.eam"]\n'
    )
    config = load_config(tmp_path / "c.yaml")
    inputs = read_inputs(config)
    with (
        DescriptorEngine(config.descriptor, inputs.reference) as engine,
        pytest.raises(InputError) as caught,
    ):
        engine.rows(rattled_copper(1, repeat=1))
    shipped = os.environ["LAMMPS_POTENTIALS"]
    places = f"none.eam: looked for in {tmp_path}, {Path.cwd()}, {shipped}"
    assert places in str(caught.value)
    (tmp_path / "none.eam").write_text("Cu\n47 107.9 4.09 fcc\n")
    with pytest.raises(InputError, match="atomic number 47 for type 1, which is Cu"):
        read_inputs(config)


def test_an_exported_deck_has_the_files_beside_it(tmp_path, monkeypatch):
    """FitSNAP looks in its working directory, where the deck is."""
    load_lammps()
    shipped = Path(os.environ["LAMMPS_POTENTIALS"])
    (tmp_path / "config").mkdir()
    shutil.copy(shipped / "Cu_u3.eam", tmp_path / "config" / "mine.eam")
    lines = ["pair_style eam", "pair_coeff 1 1 mine.eam"]
    reference = ReferencePotential.parse(lines, ("Cu",), (tmp_path / "config",))
    items = [LabelledConfiguration(rattled_copper(1, repeat=1), Weights(1, 1, 1), "one")]
    deck = write_training_set(items, COPPER, reference, tmp_path / "out")
    assert (tmp_path / "out" / "mine.eam").read_bytes() == (shipped / "Cu_u3.eam").read_bytes()
    config = validate_config({"fitsnap": "export.in"}, deck)
    assert read_inputs(config).reference.files() == [tmp_path / "out" / "mine.eam"]
