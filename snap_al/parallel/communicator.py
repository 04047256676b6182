"""The interface of communicators, with one over mpi4py and one for a single process.

The packages above are given a `Communicator` and never import mpi4py. Values are pickled only
between the ranks of one job; nothing from a file is unpickled.
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar, cast

import ase.parallel

from snap_al.errors import GO_ON, InputError, SnapALError, UnexpectedError, of_the_disk
from snap_al.parallel.leaving import tell_before_abort

T = TypeVar("T")
REST_SECONDS = 0.005
STARTED = {"SLURM_STEP_NUM_TASKS": "srun", "OMPI_COMM_WORLD_SIZE": "Open MPI's mpirun"}
"""Variables by which a launcher gives the number of processes."""


class Communicator(Protocol):
    """A group of ranks. Every method but `abort` is collective."""

    rank: int
    """Number of this rank."""
    size: int
    """Number of ranks."""

    @property
    def handle(self) -> Any:
        """The communicator as LAMMPS takes it: one of mpi4py."""
        ...

    def bcast(self, value: T, root: int = 0) -> T: ...

    def allgather(self, value: T) -> list[T]: ...

    def split(self, color: int) -> Communicator: ...

    def rest(self) -> None:
        """Waits for all ranks, without using the processor as other calls do."""
        ...

    def abort(self, exit_code: int) -> None: ...


class SerialCommunicator:
    """One rank, alone."""

    rank = 0
    size = 1

    @property
    def handle(self) -> Any:
        return load_mpi().COMM_SELF

    def bcast(self, value: T, root: int = 0) -> T:
        return value

    def allgather(self, value: T) -> list[T]:
        return [value]

    def split(self, color: int) -> Communicator:
        return self

    def rest(self) -> None:
        return

    def abort(self, exit_code: int) -> None:
        raise SystemExit(exit_code)


SERIAL: Communicator = SerialCommunicator()


class MpiCommunicator:
    """The same over an mpi4py communicator."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self.rank: int = handle.Get_rank()
        self.size: int = handle.Get_size()

    @property
    def handle(self) -> Any:
        return self._handle

    def bcast(self, value: T, root: int = 0) -> T:
        return cast(T, self._handle.bcast(value, root=root))

    def allgather(self, value: T) -> list[T]:
        return cast(list[T], self._handle.allgather(value))

    def split(self, color: int) -> Communicator:
        return MpiCommunicator(self._handle.Split(color, self.rank))

    def rest(self) -> None:
        request = self._handle.Ibarrier()
        while not request.Test():
            time.sleep(REST_SECONDS)

    def abort(self, exit_code: int) -> None:
        self._handle.Abort(exit_code)


def load_mpi() -> Any:
    """mpi4py.MPI. Raises InputError when no MPI library can be loaded."""
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise InputError(
            f"no MPI library could be loaded: {error}. LAMMPS needs one even on one rank: "
            "`pip install mpich mpi4py`, or load your site's MPI module. `snap-al doctor` shows "
            "what is found."
        ) from error
    # ASE would use the ranks of this job and wait for all of them in every read, write and
    # velocity draw.
    ase.parallel.world.comm = ase.parallel.DummyMPI()
    return MPI


def world() -> Communicator:
    """All ranks of this job. Raises InputError when no MPI library can be loaded, or when it knows
    nothing of the others.
    """
    handle = load_mpi().COMM_WORLD
    if handle.Get_size() > 1:
        return MpiCommunicator(handle)
    for variable, launcher in STARTED.items():
        if (count := os.environ.get(variable, "1")) != "1":
            raise InputError(
                f"{launcher} started {count} processes, but the MPI library that mpi4py loads "
                "here sees one: they would all do the "
                "same work in the same folder. Start them with srun --mpi=pmi2, or with the "
                "mpirun of that library "
                f"(`snap-al doctor` shows which it is); if one process is meant, unset {variable}"
            )
    return SERIAL


@contextmanager
def collectively(comm: Communicator) -> Iterator[None]:
    """Local work whose failure on one rank becomes the same exception on all. The work must not
    communicate, because a rank that failed in it would leave the others waiting."""
    local_error: Exception | None = None
    try:
        yield
    except Exception as error:
        if comm.size == 1:
            raise
        local_error = error
    failures = [
        (rank, e) for rank, e in enumerate(comm.allgather(_portable(local_error))) if e is not None
    ]
    if failures:
        rank, failure = failures[0]
        raise failure.on_all_ranks() from (local_error if rank == comm.rank else None)


def on_root(comm: Communicator, work: Callable[[], T]) -> T:
    """The result of `work()`, or its exception, which is called on rank 0 and sent to all ranks."""
    result: T | None = None
    with collectively(comm):
        if comm.rank == 0:
            result = work()
    return comm.bcast(result)  # type: ignore[return-value]


def abandon(comm: Communicator, error: Exception, on_abort: Callable[[str], None] | None) -> None:
    """Ends the job after a failure while other ranks may be waiting. The failure is written to disk
    and to stderr; a fault of snap_al has its traceback."""
    failure = _portable(error)
    if on_abort is not None:
        on_abort(str(failure))
    message = f"error: {failure}\nthe job ends; the same command goes on from what is on disk"
    tell_before_abort(message, comm.rank, shared=False)
    comm.abort(GO_ON)


def _portable(error: Exception | None) -> SnapALError | None:
    """An exception that can be sent to another rank: those of snap_al as they are, others as their
    traceback."""
    if error is None or isinstance(error, SnapALError):
        return error
    if (failure := of_the_disk(error)) is not None:
        return failure
    return UnexpectedError("".join(traceback.format_exception(error)))
