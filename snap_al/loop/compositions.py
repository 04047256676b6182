"""What the compositions of a training set tell of how energy is split between elements.

Energies of configurations that all have the same composition x determine Σ x_α e_α, e_α the mean energy of an atom of
element α, and nothing else of e: any u with x·u = 0 can be added to it. The std of one atom's energy has that part in it,
whatever the rest of the model knows, and the energy of a whole cell has not. So an atom's energy is looked at without it:
its row loses u_α Σ_γ u_γ (mean row of the atoms of γ) for each u that no composition of the training set determines.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from snap_al.descriptors import Columns, DesignMatrix, Kind, Rows
from snap_al.errors import InputError
from snap_al.parallel import Communicator, sum_rows

Array = NDArray[np.float64]
DETERMINED = 1e-10
"""An eigenvalue of the compositions' information below this, next to the largest, is rounding."""


def atom_reference(matrix: DesignMatrix, slabs: Sequence[Rows], comm: Communicator) -> Array:
    """(n_elements, n_distinct) rows, see `Posterior.atom_reference`; empty where compositions determine everything.

    slabs: this rank's rows of the matrix. Collective.
    """
    columns = matrix.columns
    information = np.zeros((columns.n_elements,) * 2)
    moments = np.zeros((2, columns.n_elements, columns.n_distinct))
    shares = np.zeros((2, columns.n_elements))
    for rows in slabs:
        here = rows.index["kind"] == Kind.ENERGY
        fractions = matrix.fractions(rows.index["configuration"][here])
        fitted = rows.mask[here] * rows.weights[here]
        information += (fractions * fitted[:, None] ** 2).T @ fractions
        for k, weights in enumerate((fitted**2, np.ones(len(fitted)))):
            shares[k] += weights @ fractions
            moments[k] += weights @ rows.values[here] * owners(columns)
    information, shares, moments = sum_rows(comm, information, shares, moments)
    values, vectors = comm.bcast(np.linalg.eigh(information))
    unknown = vectors[:, values <= DETERMINED * max(values.max(), np.finfo(float).tiny)]
    if not unknown.shape[1]:
        return np.zeros((0, 0))
    with_energies = int(information.any() == 0)  # 1: no energy is fitted, and all configurations count alike
    share = shares[with_energies][:, None]
    means = np.divide(moments[with_energies], share, out=np.zeros_like(moments[0]), where=share > 0)
    return np.asarray(unknown @ unknown.T @ means)


def require_energies_met(
    matrix: DesignMatrix, slabs: Sequence[Rows], residuals: Sequence[Array], comm: Communicator
) -> None:
    """Raises InputError on all ranks where a model without constants (bzeroflag 1) is fitted to energies whose zero it cannot
    have: where constants would take more than half off the energies' squared residuals, and these are large.

    residuals: of each slab's rows, in their own unit. Collective.
    """
    if matrix.columns.has_constant:
        return
    elements = matrix.columns.n_elements
    information, pull, squares = np.zeros((elements, elements)), np.zeros(elements), 0.0
    for rows, r in zip(slabs, residuals, strict=True):
        here = rows.mask & (rows.index["kind"] == Kind.ENERGY)
        weights = rows.weights[here]
        fractions = matrix.fractions(rows.index["configuration"][here]) * weights[:, None]
        weighted = r[here] * weights
        information += fractions.T @ fractions
        pull += fractions.T @ weighted
        squares += float(weighted @ weighted)
    information, pull, total = sum_rows(comm, information, pull, squares)
    if not total > 0:
        return
    missing = np.linalg.pinv(information, rcond=DETERMINED, hermitian=True) @ pull
    if missing @ pull > HALF * total and np.abs(missing).max() > LARGE:
        shifts = ", ".join(f"{s}: {-e:.6g}" for s, e in zip(matrix.elements, missing, strict=True))
        raise InputError(
            "the energies cannot be met: with bzeroflag: 1 the model has no constants, and the labels' zero of energy is "
            f"another than that of separate atoms. Set bzeroflag: 0, or move the zero by about eshift: {{{shifts}}} (eV)"
        ).on_all_ranks()


HALF = 0.5
LARGE = 0.1
"""eV/atom."""


def owners(columns: Columns) -> Array:
    """(n_elements, n_distinct) 1 where a column is one of the element's."""
    found = np.zeros((columns.n_elements, columns.n_distinct))
    for element in range(columns.n_elements):
        own = columns.distinct_of[columns.block(element)]
        found[element, own[own >= 0]] = 1.0
    return found
