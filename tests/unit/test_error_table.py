"""snap_al.uncertainty.error_table: Errors and calibration as JSON and back."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snap_al.inference import Prediction
from snap_al.uncertainty import ErrorTable, Evaluated

KIND = [
    "n",
    "mae",
    "rmse",
    "coverage_1sigma",
    "coverage_2sigma",
    "nll",
    "crps",
    "spearman",
    "sharpness",
    "coverage",
    "pit",
]
GROUP = [*KIND[:7], "sharpness", "spearman"]
LEVELS = ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.683", "0.8", "0.9", "0.954", "0.99"]


def evaluated(n=60):
    """Energies and forces of two groups; some forces vanish by symmetry."""
    rng = np.random.default_rng(0)
    kinds, groups = np.repeat([0, 1], [n // 3, n - n // 3]).astype(np.int8), np.arange(n) % 2
    std = rng.uniform(0.1, 1.0, n)
    stds = Prediction(np.zeros(n), std, 0.1 * std, np.full(n, 0.01))
    targets, vanishing = std * rng.standard_normal(n), np.arange(n) >= n - 5
    parts = (stds.mean, stds.epistemic_std, stds.model_error_std, stds.noise_std)
    return Evaluated(kinds, groups.astype(np.int32), targets, np.ones(n), vanishing, *parts)


def test_keys_and_their_order_are_those_of_files():
    content = evaluated().table(("cold", "warm")).as_json()
    assert list(content) == ["energy", "forces"]
    assert list(content["energy"]) == [*KIND, "groups"]
    assert list(content["forces"]) == [*KIND, "vanishing", "groups"]
    assert list(content["forces"]["coverage"]) == LEVELS
    assert len(content["forces"]["pit"]) == 10
    assert list(content["forces"]["vanishing"]) == ["n", "rmse"]
    assert {name: list(part) for name, part in content["forces"]["groups"].items()} == {
        "cold": GROUP,
        "warm": GROUP,
    }
    assert list(evaluated().table(("one",)).as_json()["energy"]) == KIND


def test_what_is_read_is_what_was_written():
    table = evaluated().table(("cold", "warm"))
    stored = json.dumps(table.as_json())
    again = ErrorTable.from_json(json.loads(stored))
    assert again == table
    assert json.dumps(again.as_json()) == stored


def test_a_std_of_zero_is_read_as_well():
    certain = evaluated()
    zero = np.zeros_like(certain.mean)
    table = Evaluated(
        certain.kinds,
        certain.groups,
        certain.targets,
        certain.weights,
        certain.vanishing,
        certain.mean,
        zero,
        zero,
        zero,
    ).table()
    assert not np.isfinite(table.forces.nll)
    stored = json.dumps(table.as_json())
    assert json.dumps(ErrorTable.from_json(json.loads(stored)).as_json()) == stored


def test_keys_that_an_earlier_version_did_not_write_stay_absent():
    old = {"forces": {"n": 3, "rmse": 0.2, "sharpness": 0.1, "groups": {"": old_group()}}}
    table = ErrorTable.from_json(old)
    assert (table.energy, table.forces.mae, table.forces.groups[""].spearman) == (None, None, None)
    assert table.as_json() == old


def old_group():
    return {"n": 3, "rmse": 0.2, "sharpness": 0.1}


def test_what_a_later_version_adds_is_ignored():
    new = {"forces": {**old_group(), "skewness": 1.0}}
    assert ErrorTable.from_json(new).as_json() == {"forces": old_group()}


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        {"nergy": old_group()},
        {"energy": None},
        {"energy": {"rmse": 0.1}},
        {"energy": {**old_group(), "rmse": True}},
        {"energy": {**old_group(), "mae": "0.1"}},
        {"energy": {**old_group(), "mae": 10**400}},
        {"energy": {**old_group(), "n": 0.5}},
        {"energy": {**old_group(), "n": float("inf")}},
        {"energy": {**old_group(), "coverage": {"a": 0.1}}},
        {"energy": {**old_group(), "pit": [None]}},
        {"energy": {**old_group(), "vanishing": {"n": 1}}},
        {"energy": {**old_group(), "groups": {"a": []}}},
    ],
)
def test_what_is_no_table_is_refused(content):
    with pytest.raises(ValueError):  # noqa: PT011  the messages differ
        ErrorTable.from_json(content)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KIND), inner),
    max_leaves=5,
)
names = st.sampled_from([*KIND, "vanishing", "groups"])


@given(st.dictionaries(st.sampled_from(["energy", "forces"]), st.dictionaries(names, values)))
def test_any_json_is_read_or_refused(content):
    try:
        table = ErrorTable.from_json(content)
    except ValueError:
        return
    assert set(table.by_kind()) == set(content)
