"""Approval of labels before they are computed. approve/BATCH.json lists the queries, and a file
approve/BATCH.yes or BATCH.no is the answer."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snap_al.data.json_text import number, part, read_json
from snap_al.data.storage import require_regular_file, write_atomically
from snap_al.errors import RunError

POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Approval:
    """Batches of labels that wait for approval, as files: the run asks in one process, and a user
    answers in another."""

    folder: Path
    """Folder of the files."""

    def ask(self, queries: Sequence[dict[str, Any]]) -> str:
        """Name of the batch, which is the same for the same queries. Each query has its key as
        `query`."""
        batch = hashlib.sha256(" ".join(q["query"] for q in queries).encode()).hexdigest()[:12]
        if not self._path(batch, "json").exists():
            write_atomically(self._path(batch, "json"), json.dumps(list(queries), indent=1))
        return batch

    def waiting(self) -> dict[str, list[dict[str, Any]]]:
        """Batches without an answer. Raises RunError for a file that `ask` did not leave."""
        asked = sorted(self.folder.glob("*.json"))
        return {p.stem: _asked(p) for p in asked if self.answer(p.stem) is None}

    def answer(self, batch: str) -> bool | None:
        """Whether the batch is approved; None while there is no answer."""
        answers = [answer for answer in ("yes", "no") if self._path(batch, answer).exists()]
        return answers[0] == "yes" if answers else None

    def give(self, batch: str, answer: str) -> None:
        write_atomically(self._path(batch, answer), "")

    def wait(self, batch: str) -> None:
        """Waits for the answer. Raises RunError when it is no. That answer is removed, so that the
        next start asks again."""
        while (answer := self.answer(batch)) is None:
            time.sleep(POLL_SECONDS)
        if not answer:
            self._path(batch, "no").unlink()
            raise RunError(
                f"the labels of {self._path(batch, 'json')} were not approved. Nothing was paid "
                "for; the same command asks again"
            )

    def _path(self, batch: str, end: str) -> Path:
        return self.folder / f"{batch}.{end}"


def _asked(path: Path) -> list[dict[str, Any]]:
    try:
        queries = read_json(require_regular_file(path).read_bytes())
        if not isinstance(queries, list):
            raise ValueError("expected a list")
        for query in queries:
            part(query, "name")
            for name in ("atoms", "walker", "step"):
                number(query, name)
    except ValueError as error:
        raise RunError(
            f"{path}: is not what a run asked: {error}; remove it, and start the run again"
        ) from error
    return queries
