"""Optimal design: which candidate improves a criterion of the information matrix most.

In whitened coordinates G = 1 + Σ QᵀQ over imagined labels; S = G⁻¹ = R². A candidate with weighted
rows Q makes it R (1 + YᵀY)⁻¹ R, Y = QR: every gain below costs one n × n factorisation.

    D  log det G
    T  tr of the information about coefficients
    A  tr of their covariance
    E  its largest eigenvalue
    C  variance of one combination of them, the targets' mean energy
    G  largest variance of an energy row
    I  mean over all candidates' rows
    V  mean over the targets' rows

D and T are submodular. A, C, E and T depend on the columns' units, D, G, I and V do not. Atkinson,
Donev, Tobias, Optimum Experimental Designs (2007), ch. 10.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from snap_al.parallel import collectively, sum_rows
from snap_al.query.acquisition import Score
from snap_al.query.candidates import Candidate, Candidates
from snap_al.query.knowledge import Knowledge

Array = NDArray[np.float64]
Letter = Literal["A", "C", "D", "E", "T", "G", "I", "V"]
MOST_ROWS = 512
"""G follows the rows of largest variance; in a pool of more, the largest after a label may be
another's, and is then missed.
"""


@dataclass(frozen=True)
class TraceReduction:
    """tr(KS) before minus after: the decrease of a mean variance. Collective."""

    matrix: Callable[[Candidates, Knowledge], Array]
    """Computes K (n, n), in the coordinates of the rows, from all candidates. It is called once."""
    shrinks: ClassVar[bool] = False
    linear: ClassVar[bool] = True

    def prepare(self, candidates: Candidates, known: Knowledge) -> Score:
        t = known.posterior.whitening
        k = t.T @ self.matrix(candidates, known) @ t

        def gain(candidate: Candidate, known: Knowledge) -> float:
            inside = known.root @ k @ known.root
            return float(
                np.trace(inside) - np.trace(np.linalg.solve(grown(candidate, known), inside))
            )

        return gain


@dataclass(frozen=True)
class Determinant:
    """D: the gain of log det G, which is the information gained about the coefficients. O(1)
    look-ups a candidate.
    """

    shrinks: ClassVar[bool] = True
    linear: ClassVar[bool] = True

    def prepare(self, candidates: Candidates, known: Knowledge) -> Score:
        return lambda candidate, known: float(np.linalg.slogdet(grown(candidate, known))[1])


@dataclass(frozen=True)
class Trace:
    """T: the trace of the candidate's own information; what is known does not matter to it."""

    shrinks: ClassVar[bool] = True
    linear: ClassVar[bool] = True

    def prepare(self, candidates: Candidates, known: Knowledge) -> Score:
        return lambda candidate, known: float(np.sum(np.square(candidate.weighted)))


@dataclass(frozen=True)
class Eigenvalue:
    """E: how far the logarithm of the largest variance of a combination of coefficients falls."""

    shrinks: ClassVar[bool] = False
    linear: ClassVar[bool] = True

    def prepare(self, candidates: Candidates, known: Knowledge) -> Score:
        def gain(candidate: Candidate, known: Knowledge) -> float:
            half = known.posterior.whitening @ known.root
            lower = np.linalg.solve(np.linalg.cholesky(grown(candidate, known)), half.T)
            before, after = (np.linalg.norm(x, 2) for x in (half, lower))
            return 2.0 * float(np.log(before / after))

        return gain


@dataclass(frozen=True)
class LargestVariance:
    """G: how far the largest variance among all candidates' energy rows falls. O(candidates²)."""

    shrinks: ClassVar[bool] = False
    linear: ClassVar[bool] = False

    def prepare(self, candidates: Candidates, known: Knowledge) -> Score:
        rows = known.whitened(candidates.each(lambda c: c.energy, (len(known.change),)))

        def gain(candidate: Candidate, known: Knowledge) -> float:
            y = rows @ known.root
            variances = np.square(y).sum(axis=1)
            largest = y[np.argsort(-variances, kind="stable")[:MOST_ROWS]]
            after = np.linalg.solve(np.linalg.cholesky(grown(candidate, known)), largest.T)
            return float(variances.max() - np.square(after).sum(axis=0).max())

        return gain


def optimality(
    letter: Letter, targets: Array | None = None
) -> TraceReduction | Determinant | Trace | Eigenvalue | LargestVariance:
    """targets: (m, n) rows of the user's own target configurations, for C and V; all candidates'
    energies when not given.
    """
    if letter == "D":
        return Determinant()
    if letter == "T":
        return Trace()
    if letter == "E":
        return Eigenvalue()
    if letter == "G":
        return LargestVariance()
    if letter == "A":
        return TraceReduction(lambda candidates, known: np.eye(len(known.change)))
    if letter == "I":
        return TraceReduction(
            lambda candidates, known: pool_information(candidates, lambda c: c.weighted, known)
        )
    if letter == "C":
        return TraceReduction(
            lambda candidates, known: _outer(_targets(candidates, known, targets).mean(axis=0))
        )
    return TraceReduction(
        lambda candidates, known: _mean_square(_targets(candidates, known, targets))
    )


def grown(candidate: Candidate, known: Knowledge) -> Array:
    """1 + YᵀY (n, n), Y = QR."""
    y = known.whitened(candidate.weighted) @ known.root
    return np.asarray(np.eye(y.shape[1]) + y.T @ y)


def pool_information(
    candidates: Candidates, rows: Callable[[Candidate], Array], known: Knowledge
) -> Array:
    """(n, n) mean over candidates of rowsᵀrows. Collective."""
    total = np.zeros_like(known.change)
    with collectively(candidates.comm):
        for c in candidates.own:
            r = rows(c)
            total += r.T @ r
    return np.asarray(sum_rows(candidates.comm, total)[0] / len(candidates))


def _targets(candidates: Candidates, known: Knowledge, targets: Array | None) -> Array:
    return candidates.each(lambda c: c.energy, (len(known.change),)) if targets is None else targets


def _outer(row: Array) -> Array:
    return np.outer(row, row)


def _mean_square(rows: Array) -> Array:
    return np.asarray(rows.T @ rows / len(rows))
