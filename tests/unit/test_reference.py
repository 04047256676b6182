import pytest

from snap_al.descriptors import ReferencePotential
from snap_al.errors import InputError


def test_single_style_becomes_an_overlay():
    lines = ReferencePotential.parse(["pair_style zbl 3.5 4.0", "pair_coeff * * 42 42"]).with_zero(4.6)
    assert lines == [
        "pair_style hybrid/overlay zbl 3.5 4.0 zero 4.6",
        "pair_coeff * * zbl 42 42",
        "pair_coeff * * zero",
    ]


def test_overlay_as_in_a_fitsnap_deck():
    lines = ["units metal", "atom_style atomic", "pair_style hybrid/overlay zero 10.0 zbl 4.0 4.8",
             "pair_coeff * * zero", "pair_coeff * * zbl 73 73"]  # fmt: skip
    reference = ReferencePotential.parse(lines)
    assert reference.styles == ("zero 10.0", "zbl 4.0 4.8")
    assert reference.with_zero(4.6)[0] == "pair_style hybrid/overlay zbl 4.0 4.8 zero 4.6"
    assert reference.commands(("snap", ("a b Ta",)))[-1] == "pair_coeff * * snap a b Ta"


def test_hybrid_with_one_style_for_each_pair_is_an_overlay():
    lines = ["pair_style hybrid zbl 3 4 morse 5.0", "pair_coeff 1 1 zbl 29 29", "pair_coeff 1 2 morse 1 1 2"]
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
