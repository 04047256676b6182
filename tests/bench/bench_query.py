"""Scoring and selecting from a large pool whose rows are ready: 10,000 candidates of 64 atoms, 55
columns.

    python tests/bench/bench_query.py [N]; also under mpirun -n 2

Prints for each strategy the time to score all candidates, `prepare` included, and for D the time of
a greedy batch of 500.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from threadpoolctl import threadpool_limits

from snap_al.inference import fit_posterior
from snap_al.parallel import world
from snap_al.query import (
    Candidate,
    Candidates,
    Knowledge,
    Labelled,
    QuerySettings,
    acquisition,
    select,
)
from snap_al.query.strategies import STRATEGIES

COLUMNS, ATOMS, LABELLED = 55, 64, 50


def candidate(number: int, mixing: np.ndarray) -> Candidate:
    rng = np.random.default_rng([number, 0])
    rows = rng.standard_normal((7 + 3 * ATOMS, COLUMNS)) @ mixing * rng.lognormal(0.0, 0.5)
    kinds = np.repeat(np.array([0, 1, 2], np.int8), [1, 3 * ATOMS, 6])
    return Candidate(
        number, rows, np.array([100.0, 1.0, 1e-4])[kinds], kinds, np.zeros(len(rows), bool)
    )


def main(size: int) -> None:
    comm = world()
    mixing = np.linalg.qr(np.random.default_rng(0).standard_normal((COLUMNS, COLUMNS)))[
        0
    ] * np.logspace(0, -3, COLUMNS)
    training = [candidate(size + n, mixing) for n in range(LABELLED)]
    rows = np.concatenate([c.rows for c in training])
    rng = np.random.default_rng(1)
    targets = rows @ rng.standard_normal(COLUMNS) + 0.1 * rng.standard_normal(len(rows))
    weights, kinds = (
        np.concatenate([getattr(c, name) for c in training]) for name in ("weights", "kinds")
    )
    fits = {
        name: fit_posterior(rows, targets, weights, kinds=kinds, posterior=name)
        for name in ("embedded", "committee")
    }
    own = [candidate(n, mixing) for n in range(comm.rank, size, comm.size)]
    mine = training[comm.rank :: comm.size]

    def timed(name: str, n: int) -> float:
        pool = Candidates(own, np.ones(size, dtype=bool), comm)
        comm.allgather(0)
        started = time.perf_counter()
        posterior = fits["committee" if name == "committee" else "embedded"]
        known = Knowledge.of(posterior, Labelled.of(posterior, mine, comm))
        chosen = acquisition(QuerySettings(), 0, strategy=name)
        if n:
            found = select(pool, chosen, known, n)
            assert len(found.numbers) == n
        else:
            score = chosen.prepare(pool, known)
            assert np.isfinite(pool.scores(lambda c: score(c, known))).all()
        comm.allgather(0)
        return time.perf_counter() - started

    with threadpool_limits(1):
        for name in STRATEGIES:
            seconds = timed(name, 0)
            linear = acquisition(QuerySettings(), 0, strategy=name).linear
            if comm.rank == 0:
                print(
                    f"{name:20s} {seconds:7.2f} "
                    f"s{'' if linear else '   (quadratic in candidates)'}",
                    flush=True,
                )
        for name in ("D", "novel"):
            seconds = timed(name, 500)
            if comm.rank == 0:
                print(
                    f"{name}, greedy batch of 500 of {size}: {seconds:.1f} s on {comm.size} ranks",
                    flush=True,
                )


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 10000)
