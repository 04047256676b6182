"""Which columns of the design matrix are the same number twice, and the way between all columns and
the distinct ones.

With `chem` LAMMPS lists B^{e1 e2 e3}_{j1 j2 j} for every triple of elements. B does not change when
the three pairs (j1, e1), (j2, e2), (j, e3) change places, so a permutation of elements among equal
j's is the same column again. `pair_style snap` gives forces that match its energies only when such
columns carry equal coefficients.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement, product

import numpy as np
from numpy.typing import NDArray

from snap_al.descriptors.settings import SnapSettings
from snap_al.errors import InputError

Array = NDArray[np.float64]


def bispectrum_indices(twojmax: int) -> list[tuple[int, int, int]]:
    """(2j1, 2j2, 2j) of each component, in LAMMPS' order: j2 ≤ j1 ≤ j, triangle rule."""
    return [
        (j1, j2, j)
        for j1 in range(twojmax + 1)
        for j2 in range(j1 + 1)
        for j in range(j1 - j2, min(twojmax, j1 + j2) + 1, 2)
        if j >= j1
    ]


def component_names(settings: SnapSettings) -> list[str]:
    """Names of the components of one central element, in LAMMPS' order: `B_2.1.1`,
    `B_2.1.1[InInP]`, `B_0.0.0*B_2.1.1`.
    """
    triples = bispectrum_indices(settings.largest_twojmax)
    if not settings.chemflag:
        linear = [f"B_{a}.{b}.{c}" for a, b, c in triples]
        if settings.quadraticflag:
            return linear + [f"{a}*{b}" for a, b in combinations_with_replacement(linear, 2)]
        return linear
    chems = product(settings.elements, repeat=3)
    return [f"B_{a}.{b}.{c}[{e1}{e2}{e3}]" for e1, e2, e3 in chems for a, b, c in triples]


def distinct_names(settings: SnapSettings) -> list[str]:
    """(n_distinct,) `Ta:B_2.1.1`, `Ta:constant` …, each the first of the columns that are equal."""
    columns = Columns.of(settings)
    block = ["constant"] * columns.has_constant + component_names(settings)
    everything = [f"{element}:{name}" for element in settings.elements for name in block]
    return [everything[k] for k in columns.first]


def columns_named(settings: SnapSettings, wanted: Iterable[int | str]) -> tuple[int, ...]:
    """Distinct columns by number among all columns, by element, by component (`B_2.1.1`, of every
    element), by both (`Ta:B_2.1.1`), or `constant`.

    Raises InputError for what no column is called.
    """
    columns, names = Columns.of(settings), component_names(settings)
    block = ["constant"] * columns.has_constant + names
    found: set[int] = set()
    for entry in wanted:
        if isinstance(entry, int):
            here = [entry] if 0 <= entry < columns.n_all else []
        else:
            element, _, name = entry.rpartition(":")
            here = [
                columns.block(e).start + k
                for e, symbol in enumerate(settings.elements)
                for k, component in enumerate(block)
                if entry == symbol or (name == component and element in ("", symbol))
            ]
        fitted = [int(columns.distinct_of[k]) for k in here if columns.distinct_of[k] >= 0]
        if not fitted:
            raise InputError(
                f"fit.embed: {entry!r} is no column: there are {columns.n_all}, numbered from 0; "
                "elements "
                f"{', '.join(settings.elements)}; components {block[0]}, {block[1]}, … {block[-1]}"
            )
        found.update(fitted)
    return tuple(sorted(found))


@dataclass(frozen=True)
class Columns:
    """Per element: a constant (without bzeroflag), then K components."""

    distinct_of: NDArray[np.int64]
    """(n_all,) which distinct column each column is, -1 for one that is not fitted (above its
    element's own twojmax)."""
    n_elements: int
    """Number of elements."""
    has_constant: bool
    """Whether each element's block starts with one."""

    @classmethod
    def of(cls, settings: SnapSettings) -> Columns:
        keys: list[object] = []
        triples = bispectrum_indices(settings.largest_twojmax)
        chems = (
            list(product(range(len(settings.elements)), repeat=3))
            if settings.chemflag
            else [(0, 0, 0)]
        )
        for element in range(len(settings.elements)):
            highest = settings.twojmax[element]
            if not settings.bzeroflag:
                keys.append((element, "constant"))
            for chem in chems:
                for j in triples:
                    key = (element, tuple(sorted(zip(j, chem, strict=True))))
                    keys.append(key if max(j) <= highest else None)
            if settings.quadraticflag:
                for a, b in combinations_with_replacement(triples, 2):
                    keys.append((element, "product", a, b) if max(*a, *b) <= highest else None)
        seen: dict[object, int] = {}
        distinct = np.array(
            [-1 if key is None else seen.setdefault(key, len(seen)) for key in keys]
        )
        return cls(distinct, len(settings.elements), not settings.bzeroflag)

    @cached_property
    def constants(self) -> tuple[int, ...]:
        """Distinct columns that are elements' constants, in the elements' order; none with
        bzeroflag 1.
        """
        if not self.has_constant:
            return ()
        return tuple(int(self.distinct_of[self.block(e).start]) for e in range(self.n_elements))

    @cached_property
    def n_all(self) -> int:
        return len(self.distinct_of)

    @cached_property
    def n_distinct(self) -> int:
        return int(self.distinct_of.max()) + 1

    @cached_property
    def n_components(self) -> int:
        """K: components of one element, duplicates counted, without the constant."""
        return self.n_all // self.n_elements - int(self.has_constant)

    @cached_property
    def first(self) -> NDArray[np.int64]:
        """(n_distinct,) the first column of each set of equal ones."""
        found, first = np.unique(self.distinct_of, return_index=True)
        return np.asarray(first[found >= 0])

    @cached_property
    def spread(self) -> Array:
        """P (n_all, n_distinct): all coefficients = P @ distinct ones, equal shares for equal
        columns, zero where not fitted."""
        p = np.zeros((self.n_all, self.n_distinct))
        fitted = np.flatnonzero(self.distinct_of >= 0)
        p[fitted, self.distinct_of[fitted]] = 1.0
        return np.asarray(p / p.sum(axis=0))

    def keep_distinct(self, rows: Array) -> Array:
        """(m, n_all) → (m, n_distinct); with coefficients spread by `spread` both predict the
        same.
        """
        return rows if self.n_all == self.n_distinct else np.ascontiguousarray(rows[:, self.first])

    def atom_rows(self, elements: NDArray[np.int64], components: Array) -> Array:
        """(m,) numbers of elements and (m, K) components of single atoms → (m, n_distinct) rows of
        their energies, zero outside the block of the atom's own element."""
        full = np.zeros((len(components), self.n_all))
        for element in range(self.n_elements):
            own, block = elements == element, full[:, self.block(element)]
            block[own, int(self.has_constant) :] = components[own]
            block[own, : int(self.has_constant)] = 1.0
        return self.keep_distinct(full)

    def gathered(self, coefficients: Array) -> Array:
        """(n_distinct,) from coefficients of all columns (n_all,), so that both predict the
        same.
        """
        fitted = self.distinct_of >= 0
        return np.asarray(
            np.bincount(self.distinct_of[fitted], coefficients[fitted], self.n_distinct),
            dtype=float,
        )

    def block(self, element: int) -> slice:
        """Where one element's columns stand among all."""
        width = self.n_all // self.n_elements
        return slice(element * width, (element + 1) * width)
