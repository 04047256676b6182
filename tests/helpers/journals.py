"""Events from a few of their fields, and the lines of journals as they are on disk."""

import json
import zlib
from pathlib import Path
from typing import Any

from snap_al.loop.event_json import decoded
from snap_al.loop.events import Event

USUAL: dict[str, dict[str, Any]] = {
    "labelled": {"job": "j", "walker": 0, "step": 0, "seconds": 0.0, "max_force": None},
    "rejected": {"reason": "", "seconds": 0.0},
}
"""Fields of an event that most tests say nothing about."""


def event(**content: Any) -> Event:
    """The event that a line with this content is read as."""
    return decoded(json.dumps({"time": 0.0, **USUAL.get(content["event"], {}), **content}))


def write_lines(path: Path, contents: list[dict]) -> Path:
    """A journal of whole lines, whatever they say."""
    bodies = [json.dumps({"time": 0.0, **content}, separators=(",", ":")) for content in contents]
    path.write_text("".join(f"{zlib.crc32(b.encode()):08x} {b}\n" for b in bodies))
    return path


def read_lines(path: Path) -> list[dict]:
    """What the journal of a run, or the file itself, says."""
    journal = path / "journal.jsonl" if path.is_dir() else path
    return [json.loads(line.partition(" ")[2]) for line in journal.read_text().splitlines()]
