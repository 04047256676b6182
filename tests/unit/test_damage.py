"""snap_al.data.storage: Damage to a user's file is called that, with the file; a fault of our own
in reading one never is.
"""

import json
from dataclasses import asdict

import pytest
from helpers.samples import COPPER, rattled_copper

from snap_al.data.json_text import read_json
from snap_al.errors import InputError, LabelError, RunError
from snap_al.label import read_result
from snap_al.label.backend import encode_result
from snap_al.loop import Approval, RunDirectory
from snap_al.loop.curves import CurveFile
from snap_al.md import Check
from snap_al.potential import FittedPotential

FAULTS = [AttributeError, KeyError, TypeError, IndexError]


def faulty(error):
    def fail(*arguments, **named):
        raise error("a fault of snap_al")

    return fail


def wrong_values(stored):
    """Each part left out, and in the place of each something of another type."""
    for key in stored:
        yield {k: v for k, v in stored.items() if k != key}
        for other in ({}, [[]], "x"):
            yield {**stored, key: other}


@pytest.fixture
def label(tmp_path):
    configuration = rattled_copper(1, repeat=1)
    stored = json.loads(encode_result(configuration, configuration.label, "", 1.0))
    (tmp_path / "j.json").write_text(json.dumps(stored))
    return tmp_path, configuration, stored


def test_labels(label):
    folder, configuration, stored = label
    assert read_result(folder, "j", configuration).label.energy == configuration.label.energy
    kept = ("name", "core_seconds", "reason")  # texts may be any, and what was paid may be unknown
    changes = [v for v in wrong_values(stored) if all(v.get(k) == stored.get(k) for k in kept)]
    for part in ("structure", "label"):
        inner = stored[part]
        changes += [
            {**stored, part: v} for v in wrong_values(inner) if v.get("name") == inner.get("name")
        ]
    changes = [
        c for c in changes if not isinstance(c.get("label"), dict) or "stress" in c["label"]
    ]  # may be missing
    assert len(changes) > 20
    for change in changes:
        (folder / "j.json").write_text(json.dumps(change))
        with pytest.raises(LabelError, match=r"j\.json is no label file: .*; delete it"):
            read_result(folder, "j", configuration)


@pytest.mark.parametrize(
    "text",
    ["", "[", "null", "3", "[" * 100000, '{"a": 1, "a": 2}', "\xff", '{"a": ' + "9" * 5000 + "}"],
)
def test_labels_that_are_no_json(label, text):
    folder, configuration, _ = label
    (folder / "j.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(LabelError, match=r"j\.json is no label file: "):
        read_result(folder, "j", configuration)


def test_json_is_read_strictly():
    for text in (
        '{"a": 1, "a": 2}',
        "[" * 100000,
        '{"x": {"b": 1, "b": 1}}',
        b"\xff{}",
        "9" * 5000,
    ):
        with pytest.raises(ValueError, match=r"twice|too deep|decode|digits"):
            read_json(text)
    assert read_json('{"a": [1.5, null, true]}') == {"a": [1.5, None, True]}


@pytest.mark.parametrize("error", FAULTS)
def test_a_fault_in_reading_a_label(label, monkeypatch, error):
    folder, configuration, _ = label
    monkeypatch.setattr("snap_al.label.backend.check_result", faulty(error))
    with pytest.raises(error, match="a fault of snap_al"):
        read_result(folder, "j", configuration)


@pytest.mark.parametrize("error", FAULTS)
def test_a_fault_in_reading_queries_and_checks(tmp_path, monkeypatch, error):
    directory = RunDirectory(tmp_path)
    key = directory.write_query(rattled_copper(1, repeat=1))
    directory.write_checks(0, 0, (Check(1, 300.0, None, 10.0, 0.1, None),))
    assert directory.read_query(key).key == key
    assert asdict(directory.read_checks(0, 0)[0])["force_std"] == 0.1
    monkeypatch.setattr("snap_al.loop.run_directory.decode_structure", faulty(error))
    with pytest.raises(error, match="a fault of snap_al"):
        directory.read_query(key)
    monkeypatch.setattr(Check, "__init__", faulty(error))
    with pytest.raises(error, match="a fault of snap_al"):
        directory.read_checks(0, 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[1]",
        "[{}]",
        '[{"step": 1}]',
        '[{"step": "x", "temperature": 1, "pressure": null, "volume": 1, "force_std": 1}]',
    ],
)
def test_checks_that_are_damaged(tmp_path, text):
    directory = RunDirectory(tmp_path)
    directory.make_walkers(1)
    directory.checks(0, 0).write_text(text)
    with pytest.raises(RunError, match=r"segment-0000\.json: is not what a walker left"):
        directory.read_checks(0, 0)


@pytest.mark.parametrize("error", FAULTS)
def test_a_fault_in_reading_a_potential(copper_potential, tmp_path, monkeypatch, error):
    copper_potential.write(tmp_path)
    monkeypatch.setattr("snap_al.potential.output.ReferencePotential.restored", faulty(error))
    with pytest.raises(error, match="a fault of snap_al"):
        FittedPotential.read(tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr("snap_al.inference.posterior.Posterior.__init__", faulty(error))
    with pytest.raises(error, match="a fault of snap_al"):
        FittedPotential.read(tmp_path)


def test_a_potential_that_is_damaged(copper_potential, tmp_path):
    copper_potential.write(tmp_path)
    stored = json.loads((tmp_path / "descriptor.json").read_text())
    changes = list(wrong_values(stored))
    for part in ("descriptor", "reference"):
        keys = ("elements", "twojmax", "rcutfac") if part == "descriptor" else tuple(stored[part])
        changes += [
            {**stored, part: {k: v for k, v in stored[part].items() if k != key}} for key in keys
        ]
    changes.append(
        {**stored, "descriptor": {**stored["descriptor"], "twojmax": [6]}}
    )  # of another posterior
    for change in changes:
        (tmp_path / "descriptor.json").write_text(json.dumps(change))
        with pytest.raises(InputError, match=r"descriptor\.json"):
            FittedPotential.read(tmp_path)
    (tmp_path / "descriptor.json").write_text(json.dumps(stored))
    whole = (tmp_path / "posterior.npz").read_bytes()
    for data in (
        b"",
        whole[:-100],
        whole[: len(whole) // 2],
        whole.replace(b"mean.npy", b"moan.npy"),
        b"PK" + b"\0" * 100,
    ):
        (tmp_path / "posterior.npz").write_bytes(data)
        with pytest.raises(InputError, match=r"posterior\.npz: no posterior of snap_al"):
            FittedPotential.read(tmp_path)
    (tmp_path / "posterior.npz").write_bytes(whole)
    assert FittedPotential.read(tmp_path).model.settings == COPPER


def test_an_approval_that_is_damaged(tmp_path):
    approval = Approval(tmp_path)
    approval.ask([{"query": "k", "name": "Cu", "atoms": 4, "walker": -1, "step": 0}])
    assert approval.waiting()
    for text in ("", "{", "{}", "[1]", '[{"name": "x"}]'):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(RunError, match=r"x\.json: is not what a run asked"):
            approval.waiting()


def test_learning_curves_that_are_damaged_are_computed_anew(tmp_path, monkeypatch):
    file = CurveFile(tmp_path / "c.json")
    monkeypatch.setattr("snap_al.loop.curves._digest", lambda *given: "d")
    for text in (
        "",
        "[]",
        '{"format": 1, "digest": "d"}',
        '{"format": 1, "digest": "d", "curves": [{}], "full": {}}',
        '{"format": 1, "digest": "d", "curves": [], "full": {"x": {}}}',
    ):
        (tmp_path / "c.json").write_text(text)
        assert file.opened([], [], None, None, 0.0).stored == ()
