""".ci/docs.py: The API reference builds without a word, has a page for every package, and what is
public says what it is.
"""

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys

import pytest
from helpers.calls import ROOT

import snap_al

PACKAGES = [f"snap_al.{m.name}" for m in pkgutil.iter_modules(snap_al.__path__) if m.ispkg]


def test_reference(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / ".ci" / "docs.py", tmp_path],
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    assert not re.search("warn", done.stdout + done.stderr, re.IGNORECASE), done.stderr
    for package in PACKAGES:
        assert (tmp_path / f"{package.replace('.', '/')}.html").exists(), package
    page = (tmp_path / "snap_al" / "fit.html").read_text()
    assert "The mathematics, as implemented" in page
    assert r"\Sigma_\delta" in page
    assert "SnapCalculator" in (tmp_path / "snap_al.html").read_text()
    assert "forces_std" in (tmp_path / "snap_al" / "potential" / "snap_calculator.html").read_text()


def test_files_that_the_mathematics_name():
    text = (ROOT / "snap_al" / "fit" / "mathematics.md").read_text()
    named = re.findall(r"`([\w/]+\.py)`", text)
    assert len(named) > 15
    for name in named:
        assert any((ROOT / "snap_al" / folder / name).exists() for folder in ("", "fit")), name


@pytest.mark.parametrize("package", ["snap_al", *PACKAGES])
def test_what_is_public_says_what_it_is(package):
    module = importlib.import_module(package)
    for name in getattr(module, "__all__", []):
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            text = inspect.getdoc(value)
            assert text, f"{package}.{name}"
            assert not text.startswith(f"{name}("), (
                f"{package}.{name} has a signature for a docstring"
            )
