"""Run directories that are in use, were moved, or are of another version."""

import json
import shutil
import time
import zlib
from pathlib import Path

import calls
from bench import Row, compared, kill, labels, left

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")


def second_driver(case, count):
    row = Row("second driver: refused while the first lives, then taken over")
    for _ in range(count):
        out = case.folder()
        first = case.start(out)
        while not (out / "journal.jsonl").exists() or not (out / "journal.jsonl").stat().st_size:
            time.sleep(0.01)
        code, said = case.ended(case.start(out))
        refused = code == 2 and "another snap-al is running" in said
        alive = first.poll() is None
        kill(first)
        left(out)
        before = labels(out)
        same, note = case.goes_on(out)
        row.add(
            same and (refused or not alive),
            note or f"exit code {code}: {said[-200:]}",
            *compared(before, out),
        )
    return row


def moved(case, count):
    row = Row("run directory moved elsewhere")
    for n in range(count):
        out = _stopped(case, 0.5 + 0.4 * n)
        elsewhere = case.folder() / "deeper"
        elsewhere.parent.mkdir()
        shutil.move(out, elsewhere)
        before = labels(elsewhere)
        same, note = case.goes_on(elsewhere)
        row.add(same, note, *compared(before, elsewhere))
    return row


def clock_jumps(case, count):
    """A month ahead before the kill, and back after it (libfaketime)."""
    row = Row("clock set back a month")
    for n in range(count):
        out = _stopped(
            case,
            0.5 + 0.4 * n,
            {"LD_PRELOAD": str(FAKETIME), "FAKETIME": "+30d", "FAKETIME_DONT_FAKE_MONOTONIC": "1"},
        )
        ahead = (out / "config.yaml").stat().st_mtime > time.time() or json.loads(
            (out / "journal.jsonl").read_text().splitlines()[0][9:]
        )["time"] > time.time() + 86400
        before = labels(out)
        same, note = case.goes_on(out)
        row.add(same and ahead, note or "the clock was not ahead", *compared(before, out))
    return row


def no_locks(case, count):
    """A file system that has none, as some network ones (strace). Survived: refused with the reason
    before anything is done, and taken elsewhere.
    """
    row = Row("file system without locks")
    for _ in range(count):
        out = case.folder()
        code, said = case.ended(
            case.start(
                out, ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=flock:error=ENOLCK"]
            )
        )
        refused = code == 2 and "has no locks" in said and not labels(out)
        same, note = case.goes_on(out)
        row.add(same and refused, note or f"exit code {code}: {said[-200:]}")
    return row


def newer_version(case, count):
    return _refused(
        case,
        count,
        "of a newer version",
        lambda line: line.replace('"format":2', '"format":3'),
        "journal format 3",
    )


def older_version(case, count):
    return _refused(
        case,
        count,
        "of an older version",
        lambda line: line.replace('"format":2', '"format":1'),
        "journal format 1",
    )


def unknown_event(case, count):
    return _refused(
        case,
        count,
        "with an event of the future",
        lambda line: line.replace('"event":"started"', '"event":"begun"'),
        "does not know",
    )


def _refused(case, count, name, change, message):
    """Survived: refused with the reason, nothing touched; and taken again once it is as it was."""
    row = Row(f"run directory {name}")
    for n in range(count):
        out = _stopped(case, 0.8 + 0.3 * n)
        journal = out / "journal.jsonl"
        text = journal.read_text()
        bodies = [change(line[9:]) for line in text.splitlines()]
        journal.write_text("".join(f"{zlib.crc32(b.encode()):08x} {b}\n" for b in bodies))
        before = labels(out)
        code, said = case.ended(case.start(out))
        refused = code == 2 and message in said
        journal.write_text(text)
        same, note = case.goes_on(out)
        row.add(
            same and refused, note or f"exit code {code}: {said[-200:]}", *compared(before, out)
        )
    return row


def _stopped(case, seconds, env=None):
    """A run directory whose driver was killed so many seconds after it began."""
    out = case.folder()
    process = case.start(out, env=env)
    while (
        not (out / "journal.jsonl").exists()
        or '"started"' not in (out / "journal.jsonl").read_text()
    ):
        time.sleep(0.01)
    time.sleep(seconds)
    kill(process)
    left(out)
    return out


FAULTS = (
    second_driver,
    *((no_locks,) if calls.available() else ()),
    moved,
    *((clock_jumps,) if FAKETIME.exists() else ()),
    newer_version,
    older_version,
    unknown_event,
)
