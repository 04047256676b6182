"""Whole runs: what they come to, and how they are killed and gone on with."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress

import numpy as np

from helpers.calls import begun, snap_al
from helpers.journals import read_lines
from helpers.odd import PATIENCE, gone

FILES = ("potential.snapcoeff", "potential_variance.snapcoeff", "posterior.npz", "predictions.npz")


def result_of(folder):
    """What a run comes to, without the times: files to the bit, journal, metrics."""
    timeless = [_timeless(e) for e in read_lines(folder) if e["event"] != "opened"]
    return files_of(folder), timeless


def files_of(folder, names=FILES):
    """To the bit, without the times in archives."""
    return {name: _content(folder / name) for name in names}


def _content(path):
    if path.suffix != ".npz":
        return path.read_bytes()
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name].tobytes() for name in stored.files}


def _timeless(event):
    if isinstance(event, dict):
        return {
            k: _timeless(v)
            for k, v in event.items()
            if k not in ("time", "seconds", "core_seconds", "std_seconds")
        }
    return [_timeless(e) for e in event] if isinstance(event, list) else event


def run(config, out, ranks=1, **kwargs):
    done = snap_al("run", config, "--out", out, ranks=ranks, **kwargs)
    assert done.returncode == 0, done.stdout + done.stderr
    return result_of(out)


def end_orphans(folder):
    """mpirun's ranks are children of a proxy in a group of its own; they end when it is gone."""
    for line in subprocess.run(
        ["ps", "-wweo", "pid,args"], capture_output=True, text=True
    ).stdout.splitlines():
        if str(folder) in line:
            with suppress(ProcessLookupError):
                os.kill(int(line.split()[0]), signal.SIGKILL)
    assert gone(str(folder))


def kill(process, folder):
    """kill -9 of all processes of a run in the folder; they are gone when it returns."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    end_orphans(folder)


def events_in(folder):
    """Events of a run's journal so far, without those of its starts."""
    journal = folder / "journal.jsonl"
    return (
        sum('"event":"opened"' not in line for line in journal.read_text().splitlines())
        if journal.exists()
        else 0
    )


def killed_until_done(config, folder, ranks, rng, whole, times=3):
    """kill -9 of all processes at random instants, then a start that runs to its end. Returns the
    kills.

    The first comes while the run begins, the others after so many events, of those of the
    uninterrupted run in `whole`, and a random part of the time between two events: the same on a
    fast machine and on a busy one.
    """
    chosen = rng.choice(np.arange(1, int(0.8 * events_in(whole))), times - 1, replace=False)
    for kills, threshold in enumerate([0, *sorted(map(int, chosen)), None]):
        process = begun("run", config, "--out", folder, ranks=ranks)
        began, before = time.monotonic(), events_in(folder)
        while process.poll() is None and (threshold is None or events_in(folder) < threshold):
            assert time.monotonic() - began < PATIENCE
            time.sleep(0.005)
        if process.poll() is not None:
            _, said = process.communicate()
            assert process.returncode == 0, said
            return kills
        time.sleep(
            float(
                rng.uniform(0.0, (time.monotonic() - began + 1) / (events_in(folder) - before + 1))
            )
        )
        kill(process, folder)
    raise AssertionError("it never ends")
