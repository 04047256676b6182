"""Which coefficients a model error is embedded in: all, those that are named, or the fewest that do
nearly as well.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from snap_al.errors import FitError
from snap_al.inference.blocks import Block, squared_chunks
from snap_al.inference.embedded import iid_variances
from snap_al.parallel import Communicator, sum_rows

Array = NDArray[np.float64]
SHARE = 0.95
TRIALS = np.exp(np.linspace(-10.0, 3.0, 14))
"""Variances that a candidate is tried with, next to what would explain the residuals alone."""


def given(embed: str | tuple[int | str, ...], n: int) -> NDArray[np.int64]:
    """(p,) column numbers. Raises FitError for a number that no column has, or a name, which needs
    a descriptor.
    """
    if isinstance(embed, str):
        return np.arange(n)
    for entry in embed:
        if not isinstance(entry, int) or not -n <= entry < n:
            raise FitError(
                f"embed: {entry!r} is no column; there are {n}, and names need a descriptor to go "
                "by"
            ).on_all_ranks()
    return np.unique([int(e) % n for e in embed])


def fewest(
    blocks: Sequence[Block], noise_share: float, pseudo_rows: float, comm: Communicator
) -> tuple[NDArray[np.int64], list[str]]:
    """(p,) the columns, taken one by one for what they add, that reach 95 % of the likelihood that
    all of them gain over equal variances of the rows; and a remark when that needs all of them.
    Collective."""
    n = blocks[0].rows.shape[1]
    r2, rows = sum_rows(
        comm,
        sum(float(b.counts @ b.residuals**2) for b in blocks),
        sum(float(b.counts.sum()) for b in blocks),
    )
    plain = 0.5 * float(rows) * (1.0 + np.log(float(r2 / rows)))
    best = _minus_log(
        blocks,
        iid_variances(blocks, noise_share, comm, pseudo_rows=pseudo_rows).v,
        None,
        noise_share,
        comm,
    )
    wanted = plain - SHARE * (plain - best)
    taken: list[int] = []
    v = np.zeros(0)
    while len(taken) < n:
        candidates = np.setdiff1d(np.arange(n), taken)
        costs = _with_one_more(blocks, np.array(taken, dtype=int), v, candidates, noise_share, comm)
        taken.append(int(candidates[np.argmin(costs)]))
        chosen = np.array(sorted(taken))
        v = iid_variances(blocks, noise_share, comm, pseudo_rows=pseudo_rows, chosen=chosen).v
        taken = chosen.tolist()
        if _minus_log(blocks, v, chosen, noise_share, comm) <= wanted:
            break
    if len(taken) < n:
        return np.array(taken), []
    remark = (
        f"embed: auto took all {n} columns: no fewer reach {SHARE:.0%} of the gain in likelihood"
    )
    return np.array(taken), [remark]


def _minus_log(
    blocks: Sequence[Block],
    v: Array,
    chosen: NDArray[np.int64] | None,
    share: float,
    comm: Communicator,
) -> float:
    cost = 0.0
    for squared, r, noise, counts in squared_chunks(blocks):
        s2 = (squared if chosen is None else squared[:, chosen]) @ v + share * noise
        cost += 0.5 * float(counts @ (r**2 / s2 + np.log(s2)))
    return float(sum_rows(comm, cost)[0])


def _with_one_more(
    blocks: Sequence[Block],
    taken: NDArray[np.int64],
    v: Array,
    candidates: NDArray[np.int64],
    share: float,
    comm: Communicator,
) -> Array:
    """(len(candidates),) the least -log L with each of them beside those that are taken, over a
    grid of its variance.
    """
    q2, r2 = sum_rows(
        comm,
        sum((b.counts @ np.square(b.rows) for b in blocks), np.zeros(blocks[0].rows.shape[1])),
        sum(float(b.counts @ b.residuals**2) for b in blocks),
    )
    alone = float(r2) / np.maximum(q2[candidates], np.finfo(float).tiny)
    costs = np.zeros((len(TRIALS), len(candidates)))
    for squared, r, noise, counts in squared_chunks(blocks):
        base = squared[:, taken] @ v + share * noise
        for k, trial in enumerate(TRIALS):
            s2 = base[:, None] + squared[:, candidates] * (trial * alone)
            costs[k] += 0.5 * (counts @ (r[:, None] ** 2 / s2 + np.log(s2)))
    return np.asarray(sum_rows(comm, costs)[0].min(axis=0))
