"""snap_al.reporting.page: The page: whole in one file, of a run and of a fit, its numbers those of
the run; and how it looks in a browser.
"""

import csv
import json
import re
import shutil
import subprocess

import ase.io
import numpy as np
import pytest
from helpers.calls import snap_al
from helpers.optional import needs_program
from helpers.samples import rattled_copper, small_config


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    frames = [rattled_copper(k, 0.05 + 0.01 * (k % 3)).to_atoms() for k in range(6)]
    for k, frame in enumerate(frames):
        frame.info["group"] = "warm" if k % 2 else "cold <&>"
    ase.io.write(folder / "test.extxyz", frames)
    config = small_config(folder, test="test: test.extxyz")
    done = snap_al("run", config, "--out", folder / "run", draws=True)
    assert done.returncode == 0, done.stderr
    done = snap_al("report", folder / "run", draws=True)
    assert done.returncode == 0, done.stderr
    assert f"wrote {folder / 'run' / 'report.html'}" in done.stdout.replace("\n", "")
    return folder / "run"


def rows(path):
    with open(path) as file:
        return list(csv.DictReader(file))


def alone(page):
    """Nothing of it comes from elsewhere."""
    assert not re.search(
        r"(src|href)\s*=\s*[\"']?(?!#|data:)",
        page.replace('xlink:href="#', 'data="').replace('xlink:href="data:', 'data="'),
    )
    assert "url(http" not in page
    assert "@import" not in page
    without_names = re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)
    assert not re.findall(r"https?://[^\s\"'<]+", without_names)


def test_everything_is_there(run):
    page = (run / "report.html").read_text()
    alone(page)
    for title in (
        "What was run",
        "Errors and error bars",
        "Learning curve",
        "Exploration",
        "Predictions and labels",
        "Calibration",
        "How large the error bars are",
        "Atoms that were flagged",
        "Time and cost",
        "Files, and how to use them",
    ):
        assert f"<h2>{title}</h2>" in page, title
    assert page.count("<svg") == page.count("</svg>") == 6
    assert "Stopped: " in page
    assert "cold &lt;&amp;&gt;" in page, "what users name is escaped"
    assert "cold <&>" not in page
    assert "include     potential.mod" in page


def test_frames_are_those_that_were_asked_for(run):
    page = (run / "report.html").read_text()
    frames = json.loads(re.search(r'id="frames">(.*?)</script>', page).group(1))
    events = [
        json.loads(line.split(" ", 1)[1])
        for line in (run / "journal.jsonl").read_text().splitlines()
    ]
    asked = [
        (w, q)
        for e in events
        if e["event"] == "explored"
        for w in e["walkers"]
        for q in w["queries"]
    ]
    assert 0 < len(frames) <= min(6, len(asked))
    for frame in frames:
        (segment,) = [
            w for w, q in asked if frame["name"] == f"walker {w['walker']} at step {q['step']}"
        ]
        assert frame["std"][0] == max(frame["std"]), "the flagged atom comes first"
        assert frame["std"][0] == pytest.approx(segment["force_std"], rel=1e-3), (
            "the std that the walker stopped at"
        )
        assert frame["positions"][0] == [0, 0, 0]
        assert len(frame["positions"]) == len(frame["symbols"]) == frame["atoms"] == 32


def test_numbers_are_those_of_the_run(run):
    metrics = json.loads((run / "metrics.json").read_text())
    parity = [r for r in rows(run / "figures" / "parity.csv") if r["kind"] == "forces"]
    error = [float(r["predicted"]) - float(r["reference"]) for r in parity]
    assert np.sqrt(np.mean(np.square(error))) == pytest.approx(
        metrics["test"]["forces"]["rmse"], rel=1e-6
    )
    assert {r["group"] for r in parity} == {"warm", "cold <&>"}
    within = np.mean([abs(e) <= float(r["std"]) for e, r in zip(error, parity, strict=True)])
    assert within == pytest.approx(metrics["test"]["forces"]["coverage_1sigma"], abs=1e-9)
    curve = [r for r in rows(run / "figures" / "learning_curve.csv") if r["kind"] == "forces"]
    assert float(curve[-1]["rmse"]) == pytest.approx(metrics["test"]["forces"]["rmse"])
    assert (
        int(curve[-1]["labels"]) == metrics["labels"] == len(rows(run / "figures" / "labels.csv"))
    )
    asked = [r for r in rows(run / "figures" / "std_along_walkers.csv") if r["queried"] == "1"]
    assert len(asked) >= metrics["labels"] - 3
    for name in (
        "std_along_walkers",
        "learning_curve",
        "parity",
        "calibration",
        "std_histogram",
        "time",
    ):
        assert (run / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_of_a_fit_and_of_nothing(tmp_path):
    ase.io.write(
        tmp_path / "train.extxyz", [rattled_copper(k, repeat=1).to_atoms() for k in range(8)]
    )
    (tmp_path / "fit.yaml").write_text(
        "descriptor: {elements: [Cu], twojmax: 4, rcutfac: 4.5}\ntraining: [{path: train.extxyz}]\n"
    )
    snap_al("fit", "fit.yaml", "--out", "fit", cwd=tmp_path)
    snap_al("validate", "fit", "--only", "lattice", "--draws", 2, cwd=tmp_path)
    assert snap_al("report", "fit", cwd=tmp_path).returncode == 0
    page = (tmp_path / "fit" / "report.html").read_text()
    alone(page)
    assert "What was fitted" in page
    assert "<h2>Validation</h2>" in page
    assert "Exploration" not in page
    refused = snap_al("report", tmp_path / "nothing")
    assert refused.returncode == 2
    assert "neither a run (journal.jsonl) nor a fit" in refused.stderr.replace("\n", " ")


def test_without_what_was_lost(run, tmp_path):
    """A run directory whose predictions are cut off, or whose validation is another's: the rest of
    the page is there.
    """
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / "predictions.npz"
    path.write_bytes(path.read_bytes()[:1000])
    (tmp_path / "run" / "posterior.npz").unlink()
    (tmp_path / "run" / "validation").mkdir()
    (tmp_path / "run" / "validation" / "validation.json").write_text("[1, 2")
    done = snap_al("report", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Learning curve" in page
    assert "Calibration" not in page
    assert "<h2>Validation</h2>" not in page


@needs_program("chromium", "apt-get install chromium")
def test_in_a_browser(run, tmp_path):
    """Light and dark, wide and narrow: four pictures, each of its own background, none empty;
    nothing wider than the page.
    """
    from PIL import Image

    found = {}
    for width in (1200, 400):
        for dark in (False, True):
            path = tmp_path / f"{width}{dark}.png"
            scheme = (
                ["--blink-settings=preferredColorScheme=0"]
                if dark
                else ["--blink-settings=preferredColorScheme=1"]
            )
            subprocess.run(
                [
                    "chromium",
                    "--headless",
                    "--no-sandbox",
                    "--disable-gpu",
                    "--hide-scrollbars",
                    *scheme,
                    f"--user-data-dir={tmp_path / 'profile'}",
                    f"--window-size={width},3000",
                    f"--screenshot={path}",
                    (run / "report.html").as_uri(),
                ],
                check=True,
                capture_output=True,
                timeout=500,
            )
            found[width, dark] = np.asarray(Image.open(path).convert("L"), dtype=float)
    for (width, dark), picture in found.items():
        assert picture.shape[1] >= width
        assert (picture[0, 0] < 60) == dark, "the corner is the page's background"
        assert picture.std() > 5, "something is drawn"
