"""A sequential algorithm on rank 0 whose function is computed by all ranks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from snap_al.parallel.communicator import Communicator, collectively

T = TypeVar("T")
S = TypeVar("S")


def served(
    comm: Communicator,
    evaluate: Callable[[NDArray[np.float64]], S],
    work: Callable[[Callable[[NDArray[np.float64]], S]], T],
) -> T:
    """`work(f)` runs on rank 0 and may call f(x) from any thread; `evaluate(x)`, collective, then
    runs on all. Its result goes to all ranks, as does its exception. Collective.

    Only rank 0 decides, so that ranks whose processors round differently cannot part ways.
    """
    if comm.size == 1:
        return work(evaluate)
    result: T | None = None
    broken: Exception | None = None
    if comm.rank != 0:
        while (x := comm.bcast(None)) is not None:
            evaluate(x)  # raises on all ranks alike, which ends the work everywhere
    else:
        one_at_a_time, evaluating = threading.Lock(), threading.Event()

        def f(x: NDArray[np.float64]) -> S:
            with one_at_a_time:
                comm.bcast(x)
                evaluating.set()
                value = evaluate(x)
                evaluating.clear()
                return value

        try:
            result = work(f)
        except Exception as error:
            if evaluating.is_set():
                raise
            broken = error
        comm.bcast(None)
    with collectively(comm):
        if broken is not None:
            raise broken
    return comm.bcast(result)  # type: ignore[return-value]
