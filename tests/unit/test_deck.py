"""snap_al.fitsnap.deck: Decks: every key followed or refused; JSON as FitSNAP writes it, and
damaged.
"""

import json
from dataclasses import replace

import ase.io
import numpy as np
import pytest
from ase import units
from helpers.samples import DECK, orthogonal, rattled_copper, written_deck

import snap_al as sa
from snap_al.config import load_config, validate_config
from snap_al.data import Label, voigt
from snap_al.errors import InputError
from snap_al.fitsnap import Group, read_deck, read_json, scrape, write_json
from snap_al.fitsnap.scrape import group_sizes
from snap_al.loop import read_inputs
from snap_al.units import ASE_STRESS_TO_ROWS


def fitsnap_json(configuration):
    s = configuration.label.stress * ASE_STRESS_TO_ROWS
    data = {
        "Lattice": configuration.cell.tolist(),
        "Positions": configuration.positions.tolist(),
        "AtomTypes": list(configuration.species),
        "NumAtoms": len(configuration),
        "Energy": configuration.label.energy,
        "Forces": configuration.label.forces.tolist(),
        "Stress": [[s[0], s[5], s[4]], [s[5], s[1], s[3]], [s[4], s[3], s[2]]],
    }
    content = {"Dataset": {"Data": [data], "StressStyle": "bar", "EnergyStyle": "electronvolt"}}
    return "# a comment line\n" + json.dumps(content)


@pytest.fixture
def deck(tmp_path):
    return written_deck(tmp_path, DECK, fitsnap_json)


def test_a_deck_is_read(deck):
    found = read_deck(deck)
    assert found.settings.elements == ("Cu",)
    assert (found.potential, found.metrics) == ("Cu_pot", "metrics.md")
    items, left_out = scrape(found)
    assert not left_out
    assert [s.testing for s in items] == [False] * 4 + [True] * 2
    first, truth = items[0].configuration, rattled_copper(0, repeat=1)
    assert first.label.energy == pytest.approx(truth.label.energy + 4 * 0.25)
    np.testing.assert_allclose(first.label.forces, truth.label.forces)
    np.testing.assert_allclose(first.label.stress, truth.label.stress, rtol=1e-12)
    assert items[0].weights.stress == 1e-8


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rcutfac", "rcutfacc", r"\[BISPECTRUM\] rcutfacc: unknown key; did you mean 'rcutfac'"),
        (
            "[ESHIFT]",
            "[ESHFT]",
            r"\[ESHFT\]: unknown or unsupported section; did you mean 'ESHIFT'",
        ),
        ("bzeroflag = 0", "bzeroflag = maybe", "expected 0 or 1"),
        (
            "bzeroflag = 0",
            "bikflag = 1",
            "bikflag = 1: would change the result and is not supported",
        ),
        ("bzeroflag = 0", "quadraticflag = 1\nchemflag = 1\nbnormflag = 1", "do not go together"),
        ("solver = SVD", "solver = RIDGE", "solver = RIDGE: not supported"),
        ("numTypes = 1", "numTypes = 2", "numTypes: is 2, and type names 1"),
        ("scraper = JSON", "scraper = ASE", "not supported"),
        ("100 1 1.0e-8", "100 1", r"\[GROUPS\] warm: 4 values"),
        ("100 1 1.0e-8", "many 1 1.0e-8", "'many' is no number"),
        ("100 1 1.0e-8", "nan 1 1.0e-8", "'nan' is not finite"),
        ("100 1 1.0e-8", "-100 1 1.0e-8", "eweight: is -100, and may not be negative"),
        ("twojmax = 4", "twojmax = 4.5", "no whole number"),
        ("numTypes = 1", "numTypes = one", "'one' is no number"),
        ("Cu = 0.25", "cu = 0.25", r"\[ESHIFT\] cu: is no type here; did you mean 'Cu'"),
        (
            "* * zbl 29 29",
            "Cu Cu zbl 29 29",
            r"\[REFERENCE\] pair_coeff2: Cu is no type; FitSNAP takes numbers",
        ),
        ("calculator = LAMMPSSNAP", "calculator = LAMMPSPACE", "LAMMPSPACE: not supported"),
        ("solver = SVD", "solver = MERR\nmerr_method = mcmc", "none of iid, abc, full"),
        ("solver = SVD", "solver = MERR\nmerr_cfs = B_1", "B_1 is no number"),
        ("type = Cu", "type = Xx", "no chemical symbol"),
        ("warm = 0.5 0.25 100 1 1.0e-8   # a comment", "", "no groups"),
    ],
)
def test_what_would_be_ignored_is_refused(deck, old, new, message):
    deck.write_text(DECK.replace(old, new))
    with pytest.raises(InputError, match=message):
        read_deck(deck)


def test_reference_lines_of_another_element_are_refused(deck):
    deck.write_text(DECK.replace("zbl 29 29", "zbl 79 79"))
    with pytest.raises(InputError, match="charges 79 and 79 for types 1 and 1, which are Cu Cu"):
        read_inputs(validate_config({"fitsnap": deck.name}, deck))


def test_groups_that_are_missing_or_empty(deck):
    deck.write_text(DECK + "cold = 1.0 0.0 1 1 1\n")
    with pytest.raises(InputError, match=r"\[GROUPS\] cold: no JSON files in"):
        scrape(read_deck(deck))


@pytest.mark.parametrize("damage", ["cut", "nan", "no forces", "outside types", "atoms"])
def test_damaged_json_names_file_and_group(deck, damage):
    path = deck.parent / "JSON" / "warm" / "0.json"
    text = path.read_text()
    content = json.loads(text[text.index("{") :])
    data = content["Dataset"]["Data"][0]
    if damage == "no forces":
        del data["Forces"]
    if damage == "outside types":
        data["AtomTypes"][0] = "Au"
    if damage == "atoms":
        data["AtomTypes"].pop()
    if damage == "nan":
        data["Forces"][0][0] = float("nan")
    path.write_text(text[:300] if damage == "cut" else json.dumps(content))
    with pytest.raises(InputError, match=r"0\.json"):
        scrape(read_deck(deck))
    items, left_out = scrape(read_deck(deck), strict=False)
    assert len(items) == 5
    assert len(left_out) == 1
    assert "0.json" in left_out[0]
    assert "group warm" in left_out[0]


def test_random_sampling_is_recorded_by_its_seed(deck):
    deck.write_text(DECK + "random_sampling = 1\nrandom_seed = 5\n")
    names = [[s.configuration.name for s in scrape(read_deck(deck))[0]] for _ in range(2)]
    assert names[0] == names[1]
    assert names[0] != sorted(names[0])


@pytest.mark.parametrize(
    ("training", "testing", "shares", "bare", "n", "expected"),
    [
        (1.0, 0.0, (True, True), False, 9, (9, 0)),
        (1, 0.0, (False, True), False, 9, (1, 0)),
        (0.5, 0.5, (True, True), False, 9, (5, 4)),
        (0.01, 0.0, (True, True), False, 9, (1, 0)),
        (5, 2, (False, False), False, 9, (5, 2)),
        (0.5, 0.0, (True, True), True, 9, (5, 4)),
    ],
)
def test_sizes_follow_fitsnaps_rules(deck, training, testing, shares, bare, n, expected):
    group = Group("g", training, testing, shares, bare, 1, 1, 1)
    assert group_sizes(group, n, read_deck(deck)) == expected


def test_stress_in_kilobar(deck):
    path = deck.parent / "JSON" / "warm" / "0.json"
    before = read_json(path).label.stress
    path.write_text(path.read_text().replace('"StressStyle": "bar"', '"StressStyle": "kB"'))
    np.testing.assert_allclose(read_json(path).label.stress, 1000 * before)


def test_a_run_config_takes_a_deck(deck):
    """Descriptor, reference, training set and weights from the deck; what the config says itself
    goes before.
    """
    config = deck.parent / "run.yaml"
    config.write_text("fitsnap: Cu.in\nfit: {posterior: bayes}\nstop: {max_labels: 7}\n")
    found = load_config(config)
    assert found.descriptor == read_deck(deck).settings
    assert found.fit.posterior == "bayes"
    inputs = read_inputs(found)
    assert (len(inputs.training), len(inputs.test)) == (4, 2)
    assert inputs.training[0].group == "warm"
    assert "zbl 2.0 2.5" in inputs.reference.styles
    config.write_text("fitsnap: none.in\n")
    with pytest.raises(InputError, match="no such deck"):
        load_config(config)


def test_cells_stand_in_lammps_axes(deck):
    """As FitSNAP turns them; stress too, whose components weigh differently in other axes. Also
    left-handed cells.
    """
    path = deck.parent / "JSON" / "warm" / "0.json"
    truth = rattled_copper(0, repeat=1)
    for mirror in (False, True):
        q = orthogonal(3, mirror)
        s = truth.label.stress
        turned = q.T @ np.array([[s[0], s[5], s[4]], [s[5], s[1], s[3]], [s[4], s[3], s[2]]]) @ q
        label = Label(truth.label.energy, truth.label.forces @ q, voigt(turned))
        path.write_text(
            write_json(
                replace(truth, cell=truth.cell @ q, positions=truth.positions @ q, label=label)
            )
        )
        found = scrape(read_deck(deck))[0][0].configuration
        np.testing.assert_allclose(found.cell, truth.cell, atol=1e-12)
        np.testing.assert_allclose(found.positions, truth.positions, atol=1e-12)
        np.testing.assert_allclose(found.label.forces, truth.label.forces, atol=1e-12)
        np.testing.assert_allclose(found.label.stress, truth.label.stress, atol=1e-12)


def test_sizes_that_leave_nothing(deck):
    deck.write_text(DECK.replace("warm = 0.5 0.25", "warm = 0.0 0.0"))
    with pytest.raises(InputError, match="sizes are all zero"):
        scrape(read_deck(deck))


def test_odd_texts(deck):
    deck.write_text(DECK.replace("potential = Cu_pot", "potential = 100%_Cu"))
    assert read_deck(deck).potential == "100%_Cu"
    deck.write_bytes(DECK.replace("a comment", "Ångström").encode("latin-1"))
    with pytest.raises(InputError, match="not a FitSNAP deck"):
        read_deck(deck)


def test_merr_says_what_it_is(deck):
    deck.write_text(DECK.replace("solver = SVD", "solver = MERR"))
    assert "leaves out the likelihood's first term" in read_deck(deck).notes[0]
    deck.write_text(
        DECK.replace(
            "solver = SVD", "solver = MERR\nmerr_method = iid\nmerr_mult = 1\nmerr_cfs = 0 3"
        )
    )
    found = read_deck(deck)
    assert found.notes == ()
    assert (found.fit.likelihood, found.fit.multiplicative, found.fit.embed) == (
        "iid",
        True,
        (0, 3),
    )
    assert (found.fit.embedding, found.fit.mean, found.fit.prior) == (
        "coefficients",
        "joint",
        "flat",
    )


def test_a_file_of_frames_that_is_cut_off(deck):
    """Its whole frames are used, if what cannot be used is to be left out."""
    folder = deck.parent / "XYZ"
    folder.mkdir()
    frames = [rattled_copper(k, repeat=1).to_atoms() for k in range(3)]
    for atoms in frames:
        atoms.calc.results["stress"] = atoms.calc.results["stress"] * ASE_STRESS_TO_ROWS
    ase.io.write(folder / "warm.xyz", frames, format="extxyz")
    text = (folder / "warm.xyz").read_text()
    (folder / "warm.xyz").write_text(text[:-200])
    changed = DECK.replace("scraper = JSON", "scraper = XYZ").replace(
        "dataPath = JSON", "dataPath = XYZ"
    )
    deck.write_text(changed.replace("warm = 0.5 0.25", "warm = 1.0 0.0"))
    with pytest.raises(InputError, match="ASE cannot read it"):
        scrape(read_deck(deck))
    items, left_out = scrape(read_deck(deck), strict=False)
    assert len(items) == 2
    assert "after frame 1" in left_out[0]


def test_json_out_and_in(tmp_path):
    c = replace(
        rattled_copper(0, repeat=1),
        charges=np.array([1.0, -1.0, 0.5, -0.5]),
        spins=np.array([1.0, -1.0, 0, 2]),
    )
    (tmp_path / "a.json").write_text(write_json(c))
    back = read_json(tmp_path / "a.json")
    np.testing.assert_allclose(back.spins, np.outer(c.spins, [0, 0, 1]), atol=1e-15)
    assert replace(back, spins=c.spins).key == c.key
    assert back.label.energy == c.label.energy
    np.testing.assert_array_equal(back.label.forces, c.label.forces)
    np.testing.assert_allclose(back.label.stress, c.label.stress, rtol=1e-15)


def test_spins_are_length_and_direction(tmp_path):
    content = json.loads(write_json(rattled_copper(0, repeat=1)))
    content["Dataset"]["Data"][0]["Spins"] = [[2.0, 0.0, 0.0, 3.0]] * 4
    content["Dataset"]["SpinsStyle"] = "total x y z"
    (tmp_path / "a.json").write_text(json.dumps(content))
    np.testing.assert_allclose(read_json(tmp_path / "a.json").spins, [[0.0, 0.0, 2.0]] * 4)


def test_units_of_files_that_do_not_say(deck):
    """property_array, for what no Style says; a Style goes before it."""
    path = deck.parent / "JSON" / "warm" / "0.json"
    text = path.read_text()
    truth = rattled_copper(0, repeat=1)
    path.write_text(text.replace('"EnergyStyle": "electronvolt"', '"Comment": ""'))
    changed = DECK.replace(
        "scraper = JSON",
        "scraper = JSON\nproperty_array = Energy energy Rydberg Metal; Stress pressure GPa Metal",
    )
    deck.write_text(changed)
    found = scrape(read_deck(deck))[0][0].configuration
    assert found.label.energy == pytest.approx((truth.label.energy + 1.0) * units.Ry)
    np.testing.assert_allclose(found.label.stress, truth.label.stress, rtol=1e-12)
    deck.write_text(changed.replace("Rydberg", "Erg"))
    with pytest.raises(InputError, match="Energy in 'Erg' is not known"):
        read_deck(deck)


@pytest.mark.parametrize("scraper", ["JSON", "XYZ"])
@pytest.mark.parametrize(
    ("style", "ev"),
    [("electronvolt", 1.0), ("rydberg", units.Ry), ("hartree", units.Ha), ("kcal/mol", 0.0433641)],
)
def test_eshift_is_in_the_unit_of_the_files(deck, scraper, style, ev):
    """FitSNAP adds [ESHIFT] before it converts: 0.25 per atom is 0.25 Ry in files in Ry."""
    truth = rattled_copper(0, repeat=1)
    if scraper == "XYZ":
        written = f"scraper = XYZ\nproperty_array = Energy energy {style} Metal"
        deck.write_text(DECK.replace("scraper = JSON", written))
        frames = [rattled_copper(k, repeat=1).to_atoms() for k in range(8)]
        ase.io.write(deck.parent / "JSON" / "warm.extxyz", frames)
    else:
        for path in (deck.parent / "JSON" / "warm").glob("*.json"):
            path.write_text(path.read_text().replace("electronvolt", style))
    found = scrape(read_deck(deck))[0][0].configuration
    assert found.label.energy == pytest.approx((truth.label.energy + 4 * 0.25) * ev, rel=1e-6)


def test_trainshift_is_added_to_vasp_files_only(deck):
    deck.write_text(DECK + "[TRAINSHIFT]\nCu = 1.0\n")
    found = read_deck(deck)
    assert found.eshift == {"Cu": 0.25}
    assert "[TRAINSHIFT] is not added" in found.notes[0]
    deck.write_text(DECK.replace("scraper = JSON", "scraper = VASP") + "[TRAINSHIFT]\nCu = 1.0\n")
    found = read_deck(deck)
    assert (found.eshift, found.notes) == ({"Cu": 1.25}, ())


def test_groups_in_a_file(deck):
    (deck.parent / "groups.in").write_text("# name size\nwarm 0.5 0.25 100 1 1.0e-8\n\n")
    deck.write_text(DECK.replace("[PATH]", "[PATH]\ngroupFile = groups.in"))
    assert [g.eweight for g in read_deck(deck).groups] == [100.0]
    deck.write_text(DECK.replace("[PATH]", "[PATH]\ngroupFile = none.in"))
    with pytest.raises(InputError, match="no such file"):
        read_deck(deck)


def test_own_twojmax_of_each_type(deck):
    text = DECK.replace("numTypes = 1", "numTypes = 2").replace("type = Cu", "type = Cu Ag")
    deck.write_text(text.replace("twojmax = 4", "twojmax = 6 4"))
    assert read_deck(deck).settings.twojmax == (6, 4)


def test_a_deck_is_read_once(deck, tmp_path, monkeypatch):
    """By everything that a fit needs of it."""
    paths = []

    def counted(path):
        paths.append(path)
        return read_deck(path)

    for module in ("snap_al.config.deck", "snap_al.loop.settings"):
        monkeypatch.setattr(f"{module}.read_deck", counted)
    sa.fit(deck, tmp_path / "fit")
    assert paths == [deck]
