"""A committee: K least-squares fits, each to a share of the data drawn with replacement, all from
one pass over the rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from snap_al.inference.blocks import Block
from snap_al.inference.settings import CommitteeSettings
from snap_al.parallel import Communicator, collectively, sum_rows

Array = NDArray[np.float64]
CHUNK = 512


def members(
    blocks: Sequence[Block],
    drawn: Sequence[Array],
    prior_information: Array,
    settings: CommitteeSettings,
    comm: Communicator,
) -> Array:
    """(K, n) shifts of each member's coefficients from the mean, in the rows' coordinates.
    Collective.

    blocks: whitened rows with their residuals. drawn: of each block (m, K), see `drawn`.
    prior_information: (n, n) TᵀPT. Each member minimises Σ k_i (r_i - q_i θ)² and the prior's pull
    to zero, with k_i ~ Poisson(f): the bootstrap of Oza and Russell (2001).
    """
    n, k = blocks[0].rows.shape[1], settings.members
    information, pull = np.zeros((k, n, n)), np.zeros((k, n))
    with collectively(comm):
        for block, counts in zip(blocks, drawn, strict=True):
            for start in range(0, len(block.rows), CHUNK):
                q, r, c = (x[start : start + CHUNK] for x in (block.rows, block.residuals, counts))
                for member in range(k):
                    weighted = q * np.sqrt(c[:, member])[:, None]
                    information[member] += weighted.T @ weighted
                pull += (c * r[:, None]).T @ q
    information, pull = sum_rows(comm, information, pull)
    precision = settings.fraction * prior_information + information + 1e-12 * np.eye(n)
    return comm.bcast(
        np.asarray(np.linalg.solve(precision, pull[:, :, None])[:, :, 0], dtype=float)
    )


def shrunk_covariance(shifts: Array) -> Array:
    """(n, n) of the members (K, n) about the mean, shrunk towards an even one by Ledoit and Wolf's
    rule (J. Multivar. Anal. 88, 365, 2004): K members span at most K directions, and no std may
    vanish in the others."""
    from sklearn.covariance import ledoit_wolf  # late: it is slow to import

    covariance, _ = ledoit_wolf(shifts, assume_centered=True)
    even = np.trace(covariance) / len(covariance)
    return np.asarray(covariance + max(1e-6 * even, np.finfo(float).tiny) * np.eye(len(covariance)))


def drawn(block: Block, zero_is_free: bool, settings: CommitteeSettings) -> Array:
    """(m, K) how often each member has each row. block: rows Ã, not whitened yet.

    Counts are drawn unit by unit, from a generator that the unit's own labels seed, so that neither
    ranks nor order matter; energies are not among these labels where their zero is free (the rows'
    own numbers then, for a unit of energies alone): another zero must not draw another committee.
    """
    units = np.arange(len(block.rows)) if block.units is None else block.units
    order = np.argsort(units, kind="stable")
    edges = np.flatnonzero(np.diff(units[order])) + 1
    counts = np.zeros((len(block.rows), settings.members))
    for rows in np.split(order, edges) if len(order) else []:
        labels = block.targets[rows]
        if zero_is_free:
            seen = block.fitted[rows]
            others = seen & (block.kinds[rows] != 0)
            labels = labels[others] if others.any() else block.rows[rows[seen]].ravel()
        key = hashlib.blake2b(np.sort(labels).tobytes(), digest_size=8).digest()
        rng = np.random.default_rng([settings.seed, int.from_bytes(key, "little")])
        counts[rows] = rng.poisson(settings.fraction, settings.members)
    return np.asarray(counts * block.fitted[:, None])
