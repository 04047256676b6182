"""Submits queries to the labeler and collects the results, with the work divided over ranks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from snap_al.data.configuration import Configuration
from snap_al.label import LabelBackend, LabelResult, refuse_result
from snap_al.loop.approval import Approval
from snap_al.loop.run_directory import RunDirectory
from snap_al.loop.state import Query
from snap_al.parallel import Communicator, collectively, on_root

T = TypeVar("T")
POLL_SECONDS, LONGEST_PAUSE = 0.02, 0.1


class Labelling:
    """Query n belongs to rank n mod size, or all to rank 0: as the backend says. Collective.

    backend: None on ranks that compute no labels; rank 0 has one.
    """

    def __init__(
        self, backend: LabelBackend | None, directory: RunDirectory, comm: Communicator
    ) -> None:
        self._backend, self._directory, self._comm = backend, directory, comm

    def submit(self, queries: tuple[Query, ...]) -> list[str]:
        """Names of the jobs. Submitting a query again does not start a second job."""
        return self._over_ranks(len(queries), lambda backend, n: self._submit(backend, queries[n]))

    def collect(self, queries: tuple[Query, ...], jobs: list[str]) -> list[LabelResult]:
        """Waits for all results. Raises LabelError for a file that is not a label of its query."""
        return self._over_ranks(
            len(queries), lambda backend, n: self._wait(backend, queries[n], jobs[n])
        )

    def ready(
        self, queries: tuple[Query, ...], jobs: list[str], *, wait: bool
    ) -> dict[int, LabelResult]:
        """Finished results, by number of the query; with `wait`, at least one. For backends that
        only rank 0 has."""

        def poll() -> dict[int, LabelResult]:
            assert self._backend is not None
            results = (
                (n, self._backend.poll(job, self._asked(queries[n]))) for n, job in enumerate(jobs)
            )
            return {n: result for n, result in results if result is not None}

        done: dict[int, LabelResult] = {}
        with self._together():
            if self._comm.rank == 0:
                done = poll()
                while wait and not done:
                    time.sleep(LONGEST_PAUSE)
                    done = poll()
        return self._comm.bcast(done)

    def cancel(self, jobs: list[str]) -> None:
        self._over_ranks(len(jobs), lambda backend, n: backend.cancel(jobs[n]))

    def result(self, query: Query, job: str) -> LabelResult | None:
        """The result of a job that was finished before; None when it is gone."""

        def poll() -> LabelResult | None:
            assert self._backend is not None
            return self._backend.poll(job, self._asked(query))

        return on_root(self._comm, poll)

    def approved(self, queries: tuple[Query, ...]) -> None:
        """Returns when a user has approved the queries that were not submitted before. Raises
        RunError when they are not approved."""
        new = [q for q in queries if not q.job]

        def described(query: Query) -> dict[str, Any]:
            atoms = self._asked(query)
            return {
                "query": query.key,
                "walker": query.walker,
                "step": query.step,
                "atoms": len(atoms),
                "name": atoms.name,
            }

        with self._together():
            if new and self._comm.rank == 0:
                approval = Approval(self._directory.approvals)
                approval.wait(approval.ask([described(q) for q in new]))

    def refuse(self, result: LabelResult, reason: str) -> LabelResult:
        """Replaces the result of a label that is not accepted by a failure, on disk too."""
        on_root(self._comm, lambda: refuse_result(self._directory.labels, result.job, reason))
        return replace(result, label=None, reason=reason)

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Work of some ranks, for which the others wait without using their processors."""
        with collectively(self._comm):
            try:
                yield
            finally:
                self._comm.rest()

    def _over_ranks(self, count: int, work: Callable[[LabelBackend, int], T]) -> list[T]:
        local: dict[int, T] = {}
        with self._together():
            if self._backend is not None:
                for n in range(
                    self._comm.rank, count, self._comm.size if self._backend.everywhere else 1
                ):
                    local[n] = work(self._backend, n)
        everyone = {n: result for part in self._comm.allgather(local) for n, result in part.items()}
        return [everyone[n] for n in range(count)]

    def _submit(self, backend: LabelBackend, query: Query) -> str:
        configuration = self._asked(query)
        if query.job and backend.poll(query.job, configuration) is not None:
            return query.job  # finished before this process began, whether it succeeded or failed
        return backend.submit(configuration)

    def _wait(self, backend: LabelBackend, query: Query, job: str) -> LabelResult:
        configuration = self._asked(query)
        pause = POLL_SECONDS
        while (result := backend.poll(job, configuration)) is None:
            time.sleep(pause)
            pause = min(1.1 * pause, LONGEST_PAUSE)
        return result

    def _asked(self, query: Query) -> Configuration:
        return self._directory.read_query(query.key)
