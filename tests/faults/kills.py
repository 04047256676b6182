"""kill -9 and the signals of batch systems, at random instants."""

import os
import signal
import subprocess
import time

from bench import LONGEST, Row, compared, kill, labels, left
from helpers.odd import ranks_of, until


def random_kills(case, name, count, rng):
    """Of all processes of the driver, again and again until a start runs to its end, and then in
    another folder, `count` times in all.
    """
    row = Row(f"kill -9, {name}, {case.ranks} rank{'s' if case.ranks > 1 else ''}")
    while row.injected < count:
        out, longest, killed, lost, repeated = case.folder(), 2.0, 0, 0, 0
        while killed + row.injected < count:
            process, done = case.start(out), labels(out)
            try:
                process.communicate(timeout=float(rng.uniform(0.3, longest)))
                break
            except subprocess.TimeoutExpired:
                done |= labels(out)
                kill(process)
            orphans = left(out)
            more = compared(done, out)
            lost, repeated, killed, longest = (
                lost + more[0],
                repeated + more[1],
                killed + 1,
                longest * 1.08,
            )
            if orphans:
                row.add(False, f"{orphans} processes left")
        before = labels(out)
        same, note = case.goes_on(out)
        more = compared(before, out)
        for n in range(killed):
            row.add(same, note, *((lost + more[0], repeated + more[1]) if n == 0 else (0, 0)))
    return row


def signals(case, number, count, rng):
    """To every rank, as schedulers do. Survived: exit code 75 at once, and then the rest as if
    nothing had been.
    """
    row = Row(f"{signal.Signals(number).name}, {case.ranks} rank{'s' if case.ranks > 1 else ''}")
    for _ in range(count):
        out = case.folder()
        process = case.start(out)
        until((out / "journal.jsonl").exists, LONGEST)
        time.sleep(float(rng.uniform(0.0, 1.0)))
        for pid in ranks_of(out):
            os.kill(pid, number)
        code, said = case.ended(process, 10.0)
        before = labels(out)
        same, note = case.goes_on(out)
        wrong = "" if code in (0, 75) else f"exit code {code}: {said[-200:]}"
        row.add(same and not wrong, wrong or note, *compared(before, out))
    return row


def one_rank(case, count, rng):
    """kill -9 of one rank alone. Survived: the job ends within 60 s with an exit code other than 0,
    and goes on.
    """
    row = Row(f"kill -9 of one rank of {case.ranks}")
    for n in range(count):
        out = case.folder()
        process = case.start(out)
        until((out / "journal.jsonl").exists, LONGEST)
        time.sleep(float(rng.uniform(0.0, 1.0)))
        pids = ranks_of(out)
        os.kill(pids[n % len(pids)], signal.SIGKILL)
        code, said = case.ended(process, 60.0)
        left(out)
        before = labels(out)
        same, note = case.goes_on(out)
        wrong = f"exit code {code}: {said[-200:]}" if code in (0, None) else ""
        row.add(same and not wrong, wrong or note, *compared(before, out))
    return row
