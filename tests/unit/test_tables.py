"""snap_al.reporting.tables: Tables on terminals of 60, 80 and 120 columns and in pipes: every
number is whole, whatever the names and the sizes.
"""

import io
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from snap_al.reporting.findings import findings_screen
from snap_al.reporting.layout import (
    UNLIMITED,
    Column,
    Content,
    TextTable,
    make_console,
    shortened,
    wrapped,
)
from snap_al.reporting.status import status_screen
from snap_al.reporting.study_tables import learning_table, selection_table, tuning_table
from snap_al.reporting.tables import errors_table
from snap_al.reporting.validation_table import validation_screen
from snap_al.uncertainty import ErrorTable, KindMetrics, VanishingMetrics
from snap_al.validation import Curve, Property, Validation

WIDTHS = [60, 80, 120, UNLIMITED]
NAMES = [
    "[/b]",
    "slab [clean]",
    "$5_{",
    ":copper: [bold]x[/bold]",
    "a,b\"c'd",
    "line\nbreak\x1b[31m",
    "表面" * 20,
    "x" * 200,
    "Displaced_A15 with a long name, which has an end: 300 K",
    "",
]
EXTREMES = [1e-12, 1.2345e12, math.nan, math.inf, 0.0, 0.12345678]


def printed(screen, width):
    """As `show` of the command line prints it."""
    console = Console(file=io.StringIO(), width=width, markup=False, emoji=False, highlight=False)
    console.print(screen, crop=False)
    return console.file.getvalue()


def numbers_in(text):
    found = []
    for word in re.split(r"[\s,;/]+", text):
        try:
            found.append(float(word))
        except ValueError:
            continue
    return found


def has(text, value, digits=3):
    """Whether the number is in the text, to as many significant digits."""
    if not math.isfinite(value):
        return str(value) in {str(x) for x in numbers_in(text)}
    rounding = 0.5 * 10.0 ** (math.floor(math.log10(abs(value))) + 1 - digits) if value else 0.0
    return any(abs(x - value) <= 1.001 * rounding for x in numbers_in(text))


def metrics(k, n=123):
    value = EXTREMES[k % len(EXTREMES)]
    return KindMetrics(
        n=10**12 if k == 1 else n + k,
        mae=value,
        rmse=value * 1.7,
        sharpness=value / 3,
        coverage_1sigma=0.123,
        coverage_2sigma=0.987,
        nll=-value,
        crps=value / 7,
        spearman=-0.456,
    )


def check_lines(text, width):
    for line in text.splitlines():
        assert cell_len(line) <= width, line


def whole_headers(text, *headers):
    flat = text.split()
    for header in headers:
        assert header in text or all(word in flat for word in header.split()), header


FACTORS = {"energy": 1e3, "forces": 1.0, "stress": 160.21766}


@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
def test_errors(width, everything):
    groups = {name: metrics(k) for k, name in enumerate(NAMES)}
    table = ErrorTable(
        metrics(0),
        replace(metrics(1), groups=groups),
        replace(metrics(2), vanishing=VanishingMetrics(77, 0.0)),
    )
    text = printed(errors_table(table, "on the test set", everything=everything), width)
    check_lines(text, width)
    keys = ["mae", "nll", "crps"] * everything + ["rmse", "sharpness"]
    for kind, values in table.by_kind().items():
        for part in [values, *(values.groups or {}).values()]:
            assert has(text, part.n, 13)
            for key in keys:
                factor = 1.0 if key == "nll" else FACTORS[kind]
                assert has(text, getattr(part, key) * factor, 4), (kind, key, part)
    assert text.count("0.123") >= 3 + len(NAMES)
    assert text.count("0.987") >= 3 + len(NAMES)
    whole_headers(text, "energy, meV/atom", "RMSE", "RMS std", "within 1 std", "within 2 std")
    whole_headers(text, "77 of stress", *["MAE", "NLL", "CRPS", "Spearman"] * everything)
    for name in ("[/b]", "slab [clean]", "$5_{", "(no group)", "a,b\"c'd", r"line\nbreak\x1b[31m"):
        assert name in text
    assert "\x1b" not in text


@pytest.mark.parametrize("width", [60, 80])
def test_usual_errors_fill_one_table(width):
    values = replace(metrics(5, 40123), rmse=0.08712)
    text = printed(errors_table(ErrorTable(values, values, values), "on the test set"), width)
    lines = text.splitlines()
    assert [len(numbers_in(line)) for line in lines if line.startswith(tuple(FACTORS))] == [5, 5, 5]
    if width == 80:
        assert "within 1 std  within 2 std" in text


def test_missing_kinds_and_metrics():
    assert "energy" not in printed(errors_table(ErrorTable(forces=metrics(5)), "test"), 80)
    some = ErrorTable.from_json({"forces": {"mae": 0.5, "rmse": 0.75, "sharpness": 0.25}})
    text = printed(errors_table(some, "test", everything=True), 120)
    [line] = [line for line in text.splitlines() if line.startswith("forces")]
    assert line.split().count("-") == 6
    assert has(text, 0.5)


def candidates():
    names = ("score", "energy_std", "force_std")
    return [{"number": 10**k, **dict.fromkeys(names, v)} for k, v in enumerate(EXTREMES)]


@pytest.mark.parametrize("width", WIDTHS)
def test_selection(width):
    found = {"strategy": "novel", "pool": 10**9, "duplicates": 2, "selected": candidates()}
    text = printed(selection_table(found), width)
    check_lines(text, width)
    for c in found["selected"]:
        assert has(text, c["number"], 9)
        assert has(text, c["score"], 4)
        assert has(text, 1e3 * c["energy_std"], 4)
    whole_headers(text, "rank", "in the pool", "score")
    whole_headers(text, "energy std, meV/atom", "largest force std, eV/Å")


@pytest.mark.parametrize("width", WIDTHS)
def test_learning(width):
    errors = {"energy": 1e-3, "forces": 0.25, "worst_energy": 1e9, "worst_forces": math.nan}
    part = {"mean_error": 0.04321, "interval": [1e-12, 1.5e12], "labels_to_reach": 1234.5}
    found = {
        "full": errors,
        "strategies": {name: dict.fromkeys(errors, part) for name in ("novel", "a strategy" * 30)},
    }
    found["strategies"]["novel"] = {e: dict(part, labels_to_reach=None) for e in errors}
    text = printed(learning_table(found), width)
    check_lines(text, width)
    for name, whole in errors.items():
        factor = FACTORS[name.removeprefix("worst_")]
        for value in (whole, *part["interval"], part["mean_error"]):
            assert has(text, value * factor, 4), (name, value)
    assert has(text, 1234.5, 5)
    whole_headers(text, "strategy", "mean RMSE", "95 % low", "95 % high", "labels needed")
    whole_headers(text, "worst group's forces")


@pytest.mark.parametrize("by", ["folds", "evidence"])
@pytest.mark.parametrize("width", WIDTHS)
def test_tuning(width, by):
    tried = [
        {
            "changed": NAMES[k % len(NAMES)],
            "rmse": {"energy": v, "forces": 0.1234, "stress": 2 * v},
            "evidence_per_row": -v,
            "coefficients": 10**k,
            "microseconds_per_atom": 1e-3 * v,
        }
        for k, v in enumerate(EXTREMES)
    ]
    found = {"by": by, "configurations": 16, "tried": tried, "best": tried[5], "now": tried[4]}
    text = printed(tuning_table(found), width)
    check_lines(text, width)
    for t in tried:
        for kind, value in t["rmse"].items():
            assert has(text, value * FACTORS[kind], 4)
        assert has(text, t["microseconds_per_atom"], 3)
        assert has(text, t["coefficients"], 9)
        assert by == "folds" or has(text, t["evidence_per_row"], 4)
    whole_headers(text, "energy, meV/atom", "forces, eV/Å", "stress, GPa", "columns", "µs per atom")
    assert {"best", "now"} <= set(text.split())
    assert "best, now" in printed(tuning_table(dict(found, now=tried[5])), width)


@pytest.mark.parametrize("width", WIDTHS)
def test_validation(width):
    properties = [
        Property(NAMES[k % len(NAMES)], "J/m²", v, v / 9, 32) for k, v in enumerate(EXTREMES)
    ]
    properties[1] = replace(properties[1], value=1e3, std=1.0, reference=-12345.678 + 1e3)
    properties[2] = replace(properties[2], value=1.0, std=1.0, reference=1.26)
    none = np.zeros(0)
    check = Curve("[/b]", "x", "y", none, none, none, None, False, "too deep at $1_{ [red]")
    found = Validation(
        "digest", "Cu [clean]", "cubic", 300.0, tuple(properties), ("[bold] failed",), (check,)
    )
    text = printed(validation_screen(found), width)
    check_lines(text, width)
    for p in properties:
        assert has(text, p.value, 4)
        assert has(text, p.std, 4)
    assert has(text, -11345.678, 4)
    assert has(text, 12345.678, 3)
    assert "-0.3" in text.split()
    assert "2 references: share within 1 std 0.5, within 2 std 0.5" in " ".join(text.split())
    flat = " ".join(text.split())
    assert "FAILED [/b]: too deep at $1_{ [red]" in flat
    assert "not computed: [bold] failed" in flat
    assert "Cu [clean], cubic" in flat
    whole_headers(text, "property", "value", "std", "reference", "deviation / std", "J/m²")


def run_summary():
    return {
        "stopped": "the tolerance of [/b] is reached",
        "wall_seconds": dict.fromkeys(("md", "std", "label", "fit", "total"), 12345.6),
        "labels": 10**6,
        "rejected": 2,
        "pending": 3,
        "fits": 4,
        "tolerance_ev_per_a": 1e-12,
        "novelty_ev_per_a": 1.2345e12,
        "label_core_seconds": 123456789.0,
        "to_approve": 1,
        "failures": [{"job": "k", "reason": "SCF\x1b[2J failed\nat [red]"}],
        "model_limited": "",
        "walkers": [
            {
                "walker": k,
                "name": NAMES[k],
                "status": "running",
                "step": 10**k,
                "of": 10**9,
                "segments": 7 + k,
                "reason": "largest force std 0.1234 eV/Å above the novelty of 0.1111 eV/Å [here]",
            }
            for k in range(8)
        ],
        "learning_curve": [{"labels": 3, "on": "test", "table": ErrorTable(forces=metrics(5))}],
    }


@pytest.mark.parametrize("width", WIDTHS)
def test_status(width):
    summary = run_summary()
    text = printed(status_screen(summary, running=False), width)
    check_lines(text, width)
    for w in summary["walkers"]:
        assert has(text, w["step"], 9)
        assert has(text, w["segments"], 9)
    for value in (1e-12, 1.2345e12, 12345.6, 1e9, metrics(5).rmse):
        assert has(text, value, 4)
    assert text.count("0.1234") >= len(summary["walkers"])
    assert "\x1b" not in text
    assert r"SCF\x1b[2J failed\nat [red]" in " ".join(text.split())
    whole_headers(text, "walker", "from", "status", "step", "segments", "last", "RMS std")


@pytest.mark.parametrize("width", WIDTHS)
def test_advice_of_doctor_is_whole(width):
    advice = "pip install 'snap_al[mcmc]' (No package metadata was found for nutpie, an extra)"
    found = "MPICH Version: 4.2.0 " * 10
    findings = [("posterior mcmc", "", False, advice), ("MPI", found, True, "")]
    text = printed(findings_screen(findings), width)
    assert f"posterior mcmc: {advice}" in text.splitlines()[-1]
    assert text.count("MPICH") == 10


def test_a_pipe_has_no_width_and_columns_gives_one(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert make_console().width == UNLIMITED
    monkeypatch.setenv("COLUMNS", "70")
    assert make_console().width == 70


def test_shortened_names_have_both_ends():
    assert shortened("abcdefghij", 5) == "ab…ij"
    assert shortened("abc", 3) == "abc"
    assert cell_len(shortened("表面" * 9, 10)) <= 10


def test_names_of_two_words_have_two_lines():
    rows = (("cohesive energy, eV/atom", "1.5"), ("a_name_that_has_one_word_only", "2"))
    table = TextTable("", (Column("property", Content.NAME), Column("value")), rows)
    assert table.lines(24)[2:] == [
        "cohesive energy,     1.5",
        "eV/atom",
        "a_name_t…ord_only      2",
    ]


def test_wrapped_text_is_all_there():
    assert wrapped("one two three", 7) == ["one two", "three"]
    assert wrapped("", 5) == [""]
    assert wrapped("abcdefg hi", 3) == ["abc", "def", "g", "hi"]


floats, integers = st.floats().map(lambda x: f"{x:.4g}"), st.integers(0, 10**15).map(str)
cells = st.one_of(floats, integers, st.just("-"), st.just(""))
words = st.text("abcdefgh", min_size=1, max_size=10)
headers = st.lists(words, min_size=1, max_size=3).map(" ".join)
names = st.text(max_size=80)


@settings(deadline=None, max_examples=200)
@given(st.data(), st.integers(30, 200))
def test_any_table_at_any_width(data, width):
    columns = [Column(data.draw(headers), Content.NAME)]
    kinds = data.draw(st.lists(st.sampled_from(Content), min_size=1, max_size=12))
    columns += [Column(data.draw(headers), kind) for kind in kinds]
    row = st.tuples(names, *(cells if k is Content.NUMBER else names for k in kinds))
    rows = data.draw(st.lists(row, max_size=4))
    lines = TextTable(data.draw(st.text(max_size=90)), tuple(columns), tuple(rows)).lines(width)
    shown = " ".join(lines).split()
    assert all(cell_len(line) <= width for line in lines)
    for place, kind in enumerate(kinds, start=1):
        if kind is Content.NUMBER:
            assert all(not r[place] or r[place] in shown for r in rows)
        if rows and any(r[place] for r in rows):
            assert all(any(word in w for w in shown) for word in columns[place].header.split())
