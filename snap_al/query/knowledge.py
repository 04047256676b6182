"""What a posterior knows now, and after labels that are imagined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from snap_al.inference import Posterior, square_root
from snap_al.inference.posterior import LEAST_INFORMATION
from snap_al.parallel import Communicator, collectively
from snap_al.query.candidates import Candidate

Array = NDArray[np.float64]
Part = Literal["total", "epistemic", "model_error"]


@dataclass(frozen=True)
class Labelled:
    """The training set, as far as queries use it."""

    energy: Array
    """(t, n) energy rows."""
    stds: Array
    """(t, 2) left-out energy std (eV/atom) and RMS force std (eV/Å) of each configuration at unit
    noise: sqrt(a (G - G_own)⁻¹ aᵀ); 0 where all forces vanish."""
    atoms: Array | None = None
    """(k, n) rows of all their atoms; None where they are not known."""

    @classmethod
    def of(cls, posterior: Posterior, own: Sequence[Candidate], comm: Communicator) -> Labelled:
        """Rows and stds of the training set. Collective.

        own: this rank's configurations, with the weights that they are fitted with.
        """
        with collectively(comm):
            local = [(c.number, c.energy, _left_out(posterior, c), c.atoms) for c in own]
        everyone = sorted(
            (each for part in comm.allgather(local) for each in part), key=lambda each: each[0]
        )
        n, atoms = len(posterior.mean), [e[3] for e in everyone if e[3] is not None]
        return cls(
            np.array([e[1] for e in everyone]).reshape(-1, n),
            np.array([e[2] for e in everyone]).reshape(-1, 2),
            np.concatenate(atoms) if atoms else None,
        )


def _left_out(posterior: Posterior, c: Candidate) -> Array:
    """(2,). With Q = UsVᵀ the information without it is 1 - QᵀQ, its inverse 1 + V diag(s²/(1 -
    s²)) Vᵀ.
    """
    q = c.weighted @ posterior.whitening
    if len(q) < q.shape[1]:
        squares, u = np.linalg.eigh(q @ q.T)
        kept = squares > np.finfo(float).eps * max(squares.max(initial=0.0), np.finfo(float).tiny)
        squares, v = squares[kept], q.T @ (u[:, kept] / np.sqrt(squares[kept]))
    else:
        squares, v = np.linalg.eigh(q.T @ q)
    squares = np.clip(squares, 0.0, 1.0 - LEAST_INFORMATION)
    rows = np.vstack([c.energy, c.forces]) @ posterior.whitening
    variances = np.square(rows).sum(axis=1) + np.square(rows @ v) @ (squares / (1.0 - squares))
    return np.array(
        [np.sqrt(variances[0]), np.sqrt(variances[1:].sum() / max(len(variances) - 1, 1))]
    )


@dataclass(frozen=True)
class Knowledge:
    """What is known, in whitened coordinates q = aT of the posterior, in which the fitted
    information is the unit matrix."""

    posterior: Posterior
    """The posterior."""
    labelled: Labelled
    """The training set."""
    change: Array
    """(n, n) information QᵀQ of the candidates in `imagined`, of their weighted rows. All
    covariances follow it, as `Posterior.parts_with` describes."""
    imagined: tuple[int, ...] = ()
    """Numbers of the candidates that are imagined labelled."""
    scores: tuple[float, ...] = ()
    """Scores with which these were taken."""
    added: tuple[Candidate, ...] = field(default=(), repr=False)
    """These candidates."""

    @classmethod
    def of(cls, posterior: Posterior, labelled: Labelled) -> Knowledge:
        return cls(posterior, labelled, np.zeros_like(posterior.inner))

    def whitened(self, rows: Array) -> Array:
        return np.asarray(rows @ self.posterior.whitening)

    def with_label(self, candidate: Candidate, score: float = 0.0) -> Knowledge:
        """The knowledge after a label of the candidate.

        score: the score with which it was taken.
        """
        q = self.whitened(candidate.weighted)
        return replace(
            self,
            change=self.change + q.T @ q,
            imagined=(*self.imagined, candidate.number),
            scores=(*self.scores, score),
            added=(*self.added, candidate),
        )

    @cached_property
    def information(self) -> Array:
        return np.asarray(np.eye(len(self.change)) + self.change)

    @cached_property
    def root(self) -> Array:
        """(n, n) symmetric square root of the covariance of coefficients at unit noise, the
        information's inverse.
        """
        values, vectors = np.linalg.eigh(self.information)
        return np.asarray(
            (vectors / np.sqrt(np.maximum(values, 1.0))) @ vectors.T
        )  # values below 1 are rounding errors

    @cached_property
    def covariance(self) -> Array:
        """(n, n) covariance of the coefficients at unit noise."""
        return np.asarray(self.root @ self.root)

    @cached_property
    def _roots(self) -> dict[str, Array]:
        model_error, epistemic = self.posterior.parts_with(self.change)
        parts = {
            "model_error": model_error,
            "epistemic": epistemic,
            "total": model_error + epistemic,
        }
        return {name: self.posterior.whitening @ square_root(part) for name, part in parts.items()}

    def std_root(self, part: Part = "total") -> Array:
        """L (n, n) with a row's variance |aL|², in the rows' own coordinates."""
        return self._roots[part]
