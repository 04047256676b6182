"""The journal after a crash anywhere, and the state as a pure function of it."""

import multiprocessing
from dataclasses import replace
from functools import reduce
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snap_al.errors import InputError
from snap_al.loop import Journal, RunState, WalkerState, WalkerStatus, is_running, read_events
from snap_al.loop.settings import StopSettings
from snap_al.loop.state import Query
from snap_al.loop.stopping import stalled

EVENTS = [
    {"event": "opened", "ranks": 1},
    {"event": "started", "queries": ["a", "b"], "walkers": ["Cu"], "digests": {}},
    {"event": "stopped", "reason": "ünïcode\n"},
]


def written(path):
    with Journal(path) as journal:
        for event in EVENTS:
            journal.append(event)
    return path


def stripped(events):
    return [{k: v for k, v in e.items() if k != "time"} for e in events]


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
    process = multiprocessing.get_context("spawn").Process(target=_hold_and_die, args=(tmp_path / "j",))
    process.start()
    process.join()
    assert stripped(read_events(tmp_path / "j")) == EVENTS[:1]
    Journal(tmp_path / "j").close()


def state(**changes):
    return RunState(
        **{"max_retries": 2, "cycles": 1, "last_step": 100, "walkers": (WalkerState(),), "started": True, **changes}
    )


def explored(step, outcome, query="", start=0, segment=0):
    return {"event": "explored", "walkers": [{"walker": 0, "segment": segment, "fit": 1, "from_step": start, "step": step, "outcome": outcome,
            "reason": "", "restart": f"r{step}", "queries": [{"key": query, "step": step}] if query else [], "checks": 1, "model_limited": 0, "ps": 0.001 * max(step - start, 0)}]}  # fmt: skip


def test_a_novel_frame_becomes_a_query_and_the_place_to_go_on():
    after = state().apply(explored(40, "novel", "key"))
    assert [q.key for q in after.pending] == ["key"]
    assert after.walkers[0].trail[-1].restart == "r40"
    assert not after.walkers[0].new_velocities
    done = after.apply({"event": "labelled", "query": "key", "job": "j"})
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
    s = s.apply({"event": "rejected", "query": "a", "reason": ""}).apply(
        {"event": "labelled", "query": "b", "job": "j"}
    )
    assert [q.key for q in s.apply({"event": "halted", "reason": "x"}).pending] == ["c"], "a failed on its own"
    s = s.apply({"event": "rejected", "query": "c", "reason": ""}).apply({"event": "halted", "reason": "x"})
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
        explored(40, "novel", "key"), {"event": "labelled", "query": "key", "job": "j"}, explored(60, "checkpoint", segment=1),
    ]  # fmt: skip
    with pytest.raises(InputError, match="cannot follow those before it"):
        reduce(lambda s, n: s.apply(events[n]), (*lines, 0, 1, 2), state())


def test_unknown_events_are_refused():
    with pytest.raises(InputError, match="does not know"):
        state().apply({"event": "from the future"})


@pytest.mark.parametrize(("errors", "stops"), [
    ((0.3, 0.2, 0.1), False), ((0.3, 0.2), False), ((0.3, 0.1, 0.11, 0.099), True), ((0.3, 0.1, 0.11, 0.09), False), ((), False),
])  # fmt: skip
def test_a_stalled_error(errors, stops):
    """Over two fits, by less than 2 %."""
    config = SimpleNamespace(stop=StopSettings(stalled_fits=2))
    assert bool(stalled(RunState(0, 1, 10, test_errors=errors), config)) == stops


def test_a_halted_run_asks_for_all_again():
    """Frames that a broken labeler refused are not chosen among anew."""
    state = RunState(0, 1, 10, walkers=(WalkerState(),), started=True)
    pending = tuple(Query(f"k{n}", 0, n, chosen=False) for n in range(3))
    state = replace(state, pending=pending).apply({"event": "submitted", "jobs": {f"k{n}": f"j{n}" for n in range(3)}})
    for n in range(3):
        state = state.apply({"event": "rejected", "query": f"k{n}", "reason": "", "seconds": 0.0})
    state = state.apply({"event": "halted", "reason": "broken"})
    assert [q.key for q in state.pending] == ["k0", "k1", "k2"]
    assert state.unchosen == ()
