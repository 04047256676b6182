"""A short run, what it comes to when nothing happens to it, and what is counted when something
does.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers.optional import BIN
from helpers.runs import result_of
from helpers.samples import small_config

LONGEST = 1000.0
"""s that any start may take: longer is a hang."""
ORPHANS = 200.0
"""s after which nothing of a killed run may be left."""


@dataclass
class Row:
    """survived: injections after which the run went on to what an uninterrupted one comes to, bit
    for bit. lost, repeated: finished labels that were gone, or computed again. notes: what went
    wrong."""

    fault: str
    injected: int = 0
    survived: int = 0
    lost: int = 0
    repeated: int = 0
    notes: tuple[str, ...] = ()

    def add(self, survived, note="", lost=0, repeated=0):
        self.injected += 1
        self.survived += bool(survived) and not lost and not repeated
        self.lost, self.repeated = self.lost + lost, self.repeated + repeated
        if note and not survived:
            self.notes = (*self.notes, note)

    @property
    def good(self):
        return self.injected > 0 and self.survived == self.injected


class Case:
    """One config on so many ranks."""

    def __init__(self, root, ranks=1, **changes):
        self.root, self.ranks, self._number = Path(root), ranks, 0
        explore = (
            "explore: {walkers: [{structure: Cu.extxyz, supercell: [2, 2, 2]}], temperature: "
            "[300, 900], timestep: 0.003, steps: 200, "
            "check_every: 10, checkpoint_every: 50, pressure_damping: 1.0}"
        )
        self.config = small_config(
            self.root / "in", **{"explore": explore, "stop": "stop: {max_labels: 8}", **changes}
        )
        self.expected, whole = None, self.folder()
        code, said = self.ended(self.start(whole))
        assert code == 0, said
        self.expected = result_of(whole)
        self.whole = whole

    def folder(self):
        self._number += 1
        return self.root / f"run{self._number}"

    def start(self, out, prefix=(), env=None, config=None):
        """prefix: a command that each rank is started by."""
        command = [
            *prefix,
            sys.executable,
            "-m",
            "snap_al",
            "run",
            str(config or self.config),
            "--out",
            str(out),
        ]
        if self.ranks > 1:
            command = [str(BIN / "mpirun"), "-n", str(self.ranks), *command]
        return subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
            env={**os.environ, **(env or {})},
        )

    def ended(self, process, within=LONGEST):
        """Exit code and what it said; None for one that hangs, which is ended."""
        try:
            said, _ = process.communicate(timeout=within)
            return process.returncode, said
        except subprocess.TimeoutExpired:
            kill(process)
            return None, "a hang"

    def goes_on(self, out, config=None):
        """Whether the same command now ends, and at the same; the note says why not."""
        code, said = self.ended(self.start(out, config=config))
        if code != 0:
            return False, f"exit code {code}: {said[-300:]}"
        same = result_of(out) == self.expected
        return same, "" if same else f"{out}: another result"


def kill(process):
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def left(folder, patience=ORPHANS):
    """Processes that name the folder, after as long as it takes them to end; they are then
    killed.
    """
    deadline = time.monotonic() + patience
    while pids := _naming(folder):
        if time.monotonic() > deadline:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return len(pids)
        time.sleep(0.1)
    return 0


def _naming(folder):
    rows = subprocess.run(
        ["ps", "-wweo", "pid,args"], capture_output=True, text=True
    ).stdout.splitlines()
    return [int(r.split()[0]) for r in rows if f"{folder} " in r + " " or f"{folder}/" in r]


def labels(out):
    """Files of finished labels, and which file each is."""
    return {
        p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in (out / "labels").glob("*.json")
    }


def compared(before, out):
    """(lost, repeated) of the labels that were finished before."""
    after = labels(out)
    return (
        sum(name not in after for name in before),
        sum(name in after and after[name] != which for name, which in before.items()),
    )
