"""snap_al.loop.journal: The journal after a crash anywhere, and the state as a pure function of
it.
"""

import json
import multiprocessing
from dataclasses import replace
from types import SimpleNamespace

import pytest
from helpers.journals import event, write_lines
from hypothesis import given, settings
from hypothesis import strategies as st

from snap_al.errors import InputError
from snap_al.loop import (
    Journal,
    RunState,
    WalkerState,
    WalkerStatus,
    is_running,
    read_events,
    replayed,
)
from snap_al.loop.event_json import decoded, encoded
from snap_al.loop.events import Opened, Started, Stopped
from snap_al.loop.settings import StopSettings
from snap_al.loop.state import EventOrderError, Query
from snap_al.loop.stopping import stalled
from snap_al.reporting.summary import summarise
from snap_al.tasks.run import RunResult

EVENTS = [
    Opened(ranks=1, snap_al="0.2"),
    Started(queries=("a", "b"), walkers=("Cu",), digests={}),
    Stopped(reason="ünïcode\n"),
]


def written(path):
    with Journal(path) as journal:
        for event in EVENTS:
            journal.append(event)
    return path


def stripped(events):
    return [replace(e, time=0.0) for e in events]


def test_what_was_appended_is_read(tmp_path):
    assert stripped(read_events(written(tmp_path / "j"))) == EVENTS


@given(cut=st.integers(0, 400))
@settings(max_examples=60, deadline=None)
def test_cut_off_anywhere(tmp_path_factory, cut):
    """A prefix of whole events survives, and the journal can be appended to again."""
    path = written(tmp_path_factory.mktemp("j") / "j")
    data = path.read_bytes()
    path.write_bytes(data[: min(cut, len(data))])
    survived = stripped(read_events(path))
    assert survived == EVENTS[: len(survived)]
    with Journal(path) as journal:
        journal.append(EVENTS[0])
    assert stripped(read_events(path)) == [*survived, EVENTS[0]]


@pytest.mark.parametrize("at", [3, 20, 60])
def test_damage_before_the_end_is_an_error(tmp_path, at):
    path = written(tmp_path / "j")
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match=r"line \d: damaged"):
        read_events(path)


def test_one_writer(tmp_path):
    path = tmp_path / "j"
    assert not is_running(path)
    with Journal(path):
        assert is_running(path)
        with pytest.raises(InputError, match="another snap-al is running"):
            Journal(path)
    assert not is_running(path)
    Journal(path).close()


def _hold_and_die(path):
    import os
    import signal

    Journal(path).append(EVENTS[0])
    os.kill(os.getpid(), signal.SIGKILL)


def test_the_lock_dies_with_the_process(tmp_path):
    process = multiprocessing.get_context("spawn").Process(
        target=_hold_and_die, args=(tmp_path / "j",)
    )
    process.start()
    process.join()
    assert stripped(read_events(tmp_path / "j")) == EVENTS[:1]
    Journal(tmp_path / "j").close()


def state(**changes):
    return RunState(
        **{
            "max_retries": 2,
            "cycles": 1,
            "last_step": 100,
            "walkers": (WalkerState(),),
            "started": True,
            **changes,
        }
    )


def explored(step, outcome, query="", start=0, segment=0):
    return event(
        event="explored",
        walkers=[
            {
                "walker": 0,
                "segment": segment,
                "fit": 1,
                "from_step": start,
                "step": step,
                "outcome": outcome,
                "reason": "",
                "restart": f"r{step}",
                "queries": [{"key": query, "step": step}] if query else [],
                "checks": 1,
                "model_limited": 0,
                "ps": 0.001 * max(step - start, 0),
                "force_std": 0.1,
                "seconds": 0.1,
                "std_seconds": 0.0,
            }
        ],
    )


def test_a_novel_frame_becomes_a_query_and_the_place_to_go_on():
    after = state().apply(explored(40, "novel", "key"))
    assert [q.key for q in after.pending] == ["key"]
    assert after.walkers[0].trail[-1].restart == "r40"
    assert not after.walkers[0].new_velocities
    done = after.apply(event(event="labelled", query="key", job="j"))
    assert not done.pending
    assert done.labelled[0][1] == "j"


def test_failures_go_back_and_end():
    """First the same frame with new velocities, then one further back, then given up."""
    s = state().apply(explored(40, "checkpoint")).apply(explored(60, "checkpoint", segment=1))
    steps = []
    for segment in (2, 3, 4):
        s = s.apply(explored(70, "beyond use", segment=segment))
        steps.append(s.walkers[0].trail[-1].step)
    assert steps == [60, 40, 40]
    assert s.walkers[0].new_velocities
    assert s.walkers[0].status is WalkerStatus.GIVEN_UP


def test_a_good_segment_forgets_the_failures():
    s = state().apply(explored(70, "failed")).apply(explored(40, "checkpoint", segment=1))
    assert s.walkers[0].retries == 0


def test_failing_again_and_again_at_the_same_place_ends():
    """Going back and passing the easy stretch once more is no progress: never an endless run."""
    s, segments = state(), 0
    while s.walkers[0].status is WalkerStatus.EXPLORING:
        at = s.walkers[0].trail[-1].step
        step, outcome = (at + 20, "checkpoint") if at < 40 else (50, "failed")
        s = s.apply(explored(step, outcome, start=at, segment=segments))
        segments += 1
        assert segments < 20
    assert s.walkers[0].status is WalkerStatus.GIVEN_UP


def test_what_a_broken_labeler_rejected_is_asked_for_again():
    s = state(pending=(Query("a", -1, 0), Query("b", -1, 0), Query("c", -1, 0)))
    s = s.apply(event(event="rejected", query="a", reason="")).apply(
        event(event="labelled", query="b", job="j")
    )
    assert [q.key for q in s.apply(event(event="halted", reason="x")).pending] == ["c"], (
        "a failed on its own"
    )
    s = s.apply(event(event="rejected", query="c", reason="")).apply(
        event(event="halted", reason="x")
    )
    assert [q.key for q in s.pending] == ["c"]
    assert s.rejections == 1


def test_cycles_begin_again():
    s = state(cycles=2).apply(explored(100, "finished"))
    assert s.walkers[0].status is WalkerStatus.EXPLORING
    assert s.walkers[0].trail[-1].restart is None
    assert s.apply(explored(100, "finished", segment=1)).walkers[0].status is WalkerStatus.FINISHED


def test_a_candidate_on_the_last_step_is_labelled_and_then_the_walker_is_done():
    s = state().apply(explored(100, "novel", "key"))
    assert s.pending
    assert s.walkers[0].status is WalkerStatus.FINISHED


@pytest.mark.parametrize("lines", [(0, 0), (1,), (2,), (0, 2)])
def test_lines_that_are_gone_or_there_twice(lines):
    """Each line is whole, and their order is not."""
    events = [
        explored(40, "novel", "key"),
        event(event="labelled", query="key"),
        explored(60, "checkpoint", segment=1),
    ]
    with pytest.raises(InputError, match="cannot follow those before it"):
        replayed(state(), [events[n] for n in (*lines, 0, 1, 2)])


def test_unknown_events_are_refused():
    with pytest.raises(ValueError, match="does not know"):
        decoded('{"event": "from the future", "time": 1.0}')


def test_an_event_is_read_as_it_was_written(tmp_path):
    for content in WHOLE:
        given = event(**content)
        assert decoded(encoded(given)) == given
        on_disk = json.loads(encoded(given))
        assert next(iter(on_disk)) == "event"
        assert list(on_disk)[-1] == "time"
        assert content["event"] == "explored" or content.items() <= on_disk.items()


WHOLE = [
    {"event": "opened", "ranks": 1, "format": 2},
    {"event": "started", "queries": ["a"], "walkers": ["Cu"], "digests": {"start": "f"}},
    {"event": "chosen", "kept": ["a"], "dropped": []},
    {"event": "submitted", "jobs": {"a": "j"}},
    {"event": "checked", "label": 0.1, "derivative": 0.1, "good": True, "verdict": "agree"},
    {
        "event": "labelled",
        "query": "a",
        "job": "j",
        "walker": -1,
        "step": 0,
        "seconds": 0.1,
        "max_force": None,
    },
    {"event": "rejected", "query": "a", "reason": "", "seconds": 0.1},
    {
        "event": "fitted",
        "fit": 1,
        "labels": 1,
        "novelty": 0.1,
        "measured_on": "test",
        "seconds": 1.0,
        "table": {"forces": {"rmse": 0.1, "sharpness": 0.1}},
    },
    {
        "event": "explored",
        "walkers": [
            {
                "walker": 0,
                "segment": 0,
                "fit": 1,
                "from_step": 0,
                "step": 40,
                "outcome": "novel",
                "reason": "",
                "restart": "walkers/0/s.restart",
                "queries": [{"key": "b", "step": 40}],
                "checks": 1,
                "model_limited": 0,
                "force_std": 0.1,
                "ps": 0.1,
                "seconds": 0.1,
                "std_seconds": 0.0,
            }
        ],
    },
    {"event": "halted", "reason": "x"},
    {"event": "stopped", "reason": "x"},
]


def damaged(event):
    """Each of its keys is left out, and given a value of another type."""
    for key in event:
        if key == "format":
            continue
        yield {k: v for k, v in event.items() if k != key}
        if key != "max_force":
            yield {**event, key: None}
        yield {**event, key: [{}]}
    for key in event:
        if key == "walkers" and isinstance(event[key][0], dict):
            yield from ({**event, key: [changed]} for changed in damaged(event[key][0]))


def test_what_is_missing_or_of_another_type_is_the_files(tmp_path):
    """Lines whose checksum is right, and whose content is not."""
    read_events(write_lines(tmp_path / "j", WHOLE))
    for number, content in enumerate(WHOLE):
        for wrong in damaged(content):
            write_lines(tmp_path / "j", [*WHOLE[:number], wrong])
            with pytest.raises(InputError, match=rf"j, line {number + 1}: "):
                read_events(tmp_path / "j")


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "a/../../x", "..", "", "a\nb", "a/.hidden", "~/x"]
)
def test_names_of_files_in_events_stay_inside(tmp_path, name):
    segment = WHOLE[8]["walkers"][0]
    contents = [
        {**WHOLE[8], "walkers": [{**segment, "restart": name}]},
        {**WHOLE[8], "walkers": [{**segment, "queries": [{"key": name, "step": 1}]}]},
        {**WHOLE[1], "queries": [name]},
        {**WHOLE[3], "jobs": {"a": name}},
        {**WHOLE[5], "job": name},
    ]
    for content in contents:
        with pytest.raises(InputError, match="line 1: "):
            read_events(write_lines(tmp_path / "j", [content]))


@pytest.mark.parametrize(
    "error", [AttributeError, KeyError, TypeError, ValueError, IndexError, StopIteration]
)
def test_a_fault_of_our_own_is_not_called_damage(monkeypatch, error):
    """A misspelt attribute, a wrong key: what it is comes out, with its traceback."""

    def faulty(self, *arguments):
        raise error("a fault of snap_al")

    monkeypatch.setattr(WalkerState, "explored", faulty)
    with pytest.raises(error, match="a fault of snap_al"):
        replayed(state(), [explored(40, "checkpoint")])


def test_an_event_of_our_own_that_cannot_follow_is_no_damage_either():
    """While a run goes on, its events are not the user's."""
    with pytest.raises(EventOrderError):
        state().apply(explored(40, "checkpoint", segment=3))


@pytest.mark.parametrize(
    ("errors", "stops"),
    [
        ((0.3, 0.2, 0.1), False),
        ((0.3, 0.2), False),
        ((0.3, 0.1, 0.11, 0.099), True),
        ((0.3, 0.1, 0.11, 0.09), False),
        ((), False),
    ],
)
def test_a_stalled_error(errors, stops):
    """Over two fits, by less than 2 %."""
    config = SimpleNamespace(stop=StopSettings(stalled_fits=2))
    assert bool(stalled(RunState(0, 1, 10, test_errors=errors), config)) == stops


def test_a_halted_run_asks_for_all_again():
    """Frames that a broken labeler refused are not chosen among anew."""
    state = RunState(0, 1, 10, walkers=(WalkerState(),), started=True)
    pending = tuple(Query(f"k{n}", 0, n, chosen=False) for n in range(3))
    state = replace(state, pending=pending).apply(
        event(event="submitted", jobs={f"k{n}": f"j{n}" for n in range(3)})
    )
    for n in range(3):
        state = state.apply(event(event="rejected", query=f"k{n}", reason="", seconds=0.0))
    state = state.apply(event(event="halted", reason="broken"))
    assert [q.key for q in state.pending] == ["k0", "k1", "k2"]
    assert state.unchosen == ()


def test_what_was_said_of_labels_is_in_the_summary(tmp_path):
    """Of the last session; a journal of an earlier version says nothing."""
    opened = {"event": "opened", "ranks": 1}
    write_lines(tmp_path / "journal.jsonl", [opened])
    before = summarise(read_events(tmp_path / "journal.jsonl"), state())
    assert (before["warnings"], before["notes"]) == ([], [])
    with Journal(tmp_path / "journal.jsonl") as journal:
        journal.append(Opened(ranks=1, warnings=("a: other sign",), notes=("b: not checked",)))
        journal.append(Opened(ranks=1, warnings=("c: other sign",)))
    summary = summarise(read_events(tmp_path / "journal.jsonl"), state())
    now = RunResult.of(summary, (), tmp_path).as_json()
    assert (now["warnings"], now["notes"]) == (["c: other sign"], [])


def test_warnings_that_are_no_texts_are_damage():
    with pytest.raises(ValueError, match="warnings"):
        event(event="opened", ranks=1, warnings=[1])


def test_paths_that_are_not_utf8_are_in_journals(tmp_path):
    """Names of files may have any bytes; Python holds those that are no text as surrogates."""
    path = "training.0 caf\udcff.extxyz"
    started = Started(queries=("a",), walkers=(path,), digests={path: "f"})
    with Journal(tmp_path / "j") as journal:
        journal.append(started)
    assert stripped(read_events(tmp_path / "j")) == [started]
