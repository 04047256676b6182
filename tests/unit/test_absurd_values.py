"""snap_al.options: Configs and decks that no one means: each is refused with what is wrong, or
works; none ends in a traceback or fills the memory.
"""

import ase.io
import numpy as np
import pytest
from helpers.samples import rattled_copper

from snap_al.config import load_config, parse_yaml
from snap_al.config.load import MOST_SHOWN
from snap_al.data.weights import HEAVIEST, LIGHTEST, check_weight
from snap_al.errors import InputError, RunError, of_the_disk
from snap_al.tasks.fit import fit

FIT = "descriptor: {elements: [Cu], twojmax: 2, rcutfac: 4.5}\n"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 10)}]\n" for n in range(9)
)


def refused(tmp_path, text, match):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=match) as raised:
        load_config(path)
    assert str(raised.value).startswith(f"{path}: ")
    return str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "query: " + "[" * 3000 + "]" * 3000,
        "x: " + "{a: " * 3000 + "1" + "}" * 3000,
        "x:\n " + "- " * 3000 + "a",
        "\n".join(" " * n + "a:" for n in range(3000)),
        "x: " + "[" * 100 + "]" * 100,
        "x: &x [*x]",
        "x: &x {a: *x}",
        "x: " + "[" * 3000,
    ],
)
def test_deep_or_endless_yaml(tmp_path, text):
    refused(tmp_path, FIT + text, "nested more than 50 deep")


@pytest.mark.parametrize("text", [BOMB, "z: 1\n" + BOMB + "descriptor: *j\n"])
def test_aliases_that_unfold_to_more_than_memory_has(tmp_path, text):
    refused(tmp_path, text, r"more than 1,000,000 values once its aliases")


def test_aliases_that_make_sense_are_taken(tmp_path):
    found = parse_yaml("a: &a {x: [1, 2]}\nb: *a\nc: [*a, *a]\n", tmp_path)
    assert found == {"a": {"x": [1, 2]}, "b": {"x": [1, 2]}, "c": [{"x": [1, 2]}, {"x": [1, 2]}]}


@pytest.mark.parametrize("key", ["1", "1.5", "null", "true", "2001-01-01", "[a, b]", "? [a, b]\n"])
def test_keys_that_are_not_texts(tmp_path, key):
    refused(tmp_path, FIT + f"{key}: 1\n", "problem|valid YAML|cannot be read")
    refused(
        tmp_path,
        FIT + f"fit: {{{key.strip('? ').strip()}: 1}}\n",
        "problem|valid YAML|cannot be read",
    )


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("seed: " + "9" * 5000, "a value cannot be read: .*digits"),
        ("seed: !!python/object/apply:os.getcwd []", "not valid YAML"),
        ("seed: 1\nseed: 2", "not valid YAML: .*duplicate key"),
        (
            "fit: {posterior: committee, members: 1000000000}",
            r"fit\.members: .* less than or equal to 10000",
        ),
        (
            "start: {structures: [{structure: a, count: 1000000000}]}",
            r"start\.structures\.0\.count: .* 100000",
        ),
        ("start: {dimers: {shortest: 1, longest: 2, count: 1000000000}}", r"count: .* 100000"),
        ("explore: {walkers: [{structure: a}], repeat: 1000000000}", r"explore\.repeat: .* 10000"),
        ("eshift: {Cu: .nan}", r"eshift\.Cu"),
        ("eshift: {Cu: 1.0e+300}", r"eshift\.Cu"),
        ("fit: " + "x" * 100000, r"fit: .*…"),
    ],
)
def test_one_message_that_says_what_and_where(tmp_path, text, match):
    assert len(refused(tmp_path, FIT + text, match)) < 2 * MOST_SHOWN + 400


def test_supercells_larger_than_any_memory(tmp_path):
    from snap_al.data.starting_set import StructureSource

    ase.io.write(tmp_path / "Cu.extxyz", rattled_copper(1, repeat=1).to_atoms())
    source = StructureSource(structure=tmp_path / "Cu.extxyz", supercell=(10**6, 10**6, 10**6))
    with pytest.raises(InputError, match=r"4,000,000,000,000,000,000 atoms; 10,000,000 at most"):
        source.read(("Cu",))


@pytest.mark.parametrize("weight", ["1.0e+300", "1.0e-200", "1.0e+21", "9.0e-21", ".inf"])
@pytest.mark.parametrize("kind", ["eweight", "fweight", "vweight"])
def test_weights_that_arithmetic_would_lose(tmp_path, kind, weight):
    text = f"training: [{{path: a.extxyz, {kind}: {weight}}}]"
    refused(
        tmp_path,
        FIT + text,
        rf"training\.0\.{kind}: a weight of .* neither 0 nor between 1e-20 and 1e\+20",
    )
    refused(
        tmp_path,
        FIT + f"label: {{{kind}: {weight}}}",
        rf"label\.{kind}: a weight of .* neither 0 nor between",
    )


@pytest.mark.parametrize("weight", ["1e300", "1e-200"])
def test_weights_of_a_deck(tmp_path, weight):
    (tmp_path / "Cu.in").write_text(
        "[BISPECTRUM]\nnumTypes = 1\ntwojmax = 2\nrcutfac = 4.5\ntype = Cu\n[GROUPS]\n"
        "group_sections = name training_size testing_size eweight fweight vweight\n"
        f"group_types = str float float float float float\nwarm = 1.0 0.0 {weight} 1 0\n"
    )
    with pytest.raises(
        InputError, match=r"Cu\.in: \[GROUPS\] warm, eweight: a weight of .* neither 0 nor between"
    ):
        fit(tmp_path / "Cu.in", tmp_path / "out")


@pytest.mark.parametrize(
    "weights",
    [(HEAVIEST, 1, 1), (LIGHTEST, 1, 1), (LIGHTEST, HEAVIEST, LIGHTEST), (0, LIGHTEST, HEAVIEST)],
)
def test_the_ends_of_the_range_give_numbers(tmp_path, weights):
    ase.io.write(
        tmp_path / "frames.extxyz", [rattled_copper(k, repeat=1).to_atoms() for k in range(6)]
    )
    given = ", ".join(
        f"{k}: {check_weight(float(w))!r}"
        for k, w in zip(("eweight", "fweight", "vweight"), weights, strict=True)
    )
    (tmp_path / "c.yaml").write_text(FIT + f"training: [{{path: frames.extxyz, {given}}}]\n")
    training = fit(tmp_path / "c.yaml", tmp_path / "out").tables.training
    assert all(np.isfinite([t.rmse, t.sharpness]).all() for t in training.by_kind().values())


def test_memory_that_is_not_there_is_no_fault_of_ours():
    with pytest.raises(MemoryError) as raised:
        np.zeros(2**58)
    assert isinstance(found := of_the_disk(raised.value), RunError)
    assert "Unable to allocate" in str(found)
