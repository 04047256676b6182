"""What could be labelled next: design rows of configurations without labels, spread over ranks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from snap_al.inference import Posterior
from snap_al.parallel import Communicator, collectively, combined_triangle, updated_triangle

Array = NDArray[np.float64]
ENERGY, FORCE, STRESS = 0, 1, 2
LEAST = 1e-8
"""A direction whose singular value is smaller than this share of the largest does not tell how
configurations differ."""


@dataclass(frozen=True)
class Candidate:
    """One configuration that could be labelled."""

    number: int
    """Its number among all candidates."""
    rows: Array
    """(m, n) unweighted rows: the energy per atom, then the forces of each atom, then the stress.
    """
    weights: Array
    """(m,) weights that a label would give the rows."""
    kinds: NDArray[np.int8]
    """(m,) kinds of the rows."""
    vanishing: NDArray[np.bool_]
    """(m,) whether the row vanishes by symmetry."""
    cost: float = 1.0
    """Cost of its label, in any unit."""
    atoms: Array | None = None
    """(a, n) rows of the energies of single atoms, for grades by atom."""

    @property
    def energy(self) -> Array:
        """(n,) row of the energy."""
        return np.asarray(self.rows[0])

    def of_kind(self, kind: int) -> Array:
        return np.asarray(self.rows[self.kinds == kind])

    @property
    def forces(self) -> Array:
        """(k, n) rows of forces, without those that vanish by symmetry."""
        return np.asarray(self.rows[(self.kinds == FORCE) & ~self.vanishing])

    @property
    def counted(self) -> NDArray[np.bool_]:
        """(m,) which rows a label would bring into the fit."""
        return np.asarray((self.weights > 0) & ~self.vanishing)

    @property
    def weighted(self) -> Array:
        """(k, n) these rows, times their weights."""
        return np.asarray(self.rows[self.counted] * self.weights[self.counted, None])

    def noise_variance(self, posterior: Posterior) -> Array:
        """(k,) noise variances of these rows, in weighted units."""
        return posterior.noise_variance(self.weights[self.counted], self.kinds[self.counted])


@dataclass(frozen=True)
class Candidates:
    """All candidates, spread over ranks."""

    own: Sequence[Candidate]
    """The candidates of this rank."""
    available: NDArray[np.bool_]
    """(size,) which may be chosen. The others belong to the pool, but are labelled already."""
    comm: Communicator
    """The ranks that the candidates are spread over."""
    shared: dict[str, Array] = field(default_factory=dict, repr=False)
    """Arrays computed from all candidates, by name. Copies that differ in `available` alone share
    them."""

    def __len__(self) -> int:
        return len(self.available)

    def only(self, numbers: Iterable[int]) -> Candidates:
        """The same with only these numbers available."""
        chosen = np.zeros(len(self), dtype=bool)
        chosen[list(numbers)] = True
        return replace(self, available=self.available & chosen)

    def without(self, number: int) -> Candidates:
        available = self.available.copy()
        available[number] = False
        return replace(self, available=available)

    def each(self, of: Callable[[Candidate], Array | float], shape: tuple[int, ...] = ()) -> Array:
        """(size, *shape) values of all candidates, on all ranks. Collective."""
        return self._gathered(of, self.own, np.zeros((len(self), *shape)))

    def scores(
        self, score: Callable[[Candidate], float], which: Sequence[int] | None = None
    ) -> Array:
        """(size,) scores of the available candidates (of those in `which`, if given), and -inf for
        the others. Collective."""
        wanted = (
            np.flatnonzero(self.available).tolist()
            if which is None
            else [n for n in which if self.available[n]]
        )
        local = [self.by_number[n] for n in wanted if n in self.by_number]
        values = self._gathered(score, local, np.full(len(self), -np.inf))
        return np.asarray(np.where(np.isnan(values), -np.inf, values))

    def _gathered(
        self, of: Callable[[Candidate], Array | float], local: Sequence[Candidate], values: Array
    ) -> Array:
        with collectively(self.comm):
            computed = (
                np.array([c.number for c in local], dtype=int),
                np.array([of(c) for c in local], dtype=float),
            )
        for numbers, results in self.comm.allgather(computed):
            if len(numbers):
                values[numbers] = results
        return values

    @cached_property
    def by_number(self) -> dict[int, Candidate]:
        """The candidates of this rank."""
        return {c.number: c for c in self.own}

    def fetch(self, number: int) -> Candidate:
        """A candidate, on all ranks. Collective."""
        local = self.by_number.get(number)
        if self.comm.size == 1:
            return self.by_number[number]
        return next(c for c in self.comm.allgather(local) if c is not None)

    def costs(self) -> Array:
        """(size,) costs. Collective."""
        return self.each(lambda c: c.cost)

    def geometry(self, labelled: Array) -> tuple[Array, Array]:
        """Energy rows of candidates (size, k) and of labelled configurations (t, n) → (t, k), in
        coordinates in which all candidates' rows together are orthonormal: how far apart two
        configurations are for a linear model. Collective."""
        n = labelled.shape[1]
        if "whitening" not in self.shared:
            self.shared["whitening"] = self._whitening(n)
            self.shared["points"] = self.each(lambda c: c.energy @ self.shared["whitening"], (n,))
        return self.shared["points"], labelled @ self.shared["whitening"]

    def _whitening(self, n: int) -> Array:
        triangle = np.zeros((n, n))
        with collectively(self.comm):
            for c in self.own:
                triangle = updated_triangle(triangle, c.weighted)
        triangle = combined_triangle(self.comm, triangle)
        norms = np.linalg.norm(triangle, axis=0)
        norms[norms == 0] = 1.0
        _, s, vt = self.comm.bcast(np.linalg.svd(triangle / norms))
        if s[0] == 0.0:  # no label would add a row, so that distances cannot be measured
            return np.eye(n)
        least = LEAST * s[0]
        return np.asarray((vt.T / np.maximum(s, least)) / norms[:, None])
