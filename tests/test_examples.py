"""examples: Every example runs, in a short form: fewer steps, fewer labels, fewer seeds. Others are
run by the tests named beside them.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import ase.io
import pytest
from ase.build import bulk
from helpers.calls import ROOT, snap_al
from helpers.optional import BIN, QUANTUM_ESPRESSO, espresso_is_here, needs

EXAMPLES = ROOT / "examples"
RUN_ELSEWHERE = {
    "fitsnap": "test_fitsnap.py",
    "labelers": "test_labelers.py",
    "on_the_fly": "test_on_the_fly.py",
    "slides": "test_slides.py",
}


def short(name, folder, **changes):
    """A copy of the example, its config with other values."""
    shutil.copytree(EXAMPLES / name, folder / name)
    for path in (folder / name).glob("*.yaml"):
        text = path.read_text()
        for key, value in changes.items():
            text = re.sub(rf"\b{key}: [^,}}\n#]+", f"{key}: {value}", text)
        path.write_text(text)
    return folder / name


def test_copper(tmp_path):
    """As its README has it, down to plain LAMMPS."""
    assert snap_al("init", "copper", "-o", "copper.yaml", cwd=tmp_path).returncode == 0
    text = (
        (tmp_path / "copper.yaml")
        .read_text()
        .replace("steps: 2000", "steps: 60")
        .replace("twojmax: 6", "twojmax: 4")
    )
    (tmp_path / "copper.yaml").write_text(text.replace("[3, 3, 3]", "[2, 2, 2]"))
    done = snap_al("run", "copper.yaml", "--out", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    readme = (EXAMPLES / "copper" / "README.md").read_text().replace("\\\n", " ")
    commands = re.findall(r"^    ((?:cp|cd|python|lmp) .*)$", readme, re.MULTILINE)
    script = (
        "\n".join(commands)
        .replace("../../lammps_inputs", str(ROOT / "lammps_inputs"))
        .replace("steps 1000", "steps 20")
    )
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-ec", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(commands) == 4
    assert "Loop time of" in done.stdout


def test_cluster(tmp_path):
    """Its walkers, without a scheduler; test_cluster.py has its scripts under a real one."""
    folder = short("cluster", tmp_path, steps=20, twojmax=4, checkpoint_every=10)
    ase.io.write(folder / "Cu.extxyz", bulk("Cu", cubic=True))
    text = (folder / "copper.yaml").read_text().replace("[3, 3, 3]", "[2, 2, 2]")
    (folder / "copper.yaml").write_text(text)
    done = snap_al("run", "copper.yaml", "--out", "run", "--json", cwd=folder, ranks=2)
    assert done.returncode == 0, done.stderr
    status = json.loads(snap_al("status", "run", "--json", cwd=folder).stdout)
    assert len(status["walkers"]) == 8


@pytest.mark.parametrize("name", ["alloy", "carving", "biased"])
def test_runs(tmp_path, name):
    folder = short(name, tmp_path, steps=30, twojmax=4, max_labels=6, force_std=0.03)
    draws = name == "alloy"  # figures of several elements
    done = snap_al(
        "run", f"{name}.yaml", "--out", "run", "--json", cwd=folder, ranks=2, draws=draws
    )
    assert done.returncode == 0, done.stderr
    metrics = json.loads(done.stdout)
    assert metrics["labels"] >= 4
    assert metrics["training"]["forces"]["rmse"] < 0.5
    if name == "carving":
        sizes = [
            len(json.loads(path.read_text())["species"])
            for path in (folder / "run" / "queries").glob("*.json")
        ]
        assert max(sizes) < 300, "large frames are not labelled whole"


def test_pool(tmp_path):
    folder = short("pool", tmp_path, twojmax=4)
    subprocess.run(
        [sys.executable, "make_pool.py", "--each", "8"], cwd=folder, check=True, timeout=500
    )
    assert {a.info["group"] for a in ase.io.read(folder / "pool.extxyz", ":")} == {
        "warm",
        "strained",
        "vacancies",
        "melt",
    }
    done = snap_al("select", "copper.yaml", "pool.extxyz", "-n", 5, "-o", "ask.extxyz", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert len(ase.io.read(folder / "ask.extxyz", ":")) == 5
    done = snap_al(
        "learn",
        "copper.yaml",
        "pool.extxyz",
        "--seeds",
        2,
        "--most",
        15,
        "--out",
        "study",
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "study" / "learning.png").exists()


def test_properties(tmp_path):
    command = [
        "examples/properties/make.py",
        "--out",
        tmp_path,
        "--metals",
        "Cu",
        "--draws",
        "3",
        "--steps",
        "30",
        "--only",
        "lattice,elastic",
    ]
    done = subprocess.run(
        [sys.executable, *map(str, command)], cwd=ROOT, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stderr
    table = json.loads((tmp_path / "coverage.json").read_text())
    assert table["elastic"]["n"] == 3
    assert table["all but cohesive energies"]["n"] == 4
    assert (tmp_path / "coverage.png").exists()
    again = [sys.executable, "examples/properties/make.py", "--out", str(tmp_path), "--tables"]
    lines = subprocess.run(again, cwd=ROOT, capture_output=True, text=True, timeout=60).stdout
    assert lines
    assert done.stdout.endswith(lines), "the README's lines, at the end of the run and later"
    readme = (ROOT / "examples" / "properties" / "README.md").read_text()
    assert lines.splitlines()[0] in readme
    assert f"| C11, C12, C44 | 3 | {table['elastic']['within 1 std']:.2f} |" in lines


@needs(espresso_is_here(), QUANTUM_ESPRESSO)
def test_aluminium(tmp_path):
    """DFT labels, in processes of their own: a handful."""
    folder = short("aluminium", tmp_path, steps=30, max_labels=4, kspacing=0.15)
    done = snap_al("run", "aluminium.yaml", "--out", "run", "--json", cwd=folder, timeout=500)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["labels"] >= 3


SHORTER = {
    "twojmax: 6": "twojmax: 4",
    "steps: 600": "steps: 200",
    "range(20)": "range(6)",
    "lattice,eos,elastic,holes,npt --draws 8 --ps 1.5": "lattice,elastic,npt --draws 3 --ps 0.2",
    "max_labels: 40": "max_labels: 12",
    "tune run --out tune": "tune run --out tune --twojmax 2,4 --cutoff 4.6",
    "run 200": "run 20",
    "thermo 100": "thermo 10",
}


@pytest.mark.parametrize(
    "changes", [SHORTER, pytest.param({}, marks=pytest.mark.slow)], ids=["short", "whole"]
)
def test_tutorial(tmp_path, changes):
    """The notebook from an empty folder; what it shows is what it says. In short, and as it is."""
    import nbformat
    from nbclient import NotebookClient

    text = (EXAMPLES / "tutorial" / "tutorial.ipynb").read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    notebook = nbformat.reads(text, as_version=4)
    before = dict(os.environ)
    os.environ["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    try:
        NotebookClient(
            notebook, timeout=400, resources={"metadata": {"path": str(tmp_path)}}
        ).execute()
    finally:
        os.environ.clear()
        os.environ.update(before)
    assert (tmp_path / "run" / "report.html").exists()
    found = json.loads((tmp_path / "run" / "validation" / "validation.json").read_text())
    assert all(abs(p["z"]) < 4 for p in found["properties"] if p["name"] != "cohesive energy")
    text = "".join(
        "".join(o.get("text", "")) for cell in notebook.cells for o in cell.get("outputs", [])
    )
    inside = float(re.search(r"([\d.]+) of force components within one std", text).group(1))
    assert 0.5 < inside < 0.9
    assert "Loop time of" in text or "Temp" in text, "plain LAMMPS ran with the potential"


def test_every_example_says_what_it_is():
    """A README with a run time, a picture, and a test."""
    here = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    source = Path(__file__).read_text()
    for name in sorted(here):
        readme = (EXAMPLES / name / "README.md").read_text()
        assert re.search(r"\d ?(s|min|minutes|seconds|h)\b", readme), (
            f"{name}: how long does it take?"
        )
        pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", readme)
        assert pictures or name in ("labelers", "cluster"), f"{name}: a picture"
        for picture in pictures:
            assert (EXAMPLES / name / picture).exists(), f"{name}: {picture}"
        assert name in RUN_ELSEWHERE or f'"{name}"' in source or f"examples/{name}" in source, (
            f"{name}: no test runs it"
        )
        if name in RUN_ELSEWHERE:
            assert (ROOT / "tests" / RUN_ELSEWHERE[name]).exists()
