"""`snap-al validate` as a user calls it: a fit, a run, against a labeler and a table; on two ranks; what it refuses; exit codes."""

import json

import ase.io
import pytest
from ase.build import bulk
from conftest import rattled_copper, snap_al

FIT = "descriptor: {elements: [Cu], twojmax: 4, rcutfac: 4.5}\ntraining: [{path: train.extxyz, vweight: 3.0e-5}]\n"


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
    one, two = (snap_al(*arguments, ranks=n, cwd=fitted) for n in (1, 2))
    assert one.returncode == two.returncode == 0, one.stderr + two.stderr
    found, again = json.loads(one.stdout), json.loads(two.stdout)
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
    assert (folder / "properties.csv").read_text().splitlines()[0] == "name,unit,value,std,reference,z,draws"
    assert len(list((folder / "labels").glob("*.json"))) > 10, "the labeler's answers are kept"


def test_stability_with_a_table(fitted):
    (fitted / "table.yaml").write_text("a: 3.59\nbulk modulus: 134\n")
    done = snap_al("validate", "fit", "--only", "lattice,stability", "--ps", 0.2, "--draws", 2, "--temperature", 300,
                   "--table", "table.yaml", "--json", cwd=fitted)  # fmt: skip
    found = json.loads(done.stdout)
    assert {c["name"] for c in found["curves"]} == {"Cu-Cu in vacuum", "an atom pushed at its neighbour", "compression"}
    assert [t["name"] for t in found["trajectories"]] == ["NVE", "NPT"]
    assert all(t["passed"] for t in found["trajectories"]), found["trajectories"]
    assert done.returncode == (0 if found["passed"] else 1)
    assert {p["name"]: p["reference"] for p in found["properties"]} == {"a": 3.59, "cohesive energy": None}
    screen = snap_al("validate", "fit", "--only", "lattice", "--draws", 2, cwd=fitted).stdout
    assert "cohesive energy" in screen
    assert "validation.json, properties.csv and figures are in fit/validation" in screen


def test_refusals(fitted):
    ase.io.write(fitted / "tin.extxyz", bulk("Sn", "diamond", a=6.49))
    ase.io.write(fitted / "molecule.extxyz", rattled_copper(1, repeat=1).to_atoms())
    (fitted / "list.yaml").write_text("- 1\n")
    for arguments, message in (
        (("--only", "elastics"), "--only elastics: did you mean 'elastic'?"),
        (("--structure", "tin.extxyz"), "Sn: the potential is for Cu"),
        (("--structure", "molecule.extxyz"), "neither cubic nor hexagonal"),
        (("--structure", "none.cif"), "none.cif: ASE cannot read a structure"),
        (("--labeler", "own"), "--labeler own: the folder is no run"),
        (("--labeler", "ase.calculators.emt.None"), "cannot be imported"),
        (("--table", "list.yaml"), "expected lines"),
    ):
        done = snap_al("validate", "fit", *arguments, cwd=fitted)
        assert done.returncode == 2, (arguments, done.stdout, done.stderr)
        assert message in " ".join(done.stderr.split()), done.stderr
        assert "Traceback" not in done.stderr
    assert snap_al("validate", "nowhere", cwd=fitted).returncode == 2
