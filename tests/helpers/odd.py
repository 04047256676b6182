"""A labeler with bad habits, and how to wait for labels."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from ase.calculators.emt import EMT

HERE = Path(__file__).parent
PATIENCE = 400
"""Seconds after which what has not happened will not: long, since a busy machine is no fault."""


class Odd(EMT):
    """EMT with one habit, chosen by name. log: a file that gets a line for each label."""

    def __init__(self, habit="", log=None, **kwargs):
        super().__init__(**kwargs)
        self.habit, self.log = habit, log

    def calculate(self, *args, **kwargs):
        if self.log:
            with open(self.log, "a") as file:
                file.write(
                    f"{os.getpid()} {sorted(k for k in os.environ if k.startswith('PMI'))}\n"
                )
        if self.habit == "hangs":
            subprocess.Popen(["sleep", "1000"])
            time.sleep(1000)
        if "mpirun" in self.habit:
            subprocess.run(self.habit.split())
        if self.habit == "deaf":
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
            time.sleep(1000)
        if self.habit == "slow":
            time.sleep(3)
        if self.habit == "in threes":
            self.meet(3)
        if self.habit == "dies":
            print("Killed by the gremlins", flush=True)
            os._exit(1)
        if self.habit == "fails":
            raise RuntimeError("not converged")
        super().calculate(*args, **kwargs)
        if self.habit == "in threes":
            self.note("ended")

    def note(self, what):
        with open(self.log, "a") as file:
            file.write(f"{os.getpid()} {what}\n")

    def meet(self, count):
        """Waits until as many have begun as fill the group that this one is in: all of a group work
        at the same time.
        """
        self.note("begun")
        own = [line.split()[0] for line in begun(self.log)].index(str(os.getpid()))
        until(lambda: len(begun(self.log)) >= count * (own // count + 1))


def begun(log):
    return [line for line in Path(log).read_text().splitlines() if line.endswith(" begun")]


PATH = os.pathsep.join(map(str, (HERE.parent, HERE.parent / "unit", HERE.parents[1])))


def waited(backend, job, configuration, patience=PATIENCE):
    deadline = time.monotonic() + patience
    while (result := backend.poll(job, configuration)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return result


DRIVER = """
import sys, time
sys.path[:0] = {path!r}.split(":")
from pathlib import Path
from helpers.samples import rattled_copper
from {module} import jobs
backend = jobs(Path({folder!r}), "slow", log={log!r})
backend.submit(rattled_copper(1))
print("submitted", flush=True)
time.sleep(100)
"""


def driver(module, folder, log):
    """A process that has submitted a slow label to the backend that `module`.jobs makes."""
    text = DRIVER.format(path=PATH, module=module, folder=str(folder), log=str(log))
    process = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE)
    process.stdout.readline()
    return process


def until(true, patience=PATIENCE):
    """What it returned."""
    deadline = time.monotonic() + patience
    while not (found := true()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def ranks_of(folder):
    """Processes of a run in the folder, or those that stand for them (rank.py), without those that
    started them.
    """
    rows = subprocess.run(
        ["ps", "-wweo", "pid,args"], capture_output=True, text=True
    ).stdout.splitlines()
    return sorted(
        int(r.split()[0])
        for r in rows
        if str(folder) in r
        and any(program in r for program in ("-m snap_al run", "rank.py run"))
        and "mpirun" not in r
    )


def children(parent):
    """Processes that a process has started and that are there now."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            if int(path.read_text().rsplit(")", 1)[1].split()[1]) == parent:
                found.append(int(path.parent.name))
    return sorted(found)


def gone(text, patience=PATIENCE):
    """Whether no process has `text` in its command line, now or soon."""
    deadline = time.monotonic() + patience
    while text in subprocess.run(["ps", "-wweo", "args"], capture_output=True, text=True).stdout:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
