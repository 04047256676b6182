"""snap_al.tasks.validate: `snap-al validate` as a user calls it: a fit, a run, against a labeler
and a table; on two ranks; what it refuses; exit codes.
"""

import json
from dataclasses import replace

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from helpers.calls import in_this_process, snap_al
from helpers.odd import PATH
from helpers.samples import rattled_copper

from snap_al.potential import FittedPotential


def strict(text):
    """JSON as others read it: no NaN."""

    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


FIT = (
    "descriptor: {elements: [Cu], twojmax: 4, rcutfac: 4.5}\ntraining: [{path: train.extxyz, "
    "vweight: 3.0e-5}]\n"
)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("validate")
    frames = [rattled_copper(k, 0.02 + 0.01 * (k % 8)).to_atoms() for k in range(16)]
    ase.io.write(folder / "train.extxyz", frames, format="extxyz")
    (folder / "fit.yaml").write_text(FIT)
    assert snap_al("fit", "fit.yaml", "--out", "fit", cwd=folder).returncode == 0
    return folder


def test_properties_on_one_rank_and_two(fitted):
    arguments = (
        "validate",
        "fit",
        "--only",
        "lattice,eos,elastic",
        "--draws",
        6,
        "--labeler",
        "ase.calculators.emt.EMT",
        "--json",
    )
    one, two = (snap_al(*arguments, ranks=n, cwd=fitted, draws=True) for n in (1, 2))
    assert one.returncode == two.returncode == 0, one.stderr + two.stderr
    found, again = strict(one.stdout), strict(two.stdout)
    assert [p["name"] for p in found["properties"]] == [
        "a",
        "cohesive energy",
        "volume",
        "bulk modulus",
        "C11",
        "C12",
        "C44",
    ]
    for p, q in zip(found["properties"], again["properties"], strict=True):
        assert q["value"] == pytest.approx(p["value"], rel=1e-6)
        assert q["std"] == pytest.approx(p["std"], rel=1e-3)
    assert found["coverage"]["n"] == 7
    folder = fitted / "fit" / "validation"
    assert json.loads((folder / "validation.json").read_text()) == again
    assert (folder / "properties.png").stat().st_size > 10_000
    assert (folder / "properties.csv").read_text().splitlines()[
        0
    ] == "name,unit,value,std,reference,z,draws,note"
    assert len(list((folder / "labels").glob("*.json"))) > 10, "the labeler's answers are kept"


def test_stability_with_a_table(fitted):
    (fitted / "table.yaml").write_text("a: 3.59\ncohesive energi: 3\n")
    done = snap_al(
        "validate",
        "fit",
        "--only",
        "lattice,stability",
        "--ps",
        0.2,
        "--draws",
        2,
        "--temperature",
        300,
        "--timestep",
        0.003,
        "--table",
        "table.yaml",
        "--json",
        cwd=fitted,
    )
    found = strict(done.stdout)
    assert {c["name"] for c in found["curves"]} == {
        "Cu-Cu in vacuum",
        "an atom pushed at its neighbour",
        "compression",
    }
    assert [t["name"] for t in found["trajectories"]] == ["NVE", "NPT"]
    assert all(t["passed"] for t in found["trajectories"]), found["trajectories"]
    assert done.returncode == (0 if found["passed"] else 1)
    assert {p["name"]: p["reference"] for p in found["properties"]} == {
        "a": 3.59,
        "cohesive energy": None,
    }
    assert found["problems"] == [
        "the table's 'cohesive energi' is no property here: did you mean 'cohesive energy'?"
    ]
    later = strict(
        snap_al(
            "validate",
            "fit",
            "--only",
            "holes",
            "--temperature",
            300,
            "--timestep",
            0.003,
            "--json",
            cwd=fitted,
        ).stdout
    )
    assert later["properties"] == found["properties"], (
        "of the same potential, what was found before stays"
    )
    assert later["trajectories"] == found["trajectories"]
    screen = snap_al("validate", "fit", "--only", "lattice", "--draws", 2, cwd=fitted).stdout
    assert "cohesive energy" in screen
    assert "validation.json, properties.csv and figures are in fit/validation" in screen


def test_terminations_are_stated(fitted):
    """In the result, on the screen, in the file and on the page."""
    arguments = ("validate", "fit", "--only", "surfaces", "--draws", 2)
    found = strict(snap_al(*arguments, "--json", cwd=fitted).stdout)
    notes = {p["name"]: p["note"] for p in found["properties"]}
    assert set(notes) == {"surface 100", "surface 110", "surface 111"}
    assert all(
        note.startswith("cut between planes") and "faces equal by" in note
        for note in notes.values()
    )
    screen = " ".join(snap_al(*arguments, cwd=fitted).stdout.split())
    assert f"surface 111: {notes['surface 111']}" in screen
    assert notes["surface 111"] in (fitted / "fit" / "validation" / "properties.csv").read_text()
    assert snap_al("report", "fit", cwd=fitted).returncode == 0
    assert notes["surface 111"] in (fitted / "fit" / "report.html").read_text()


def test_a_potential_that_does_not_hold(fitted, monkeypatch):
    """Atoms that fall into each other: a verdict, and exit code 1, not an error."""
    potential = FittedPotential.read(fitted / "fit")
    mean = np.zeros_like(potential.posterior.mean)
    mean[1] = -1.0
    replace(potential, posterior=replace(potential.posterior, mean=mean)).write(fitted / "bad")
    monkeypatch.setattr("snap_al.validation.crystal.MOST_STEPS", 10)  # each brings atoms nearer
    about = ("--ps", 0.1, "--temperature", 300, "--timestep", 0.003, "--json")
    code, said = in_this_process(
        monkeypatch, "validate", fitted / "bad", "--only", "stability", *about
    )
    assert code == 1, said
    found = strict(next(line for line in said.splitlines() if line.startswith("{")))
    assert not found["passed"]
    assert len(found["curves"]) == 3
    assert not any(c["passed"] for c in found["curves"])
    trajectories = {t["name"]: t["finding"] for t in found["trajectories"]}
    assert list(trajectories) == ["relaxation", "NVE", "NPT"]
    assert "not relaxed in 10 steps" in trajectories["relaxation"]
    assert not any(t["passed"] for t in found["trajectories"])


def test_a_labeler_in_a_process_of_its_own(fitted):
    """It knows nothing of the ranks, as in a run."""
    (fitted / "local.yaml").write_text(
        "descriptor: {elements: [Cu], twojmax: 4, rcutfac: 4.5}\ntraining: [{path: train.extxyz}]\n"
        f"label: {{calculator: helpers.odd.Odd, arguments: {{log: {fitted / 'asked.log'}}}, "
        f"backend: local}}\n"
    )
    done = snap_al(
        "validate",
        "fit",
        "--only",
        "lattice",
        "--draws",
        2,
        "--labeler",
        "local.yaml",
        "--json",
        cwd=fitted,
        ranks=2,
        env={"PYTHONPATH": PATH},
    )
    assert done.returncode == 0, done.stderr
    found = strict(done.stdout)
    assert not found["problems"]
    assert found["properties"][0]["reference"] == pytest.approx(3.59, abs=0.01)
    asked = (fitted / "asked.log").read_text().splitlines()
    assert len(asked) > 3
    assert all(line.endswith("[]") for line in asked), "no PMI variables"


def test_refusals(fitted):
    ase.io.write(fitted / "tin.extxyz", bulk("Sn", "diamond", a=6.49))
    ase.io.write(fitted / "molecule.extxyz", rattled_copper(1, repeat=1).to_atoms())
    (fitted / "list.yaml").write_text("- 1\n")
    for arguments, message in (
        (("--only", "elastics"), "--only elastics: did you mean 'elastic'?"),
        (("--structure", "tin.extxyz"), "Sn: the potential is for Cu"),
        (("--structure", "molecule.extxyz"), "neither cubic nor hexagonal"),
        (("--structure", "none.cif"), "none.cif: no such file"),
        (("--labeler", "own"), "--labeler own: the folder is no run"),
        (("--labeler", "ase.calculators.emt.None"), "cannot be imported"),
        (("--table", "list.yaml"), "expected lines"),
    ):
        done = snap_al("validate", "fit", *arguments, cwd=fitted)
        assert done.returncode == 2, (arguments, done.stdout, done.stderr)
        assert message in " ".join(done.stderr.split()), done.stderr
        assert "Traceback" not in done.stderr
    assert snap_al("validate", "nowhere", cwd=fitted).returncode == 2
