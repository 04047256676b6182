"""snap_al.loop.pool and learning: Pool-based selection and learning curves as a user runs them."""

import json

import ase.io
import numpy as np
import pytest
from helpers.calls import in_this_process, refused, snap_al
from helpers.samples import FIT, rattled_copper

import snap_al as sa


@pytest.fixture
def folder(tmp_path):
    """Eight labelled cells of four atoms, and a pool: some alike, some rattled far, one that is
    labelled already.
    """
    train = [rattled_copper(k, repeat=1) for k in range(8)]
    ase.io.write(tmp_path / "train.extxyz", [c.to_atoms() for c in train], format="extxyz")
    near = [rattled_copper(100 + k, repeat=1) for k in range(10)]
    far = [rattled_copper(200 + k, 0.3, repeat=1) for k in range(4)]
    pool = [c.to_atoms() for c in [*near, *far, train[2]]]
    for atoms, group in zip(pool, ["near"] * 10 + ["far"] * 4 + ["double"], strict=True):
        atoms.info["group"] = group
    ase.io.write(tmp_path / "pool.extxyz", pool, format="extxyz")
    (tmp_path / "fit.yaml").write_text(FIT)
    return tmp_path


def test_select_asks_for_what_is_new(folder):
    one = json.loads(
        snap_al(
            "select", "fit.yaml", "pool.extxyz", "-o", "a.extxyz", "-n", 4, "--json", cwd=folder
        ).stdout
    )
    assert (one["pool"], one["duplicates"], one["asked"], one["strategy"]) == (15, 1, 4, "novel")
    assert one["selected"][0]["number"] in range(10, 14)
    assert one["selected"][0]["score"] > 1
    written = ase.io.read(folder / "a.extxyz", ":")
    assert [a.info["pool_index"] for a in written] == [c["number"] for c in one["selected"]]
    assert written[0].info["group"] == "far"
    assert written[0].get_potential_energy() == pytest.approx(
        ase.io.read(folder / "pool.extxyz", one["selected"][0]["number"]).get_potential_energy(),
        abs=1e-6,
    )
    two = json.loads(
        snap_al(
            "select",
            "fit.yaml",
            "pool.extxyz",
            "-o",
            "b.extxyz",
            "-n",
            4,
            "--json",
            cwd=folder,
            ranks=2,
        ).stdout
    )
    assert [c["number"] for c in two["selected"]] == [c["number"] for c in one["selected"]]
    np.testing.assert_allclose(
        [c["score"] for c in two["selected"]], [c["score"] for c in one["selected"]], rtol=1e-5
    )


@pytest.mark.parametrize("strategy", ["committee", "D", "maxvol", "V"])
def test_select_by_other_strategies(folder, strategy):
    targets = "targets: pool.extxyz, " if strategy == "V" else ""
    (folder / "fit.yaml").write_text(
        FIT + f"query: {{{targets}diversity: kmeans, cost: 1.0, by_cost: true}}\n"
    )
    found = json.loads(
        snap_al(
            "select",
            "fit.yaml",
            "pool.extxyz",
            "-o",
            "a.extxyz",
            "-n",
            3,
            "--strategy",
            strategy,
            "--json",
            cwd=folder,
        ).stdout
    )
    assert found["strategy"] == strategy
    assert len({c["number"] for c in found["selected"]}) == 3


def test_extrapolation_grades(folder):
    """By configuration and by atom: what is far out comes first, with γ far above 1."""
    for grade in ("configuration", "atom"):
        (folder / "fit.yaml").write_text(FIT + f"query: {{strategy: maxvol, grade: {grade}}}\n")
        one, two = (
            json.loads(
                snap_al(
                    "select",
                    "fit.yaml",
                    "pool.extxyz",
                    "-o",
                    "a.extxyz",
                    "-n",
                    2,
                    "--json",
                    cwd=folder,
                    ranks=r,
                ).stdout
            )["selected"]
            for r in (1, 2)
        )
        assert one[0]["number"] in range(10, 14)
        assert one[0]["score"] > 2
        assert [c["number"] for c in one] == [c["number"] for c in two]


def test_more_than_there_is_and_nothing_new(folder):
    found = json.loads(
        snap_al(
            "select", "fit.yaml", "pool.extxyz", "-o", "a.extxyz", "-n", 99, "--json", cwd=folder
        ).stdout
    )
    assert len(found["selected"]) == 14
    assert found["warnings"] == ["99 asked for, 14 selected: 15 in the pool, 1 duplicates"]
    found = json.loads(
        snap_al("select", "fit.yaml", "train.extxyz", "-o", "a.extxyz", "--json", cwd=folder).stdout
    )
    assert found["selected"] == []
    assert "in the training set already" in found["warnings"][0]
    assert (folder / "a.extxyz").read_text() == ""


def test_pools_that_cannot_be_used(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "empty.extxyz").write_text("")
    gold = ase.io.read("pool.extxyz", 0)
    gold.symbols[0] = "Au"
    ase.io.write("gold.extxyz", gold, format="extxyz")
    (folder / "bare.yaml").write_text(FIT.splitlines()[0] + "\n")
    (folder / "cost.yaml").write_text(FIT + "query: {cost: nowhere.function, by_cost: true}\n")
    for message, config, pool, *options in (
        ("empty.extxyz", "fit.yaml", "empty.extxyz"),
        ("element Au has no type", "fit.yaml", "gold.extxyz"),
        ("strategy", "fit.yaml", "pool.extxyz", "--strategy", "nove"),
        ("ask for at least one", "fit.yaml", "pool.extxyz", "-n", 0),
        ("nothing is labelled yet", "bare.yaml", "pool.extxyz"),
        ("query.cost", "cost.yaml", "pool.extxyz"),
    ):
        code, text = in_this_process(
            monkeypatch, "select", config, pool, "-o", "a.extxyz", *options
        )
        assert (code, message in " ".join(text.split())) == (2, True), text
    assert "no such file" in refused(
        "select", "fit.yaml", "none.extxyz", "-o", "a.extxyz", cwd=folder, ranks=2
    )


def test_rows_without_labels_are_not_taken_for_fitted(folder):
    """Weights for stresses that no label has change nothing."""
    frames = ase.io.read(folder / "train.extxyz", ":")
    for atoms in frames:
        del atoms.calc.results["stress"]
    ase.io.write(folder / "train.extxyz", frames, format="extxyz")
    found = []
    for weight in ("", ", vweight: 1.0e-4"):
        (folder / "fit.yaml").write_text(FIT.replace("train.extxyz", f"train.extxyz{weight}"))
        done = snap_al(
            "select", "fit.yaml", "pool.extxyz", "-o", "a.extxyz", "-n", 1, "--json", cwd=folder
        )
        found.append(json.loads(done.stdout)["selected"][0])
    assert found[0] == found[1]
    assert found[0]["score"] > 1


def test_budgets_and_names_that_lead_nowhere(folder):
    (folder / "fit.yaml").write_text(FIT + "query: {cost: 1.0, budget: 1.0}\n")
    done = snap_al(
        "select", "fit.yaml", "pool.extxyz", "-o", "a.extxyz", "-n", 3, "--json", cwd=folder
    )
    assert "query.budget = 1 is too small" in json.loads(done.stdout)["warnings"][0]
    (folder / "fit.yaml").write_text(FIT + "query: {cost: builtins.print, by_cost: true}\n")
    assert "query.cost" in refused(
        "select", "fit.yaml", "pool.extxyz", "-o", "a.extxyz", cwd=folder, ranks=2
    )
    (folder / "fit.yaml").write_text(FIT)
    assert "none given" in refused(
        "learn", "fit.yaml", "pool.extxyz", "--strategies", ",", cwd=folder
    )


def test_a_singular_design(folder, monkeypatch):
    """One labelled configuration, twice over: fewer rows than columns, and equal ones."""
    monkeypatch.chdir(folder)
    one = ase.io.read("train.extxyz", 0)
    ase.io.write("train.extxyz", [one, one], format="extxyz")
    for strategy in ("novel", "D", "E", "uncertainty", "maxvol"):
        found = sa.select("fit.yaml", "pool.extxyz", "a.extxyz", n=3, strategy=strategy)
        assert len(found.selected) == 3
        assert np.isfinite([c.energy_std for c in found.selected]).all()


def test_learning_curves(folder):
    """Written, resumed without computing a curve again, and the same on two ranks."""
    arguments = ("--seeds", 2, "--initial", 3, "--most", 9, "--hold-out", 0.3, "--json")
    (folder / "fit.yaml").write_text(
        FIT.replace("train.extxyz", "pool.extxyz") + "query: {batch: 2}\n"
    )
    first = snap_al(
        "learn", "fit.yaml", "--out", "a", "--strategies", "novel", *arguments, cwd=folder
    )
    assert first.returncode == 0, first.stderr
    kept = json.loads((folder / "a" / "learning.json").read_text())
    found = json.loads(
        snap_al(
            "learn",
            "fit.yaml",
            "--out",
            "a",
            "--strategies",
            "novel,random",
            *arguments,
            cwd=folder,
            draws=True,
        ).stdout
    )
    after = json.loads((folder / "a" / "learning.json").read_text())
    assert after["curves"][:2] == kept["curves"]
    assert [(c["strategy"], c["seed"]) for c in after["curves"]] == [
        ("novel", 0),
        ("novel", 1),
        ("random", 0),
        ("random", 1),
    ]
    assert after["curves"][0]["labels"] == [3, 5, 7, 9]
    assert set(found["strategies"]) == {"novel", "random"}
    for each in found["strategies"].values():
        low, high = each["forces"]["interval"]
        assert low <= each["forces"]["mean_error"] <= high
    assert (folder / "a" / "learning.png").stat().st_size > 1000
    assert len((folder / "a" / "learning.csv").read_text().splitlines()) == 1 + 4 * 4
    spread = json.loads(
        snap_al(
            "learn",
            "fit.yaml",
            "--out",
            "b",
            "--strategies",
            "novel,random",
            *arguments,
            cwd=folder,
            ranks=2,
        ).stdout
    )
    for name, each in found["strategies"].items():
        assert spread["strategies"][name]["forces"]["mean_error"] == pytest.approx(
            each["forces"]["mean_error"], rel=1e-4
        )


def test_a_pool_without_labels_teaches_nothing(folder):
    frames = ase.io.read(folder / "pool.extxyz", ":")
    for atoms in frames:
        atoms.calc = None
    ase.io.write(folder / "bare.extxyz", frames, format="extxyz")
    message = refused("learn", "fit.yaml", "bare.extxyz", "--out", "a", cwd=folder)
    assert "no energy, forces or stress found" in message
