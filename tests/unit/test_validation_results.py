"""snap_al.validation.results: What a validation found, as JSON and back."""

import json
from dataclasses import replace

import matplotlib
import numpy as np
import pytest

from snap_al.reporting.validation import figures, read_validation, write_validation
from snap_al.validation import Coverage, Curve, Property, Trajectory, Validation

X = np.linspace(1.0, 3.0, 4)
SPOILT = np.array([1.0, np.nan, np.inf, 2.0])


def whole():
    """With everything that there can be, and with numbers that JSON does not have."""
    properties = (
        Property("a", "Å", 3.6, 0.01, 16, 3.615),
        Property("C11", "GPa", 170.0, 2.0, 16, 176.2, "a note"),
        Property("C12", "GPa", None, None, 1, 124.9),
        Property("C44", "GPa", 80.0, 1.0, 16, float("nan")),
    )
    wall = Curve("wall", "distance, Å", "energy, eV", X, 3.0 - X, 0.1 * X, SPOILT, True, "rises")
    pressed = Curve("compression", "share", "pressure, GPa", X, SPOILT, 0.1 * X, None, True, "ok")
    nve = Trajectory("NVE", X, 300.0 + X, 12.0 + X, -3.0 - X, None, True, "drift")
    npt = Trajectory("NPT", X, 300.0 + X, 12.0 + X, None, 0.1 * X, False, "ended")
    subject = ("digest", "Cu4", "cubic", 1000.0)
    return Validation(*subject, properties, ("no phonons",), (wall, pressed), (nve, npt))


def test_keys_are_those_of_files():
    content = whole().as_json()
    assert list(content) == [
        "potential",
        "structure",
        "system",
        "temperature_k",
        "properties",
        "coverage",
        "problems",
        "curves",
        "trajectories",
        "passed",
    ]
    first, curve, trajectory = (content[k][0] for k in ("properties", "curves", "trajectories"))
    assert list(first) == ["name", "unit", "value", "std", "draws", "reference", "note", "z"]
    assert list(curve) == [
        "name",
        "x_label",
        "y_label",
        "x",
        "value",
        "std",
        "reference",
        "passed",
        "finding",
    ]
    assert list(trajectory) == [
        "name",
        "time",
        "temperature",
        "volume",
        "energy",
        "force_std",
        "passed",
        "finding",
    ]
    assert content["curves"][0]["reference"] == [1.0, None, None, 2.0]
    assert content["properties"][3]["reference"] is None
    assert content["coverage"] == {"n": 2, "within_1std": 0.0, "within_2std": 0.5}
    assert content["passed"] is False
    json.dumps(content, allow_nan=False)


def test_parts_that_were_not_asked_for_have_no_keys():
    subject = ("digest", "Cu4", "cubic", 1000.0)
    assert list(Validation(*subject).as_json()) == [
        "potential",
        "structure",
        "system",
        "temperature_k",
    ]
    alone = Validation(*subject, properties=()).as_json()
    assert (alone["properties"], alone["coverage"], alone["problems"]) == ([], {"n": 0}, [])
    assert "passed" not in alone
    assert Validation(*subject, trajectories=()).as_json()["passed"] is True


def test_what_is_read_is_what_was_written(tmp_path):
    write_validation(tmp_path, whole())
    again = read_validation(tmp_path)
    assert again.as_json() == whole().as_json()
    assert again.subject == whole().subject
    assert again.coverage == Coverage(2, 0.0, 0.5)
    np.testing.assert_array_equal(again.curves[0].reference, [1.0, np.nan, np.nan, 2.0])
    assert again.trajectories[0].force_std is None
    assert {p.name for p in tmp_path.iterdir()} == {
        "validation.json",
        "properties.csv",
        "properties.png",
        "curves.png",
        "trajectories.png",
    }


def test_an_earlier_version_wrote_no_notes():
    content = whole().as_json()
    for stored in content["properties"]:
        del stored["note"]
    assert {p.note for p in Validation.from_json(content).properties} == {""}


def damaged(content):
    """Each value in turn is missing, and of another type."""
    for key in content:
        if key not in ("coverage", "passed", "problems", "properties", "curves", "trajectories"):
            yield {k: v for k, v in content.items() if k != key}
        if key not in ("coverage", "passed"):
            yield {**content, key: {"a": 1}}
    for name in ("properties", "curves", "trajectories"):
        for key in content[name][0]:
            if key not in ("z", "note"):
                changed = {k: v for k, v in content[name][0].items() if k != key}
                yield {**content, name: [changed]}
            if key != "z":
                yield {**content, name: [{**content[name][0], key: [{}]}]}


def test_what_is_damaged_is_no_validation(tmp_path):
    for content in [None, [], {}, *damaged(whole().as_json())]:
        (tmp_path / "validation.json").write_text(json.dumps(content))
        assert read_validation(tmp_path) is None, content


def test_figures_are_drawn_of_what_there_is():
    matplotlib.use("Agg")
    assert set(figures(whole())) == {"properties", "curves", "trajectories"}
    nothing = np.zeros(0)
    failed = Trajectory("NVE", nothing, nothing, nothing, None, None, False, "ended")
    assert figures(replace(whole(), properties=None, curves=None, trajectories=(failed,))) == {}


@pytest.mark.parametrize("std", [None, 0.0])
def test_without_a_std_there_is_no_deviation(std):
    assert Property("a", "Å", 3.6, std, 1, 3.7).z is None
