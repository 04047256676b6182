"""Queries to the labeler and results back, spread over ranks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from snap_al.label import LabelBackend, LabelResult
from snap_al.loop.run_directory import RunDirectory
from snap_al.loop.state import Query
from snap_al.parallel import Communicator, collectively

T = TypeVar("T")
POLL_SECONDS, LONGEST_PAUSE = 0.02, 0.1


class Labelling:
    """Query n belongs to rank n mod size, or all to rank 0: as the backend says. Both methods are collective."""

    def __init__(self, backend: LabelBackend, directory: RunDirectory, comm: Communicator) -> None:
        self._backend, self._directory, self._comm = backend, directory, comm

    def submit(self, queries: tuple[Query, ...]) -> list[str]:
        """The jobs' names. Asking for the same again starts nothing anew."""
        return self._over_ranks(len(queries), lambda n: self._submit(queries[n]))

    def collect(self, queries: tuple[Query, ...], jobs: list[str]) -> list[LabelResult]:
        """Waits for all of them. Raises LabelError for a file that is not a label of what was asked for."""
        return self._over_ranks(len(queries), lambda n: self._wait(queries[n], jobs[n]))

    def _over_ranks(self, count: int, work: Callable[[int], T]) -> list[T]:
        own: dict[int, T] = {}
        with collectively(self._comm):
            try:
                if self._backend.everywhere or self._comm.rank == 0:
                    for n in range(self._comm.rank, count, self._comm.size if self._backend.everywhere else 1):
                        own[n] = work(n)
            finally:
                self._comm.rest()
        everyone = {n: result for part in self._comm.allgather(own) for n, result in part.items()}
        return [everyone[n] for n in range(count)]

    def _submit(self, query: Query) -> str:
        configuration = self._directory.read_query(query.key)
        if query.job and self._backend.poll(query.job, configuration) is not None:
            return query.job  # done before this process began, be it a failure
        return self._backend.submit(configuration)

    def _wait(self, query: Query, job: str) -> LabelResult:
        configuration = self._directory.read_query(query.key)
        pause = POLL_SECONDS
        while (result := self._backend.poll(job, configuration)) is None:
            time.sleep(pause)
            pause = min(1.1 * pause, LONGEST_PAUSE)
        return result
