"""snap_al.progress: Progress: nothing of what is soon done, a line now and then where there is no
terminal, a bar where there is one.
"""

import io
import re
import time

import pytest
from helpers.calls import snap_al
from helpers.odd import until
from helpers.samples import rattled_copper
from rich.console import Console

from snap_al.reporting import working
from snap_al.reporting.working import Working


def shown(monkeypatch, terminal, enough, *, after=0.0, every=0.0):
    """What is shown until `enough`, of the text and of the seconds so far, is true."""
    monkeypatch.setattr(working, "SHOWN_AFTER", after)
    monkeypatch.setattr(working, "LINE_EVERY", every)
    monkeypatch.setattr(working, "TICK", 0.01)
    text, began = io.StringIO(), time.monotonic()
    with Working(Console(file=text, force_terminal=terminal, width=100)) as report:
        report("descriptors", 0, 10)
        report("descriptors", 3, 10)
        until(lambda: enough(text.getvalue(), time.monotonic() - began))
    return text.getvalue(), time.monotonic() - began


@pytest.mark.parametrize("terminal", [False, True])
def test_soon_done(monkeypatch, terminal):
    assert "descriptors" not in shown(monkeypatch, terminal, lambda text, s: s > 0.2, after=1e4)[0]


def test_lines_now_and_then(monkeypatch):
    text, _ = shown(monkeypatch, False, lambda text, s: "3 of 10" in text)
    assert re.search(r"descriptors: 3 of 10, \d+ s so far", text)
    assert shown(monkeypatch, False, lambda text, s: s > 0.2, every=1e4)[0] == ""
    text, seconds = shown(monkeypatch, False, lambda text, s: text.count("\n") >= 3, every=0.1)
    assert len(text.splitlines()) <= seconds / 0.1


def test_a_bar_on_a_terminal(monkeypatch):
    assert "descriptors" in shown(monkeypatch, True, lambda text, s: "3 of 10" in text)[0]


def test_what_does_not_return_has_its_clock_running(monkeypatch):
    text, _ = shown(
        monkeypatch, True, lambda text, s: re.search(r"0:00:0[1-9]|0:00:[1-5]\d|0:0[1-9]", text)
    )
    assert "descriptors" in text


def test_counts_of_a_design_matrix(copper_engine):
    from helpers.samples import WEIGHTS

    from snap_al.data import LabelledConfiguration
    from snap_al.descriptors import DesignMatrix
    from snap_al.parallel import SERIAL

    told = []
    items = [LabelledConfiguration(rattled_copper(k, repeat=1), WEIGHTS) for k in range(3)]
    DesignMatrix(copper_engine, SERIAL).append(items, report=lambda *what: told.append(what))
    assert told == [("descriptors", k, 3) for k in range(3)]


def test_nothing_but_json_on_stdout(tmp_path):
    import json

    import ase.io

    ase.io.write(
        tmp_path / "train.extxyz", [rattled_copper(k, repeat=1).to_atoms() for k in range(8)]
    )
    (tmp_path / "fit.yaml").write_text(
        "descriptor: {elements: [Cu], twojmax: 4, rcutfac: 4.5}\ntraining: [{path: train.extxyz}]\n"
    )
    json.loads(snap_al("fit", "fit.yaml", "--out", "out", "--json", cwd=tmp_path).stdout)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_counts_and_times_are_whole(monkeypatch, width):
    monkeypatch.setattr(working, "SHOWN_AFTER", 0.0)
    text = io.StringIO()
    with Working(Console(file=text, force_terminal=True, width=width)) as report:
        deadline = time.monotonic() + 20
        while "of 2345678" not in text.getvalue() and time.monotonic() < deadline:
            report("[/b] a text that is longer than there is room for", 123456, 2345678)
            time.sleep(0.05)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.getvalue())
    line = next(line for line in re.split(r"[\r\n]+", plain) if "2345678" in line)
    assert re.search(r"\[/b\].* 123456 of 2345678 \d:\d\d:\d\d [-\d]:[-\d]{2}:[-\d]{2}", line), line
    assert len(line.rstrip()) <= width
