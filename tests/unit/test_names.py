"""snap_al.names: Names from files are shown as they are: on a terminal, in logs, errors, figures,
pages and CSV files.
"""

import ast
import csv
import html
import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import snap_al
from snap_al.errors import InputError, RunError
from snap_al.fitsnap.output import write_metrics
from snap_al.loop.events import Halted, Rejected
from snap_al.names import csv_text, in_figure, in_log, in_message, in_page, in_terminal
from snap_al.reporting.drawing import as_svg
from snap_al.reporting.figures import figures_of, write_figures
from snap_al.reporting.layout import make_console
from snap_al.reporting.numbers import write_numbers
from snap_al.reporting.page import write_page
from snap_al.reporting.prediction_figures import parity
from snap_al.reporting.progress import Progress
from snap_al.reporting.record import Predictions, Record
from snap_al.reporting.validation import figures, read_validation, write_validation
from snap_al.uncertainty import ErrorTable, KindMetrics, Metrics
from snap_al.validation import Curve, Property, Validation

HOSTILE = (
    "[/b]",
    "slab [clean]",
    "$5_{",
    "$x$ and \\$y$",
    "_hidden",
    "<script>alert(1)</script>",
    "a & b",
    "#000000",
    "{{ 7 * 7 }}",
    "=1+1",
    'a, b and "c"',
)
PACKAGE = Path(snap_al.__file__).parent
UNPRINTABLE = "two\nlines\x1b[31m\r\u202eback"
ESCAPED = r"two\nlines\x1b[31m\r\u202eback"


def test_only_what_does_not_print_is_escaped():
    assert in_terminal(UNPRINTABLE) == ESCAPED
    assert in_message("a\tb\nc\x1b\udcff") == "a\tb\nc\\x1b\\udcff"
    assert in_log("failed\n2026-01-01 stopped") == "failed\n    2026-01-01 stopped"
    for name in (*HOSTILE, "表面 é Å"):
        assert in_terminal(name) == in_message(name) == in_page(name) == name
    assert in_page(3) == 3


def read_csv(text, **options):
    return list(csv.reader(io.StringIO(text, newline=""), **options))


characters = st.characters(exclude_characters="\0", exclude_categories=["Cs"])


@given(st.lists(st.text(characters), min_size=2, max_size=4))
def test_csv_is_read_back(row):
    assert read_csv(csv_text([row])) == [row]


def test_csv_of_what_is_no_text():
    assert csv_text([[None, 1.5, "\udcff", "a b"]]) == ",1.5,\\udcff,a b\n"
    assert csv_text([["a b", "", 1]], " ") == '"a b" "" 1\n'


@pytest.mark.parametrize(("style", "separator"), [("CSV", ","), ("SSV", " ")])
def test_metrics_table_of_fitsnap(tmp_path, style, separator):
    rows = [((name, "Unweighted", "Energy"), 3, 0.5, 0.25, 0.1) for name in HOSTILE]
    write_metrics(SimpleNamespace(metrics="m", metrics_style=style), tmp_path, rows)
    found = read_csv((tmp_path / "m").read_text(), delimiter=separator)
    assert [line[0] for line in found[1:]] == list(HOSTILE)
    assert {len(line) for line in found} == {7}


def record(folder, names=(*HOSTILE[:9], UNPRINTABLE)):
    """With the same few rows of forces in each group."""
    groups = np.repeat(np.arange(len(names), dtype=np.int32), 3)
    mean = np.linspace(-1.0, 1.0, len(groups))
    targets = mean + 0.01 * np.cos(np.arange(len(groups)))
    kinds = np.ones(len(groups), dtype=np.int8)
    values = {"n": 3, "mae": 0.1, "rmse": 0.1234, "sharpness": 0.1, "coverage_1sigma": 0.5}
    forces = KindMetrics(**values, groups=dict.fromkeys(names, Metrics(**values)))
    tables = {"test": ErrorTable(forces=forces)}
    std = np.full(len(groups), 0.01)
    predictions = Predictions(kinds, groups, tuple(names), targets, mean, std)
    return Record(folder, "", None, tables, predictions)


def texts_of(svg):
    nodes = [node for node in ET.fromstring(svg).iter() if node.tag.endswith("text")]
    return ["".join(node.itertext()) for node in nodes]


def test_in_figures(tmp_path):
    matplotlib.use("Agg")
    for names in (HOSTILE[:9], (*HOSTILE[9:], UNPRINTABLE)):
        figure = parity(record(tmp_path, names).predictions)
        svg = as_svg(figure).replace("xlink:href", "href")
        shown = texts_of(svg)
        assert [name for name in map(in_terminal, names) if name not in shown] == []
        assert not re.search("(fill|stroke): #000000", svg), "the page's own colours"


def test_in_pages_and_csv(tmp_path):
    folder = tmp_path / 'run <i>"x"'
    folder.mkdir()
    here = record(folder)
    found = figures_of(here)
    write_figures(folder, found)
    write_numbers(here)
    page = write_page(here, found).read_text()
    shown = html.unescape(re.sub("<svg.*?</svg>", "", page, flags=re.DOTALL))
    with_quotes = page.replace("&#34;", '"').replace("&#39;", "'")
    for name in HOSTILE[:9]:
        assert f"<td>{html.escape(name, quote=False)}</td>" in with_quotes, name
    assert "two\nlines\\x1b[31m\\r\\u202eback" in shown
    assert "<script>alert" not in page
    assert "<i>" not in page
    assert "\x1b" not in page
    with open(folder / "figures" / "parity.csv", newline="") as file:
        groups = [line["group"] for line in csv.DictReader(file)]
    assert list(dict.fromkeys(groups)) == list(here.predictions.names)


def test_rows_without_a_group_have_a_line_of_their_own(tmp_path):
    """Not that of all rows together."""
    here = record(tmp_path, ("", "warm"))
    groups = here.tables["test"].forces.groups
    groups[""] = replace(groups[""], n=77)
    page = write_page(here, {}).read_text()
    lines = [re.findall("<td>(.*?)</td>", line) for line in re.findall("<tr.*?</tr>", page)]
    counts = {line[0]: line[1] for line in lines if len(line) > 2}
    assert counts == {"test, forces": "3", "(no group)": "77", "warm": "3"}
    shares = {line[0]: line[-2:] for line in lines if len(line) > 2}
    assert shares["warm"] == ["0.50", "-"], "a dash for what an older file does not have"


def test_in_a_validation(tmp_path):
    matplotlib.use("Agg")
    x, std = np.arange(3.0), np.full(3, 0.1)
    curve = Curve("$5_{", "$x_{", "$y_{", x, 3.0 - x, std, None, True, "<b>")
    names = (*HOSTILE, UNPRINTABLE)
    properties = tuple(Property(name, "J/m²", 1.0, 0.1, 32, 1.1) for name in names)
    validation = Validation("digest", "[/b]", "cubic", 300.0, properties, (), (curve,))
    write_validation(tmp_path, validation)
    found = read_validation(tmp_path)
    expected = {
        "properties": [*map(in_terminal, names)],
        "curves": ["$5_{: passed", "$x_{", "$y_{"],
    }
    for drawn, wanted in expected.items():
        shown = texts_of(as_svg(figures(found)[drawn]).replace("xlink:href", "href"))
        assert [name for name in wanted if name not in shown] == []
    with open(tmp_path / "properties.csv", newline="") as file:
        assert [line["name"] for line in csv.DictReader(file)] == list(names)


def test_dollar_signs_are_no_formula():
    figure = matplotlib.figure.Figure()
    for name in HOSTILE:
        text = figure.text(0, 0, in_figure(name))
        assert text._preprocess_math(text.get_text()) == (name, False)


def test_in_progress_and_its_log(tmp_path):
    text = io.StringIO()
    console = Console(file=text, width=60)
    state = SimpleNamespace(stopped="", pending=(), fitted_labels=0, labelled=())
    reason = "[/b] :copper: $5_{ [clean] \x1b[2J\n2026-01-01 00:00:00 stopped"
    with Progress(tmp_path / "run.log", console) as progress:
        progress(Rejected(query="q", reason=reason, seconds=0.0), state)
        progress(Halted(reason="100 % of slab [clean], %s"), state)
    assert "label rejected: [/b] :copper: $5_{ [clean] \\x1b[2J\n" in text.getvalue()
    log = (tmp_path / "run.log").read_text()
    assert "label rejected: [/b] :copper: $5_{ [clean] \\x1b[2J\n    2026-01-01" in log
    assert "halted: 100 % of slab [clean], %s" in log


def test_in_a_status_line_on_a_terminal(tmp_path):
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=100)
    with Progress(tmp_path / "run.log", console) as progress:
        progress.report("[/b] slab [clean]", 1, 2)
        progress._status.renderable.render(0.0)
        shown = progress._status.renderable.text.plain
    assert shown == "starting: [/b] slab [clean] 1 of 2"


def test_in_errors():
    error = InputError("no [/b] $5_{ in a\x1b[31m.json\nsecond line")
    assert str(error) == "no [/b] $5_{ in a\\x1b[31m.json\nsecond line"
    assert str(RunError("Å 表面")) == "Å 表面"


def test_no_markup_on_any_console(monkeypatch):
    monkeypatch.setattr("sys.stdout", io.StringIO())
    console = make_console()
    console.print("pip install 'snap_al[mcmc]' [bold]:copper:[/bold]")
    assert console.file.getvalue() == "pip install 'snap_al[mcmc]' [bold]:copper:[/bold]\n"


def calls(tree):
    """Dotted names of what is called, with the call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def plain_text(call):
    """A text of our own, or JSON, which has escapes of its own."""
    (first,) = call.args
    safe = ("json.dumps(", "in_message(")
    return isinstance(first, ast.Constant) or ast.unparse(first).startswith(safe)


def test_there_is_no_other_way_to_a_terminal_or_a_csv_file():
    """Whoever prints or writes in another way forgets what names may contain."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        tree, where = ast.parse(path.read_text()), path.relative_to(PACKAGE).as_posix()
        nodes = list(ast.walk(tree))
        modules = [node.names for node in nodes if isinstance(node, ast.Import)]
        imported = {alias.name for names in modules for alias in names}
        imported |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
        found += [f"{where}: {name}" for name in ("csv", "rich.table") if name in imported]
        for name, call in calls(tree):
            if name == "Console" and where != "reporting/layout.py":
                found.append(f"{where}:{call.lineno}: make_console")
            if name == "typer.echo" and not plain_text(call):
                found.append(f"{where}:{call.lineno}: say")
    assert found == []


def test_json_is_not_escaped_twice(tmp_path):
    write_validation(tmp_path, Validation("digest", UNPRINTABLE, "cubic", 300.0))
    assert json.loads((tmp_path / "validation.json").read_text())["structure"] == UNPRINTABLE
