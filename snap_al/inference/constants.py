"""The elements' constants: columns that an energy's zero is in, and that no force or stress row
has.

A reference code's zero of energy is a convention, one number per element. Error bars must not
depend on it, so constants have no part in the prior that the other coefficients share: the rows
alone determine them, as far as their compositions do. Only combinations that no composition of the
training set tells apart have a prior of their own, a wide one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
DETERMINED = 1e-6
"""A combination of constants whose singular value, next to columns of unit norm, is below this is
not determined.
"""
ANCHOR = 1e-9
"""Precision of the prior of such a combination, next to the column's own information: its std is
some 30,000 times that of a constant alone."""


@dataclass(frozen=True)
class Constants:
    """The prior of the elements' constants."""

    center: Array
    """(p,) eV, about which the prior of the constants lies: what the energies' mean by composition
    gives, and zero or the given prior mean for what compositions do not determine."""
    anchor: Array
    """(p, n) rows of their prior's precision, in the columns' own order."""
    axes: Array
    """(p, p) combinations of the constants, as columns, whose rows are orthonormal, those that are
    determined first."""
    n_free: int
    """Number of these combinations that the rows determine."""

    @classmethod
    def of(
        cls,
        triangle: Array,
        constants: NDArray[np.int64],
        others: NDArray[np.int64],
        norms: Array,
        prior_mean: Array,
    ) -> Constants:
        """triangle: (n + 1, n + 1), see `Factor.of`. norms: (p,) of the constants' columns.
        prior_mean: (n,).

        With [C, X, y] the weighted constants, other columns and targets, C⁺ the pseudo-inverse of
        C: the center is C⁺(y - X c₀), and the anchor [1, C⁺X]: of combinations that are determined
        it holds the energy at the mean descriptors, where the rows are; of the others, the
        constants themselves. An energy's zero that is shifted moves both sides alike.
        """
        p, n = len(constants), len(triangle) - 1
        factor = np.linalg.qr(triangle[:, [*constants, *others, n]], mode="r")
        rows = factor[:p] / np.concatenate([norms, np.ones(n + 1 - p)])
        u, s, vt = np.linalg.svd(rows[:, :p])
        kept = s > DETERMINED
        inverse = (vt[kept].T / s[kept]) @ u[:, kept].T
        left = rows[:, n] - rows[:, p:n] @ prior_mean[others]
        unknown = vt[~kept].T @ (vt[~kept] @ (norms * prior_mean[constants]))
        anchor = np.zeros((p, n))
        anchor[:, constants] = np.diag(norms)
        anchor[:, others] = inverse @ rows[:, p:n]
        axes = vt.T / np.where(kept, s, 1.0) / norms[:, None]
        return cls(
            (inverse @ left + unknown) / norms, np.sqrt(ANCHOR) * anchor, axes, int(kept.sum())
        )
