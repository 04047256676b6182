"""snap_al.config.load: Configs: every problem at once, with its path and what may be meant."""

import pytest
from ase.build import bulk
from ase.io import write
from helpers.samples import small_config

from snap_al.config import config_for_structure, load_config, template, template_names
from snap_al.config.build import differences, fixed
from snap_al.config.templates import neighbour_shells
from snap_al.data import Configuration
from snap_al.errors import InputError


def refused(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_config(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


GOOD = "descriptor: {elements: [Cu], twojmax: 6, rcutfac: 5.0}\n"


def test_all_problems_at_once(tmp_path):
    message = refused(
        tmp_path,
        "descriptor: {elements: [Cu], twojmax: -1, rcutfc: 5.0}\nexplore: {walkers: [{structure: "
        "a.cif, supercel: [1, 1, 1]}], steps: many}\nqurey: {}\n",
    )
    for part in (
        "6 problems",
        "descriptor.twojmax: -1 is not between 0 and 20",
        "descriptor.rcutfac: required",
        "descriptor.rcutfc: unknown key; did you mean 'rcutfac'?",
        "explore.walkers.0.supercel: unknown key; did you mean 'supercell'?",
        "explore.steps: ",
        "qurey: unknown key; did you mean 'query'?",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected keys and values"),
        ("- a\n- b\n", "expected keys and values"),
        ("descriptor: {elements: [Cu]", "not valid YAML"),
        (GOOD + GOOD, "not valid YAML"),
        (GOOD + "a: !!python/object:os.system {}\n", "not valid YAML"),
        ("descriptor: {elements: [Xy], twojmax: 6, rcutfac: 5}", "'Xy' is no chemical symbol"),
        ("descriptor: {elements: [Cu, Cu], twojmax: 6, rcutfac: 5}", "named twice"),
        (
            "descriptor: {elements: [Cu, Ag], radelem: [1, 2, 3], twojmax: 6, rcutfac: 5}",
            "3 values for 2 elements",
        ),
        (GOOD + "fit: {posterior: magic}\n", "fit.posterior"),
        (GOOD + "query: {force_std: .nan}\n", "query.force_std"),
    ],
)
def test_refused(tmp_path, text, message):
    assert message in refused(tmp_path, text)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="snap-al init"):
        load_config(tmp_path / "none.yaml")


def test_nobelium_and_exponents_are_read_as_written(tmp_path):
    """What PyYAML reads as False and as a text."""
    path = tmp_path / "config.yaml"
    path.write_text(
        "descriptor: {elements: [No], twojmax: 6, rcutfac: 5}\nlabel: {vweight: 1e-3}\n"
    )
    config = load_config(path)
    assert config.descriptor.elements == ("No",)
    assert config.label.vweight == 1e-3


def test_paths_are_relative_to_the_config(tmp_path):
    config = load_config(small_config(tmp_path / "deep"))
    assert config.explore is not None
    assert config.explore.walkers[0].structure == tmp_path / "deep" / "Cu.extxyz"


@pytest.mark.parametrize("name", template_names())
def test_templates_are_good_configs(tmp_path, name):
    path = tmp_path / f"{name}.yaml"
    path.write_text(template(name))
    load_config(path)


def test_unknown_template():
    with pytest.raises(InputError, match="there are: copper, fit"):
        template("iron")


def test_shells_of_fcc_and_bcc():
    """Third-neighbour cutoffs: between sqrt(1.5) a and sqrt(2) a for fcc; between sqrt(2) a and
    sqrt(11)/2 a for bcc.
    """
    fcc = neighbour_shells(Configuration.from_atoms(bulk("Cu", cubic=True)))
    assert fcc.distances == pytest.approx([3.61 / 2**0.5, 3.61, 3.61 * 1.5**0.5], abs=1e-3)
    assert 3.61 * 1.5**0.5 < fcc.cutoff < 3.61 * 2**0.5
    bcc = neighbour_shells(Configuration.from_atoms(bulk("Mo")))
    assert bcc.cutoff > bcc.distances[-1]


@pytest.mark.parametrize("dimers", [True, False])
@pytest.mark.parametrize("name", ["Cu.cif", "NaCl.extxyz"])
def test_config_from_a_structure_alone(tmp_path, name, dimers):
    atoms = bulk("Cu", cubic=True) if name == "Cu.cif" else bulk("NaCl", "rocksalt", a=5.64)
    write(tmp_path / name, atoms)
    path = tmp_path / "config.yaml"
    path.write_text(config_for_structure(tmp_path / name, dimers=dimers, relative_to=tmp_path))
    config = load_config(path)
    assert config.descriptor.elements == (("Cu",) if name == "Cu.cif" else ("Na", "Cl"))
    start = config.start.configurations(config.descriptor.elements, 1)
    n_pairs = 1 if name == "Cu.cif" else 3
    assert len(start) == 4 + (4 * n_pairs if dimers else 0)
    assert all(len(c) >= 50 for c in start[:4])
    assert any("zbl" in line for line in config.reference)
    again = config.start.configurations(config.descriptor.elements, 1)
    assert [c.key for c in start] == [c.key for c in again]


def test_options_of_other_posteriors_make_no_other_config():
    """Earlier versions wrote them into the run directory of a config that was made in Python."""
    old = {"fit": {"posterior": "bayes", "noise_std": 0.1, "likelihood": "iid", "members": 20}}
    new = {"fit": {"posterior": "bayes", "noise_std": 0.1, "members": 20}}
    assert differences(fixed(old), fixed(new)) == []
    new["fit"]["noise_std"] = 0.2
    assert differences(fixed(old), fixed(new)) == ["fit.noise_std"]


def test_differences_are_named_by_path():
    assert differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}, "d": 4}) == ["a.c", "d"]
