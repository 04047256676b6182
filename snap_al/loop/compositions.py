"""What the compositions of a training set tell of how energy is split between elements.

Energies of configurations that all have the same composition x determine Σ x_α e_α, e_α the mean
energy of an atom of element α, and nothing else of e: any u with x·u = 0 can be added to it. The
std of one atom's energy has that part in it, whatever the rest of the model knows, and the energy
of a whole cell has not. So an atom's energy is looked at without it: its row loses u_α Σ_γ u_γ
(mean row of the atoms of γ) for each u that no composition of the training set determines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snap_al.data.rows import Kind
from snap_al.descriptors import Columns, DesignMatrix, Rows
from snap_al.errors import InputError
from snap_al.inference import Posterior
from snap_al.parallel import Communicator, sum_rows

Array = NDArray[np.float64]
DETERMINED = 1e-10
"""Eigenvalues of the compositions' information that are smaller than this share of the largest are
rounding errors."""

FAR_OFF = 0.1
"""eV/atom: the energies are not reproduced when their RMS residual, averaged with w², is above
this."""
LARGEST_GAIN = 0.5
"""Share of all squared residuals: constants are reported as missing when they would remove more."""


def atom_reference(matrix: DesignMatrix, slabs: Sequence[Rows], comm: Communicator) -> Array:
    """(n_elements, n_distinct) rows, see `Posterior.atom_reference`; empty where compositions
    determine everything.

    slabs: this rank's rows of the matrix. Collective.
    """
    columns = matrix.columns
    information = np.zeros((columns.n_elements,) * 2)
    moments = np.zeros((2, columns.n_elements, columns.n_distinct))
    shares, belongs = np.zeros((2, columns.n_elements)), owners(columns)
    for rows in slabs:
        here = rows.index["kind"] == Kind.ENERGY
        fractions = matrix.fractions(rows.index["configuration"][here])
        fitted = rows.mask[here] * rows.weights[here]
        information += (fractions * fitted[:, None] ** 2).T @ fractions
        for k, weights in enumerate((fitted**2, np.ones(len(fitted)))):
            shares[k] += weights @ fractions
            moments[k] += weights @ rows.values[here] * belongs
    information, shares, moments = sum_rows(comm, information, shares, moments)
    values, vectors = comm.bcast(np.linalg.eigh(information))
    unknown = vectors[:, values <= DETERMINED * max(values.max(), np.finfo(float).tiny)]
    if not unknown.shape[1]:
        return np.zeros((0, 0))
    which = (
        0 if information.any() else 1
    )  # where no energy is fitted, all configurations have the same weight
    share = shares[which][:, None]
    means = np.divide(moments[which], share, out=np.zeros_like(moments[0]), where=share > 0)
    return np.asarray(unknown @ unknown.T @ means)


@dataclass(frozen=True)
class FreeConstants:
    """What is needed to fit constants beside a model that has none (bzeroflag 1). C is the
    composition of each fitted energy, times its weight, and Ã the weighted rows of the energies."""

    information: Array
    """(e, e) CᵀC."""
    overlap: Array
    """(n, e) ÃᵀC."""

    @classmethod
    def of(cls, matrix: DesignMatrix, slabs: Sequence[Rows], comm: Communicator) -> FreeConstants:
        """Sums over the rows of all ranks. Collective."""
        elements, n = matrix.columns.n_elements, matrix.columns.n_distinct
        information, overlap = np.zeros((elements, elements)), np.zeros((n, elements))
        for rows in slabs:
            here, weighted = _weighted_fractions(matrix, rows)
            information += weighted.T @ weighted
            overlap += (rows.values[here] * rows.weights[here, None]).T @ weighted
        return cls(*sum_rows(comm, information, overlap))

    def require_energies_met(
        self,
        matrix: DesignMatrix,
        slabs: Sequence[Rows],
        residuals: Sequence[Array],
        posterior: Posterior,
        comm: Communicator,
    ) -> None:
        """Raises InputError on all ranks where energies are far off, and such constants would take
        more than half off the squared residuals of all rows: the labels' zero of energy is one that
        the model cannot have.

        residuals: of each slab's rows, in their own unit. Collective.
        """
        pull, squares, weights, everything = np.zeros(matrix.columns.n_elements), 0.0, 0.0, 0.0
        for rows, r in zip(slabs, residuals, strict=True):
            here, weighted = _weighted_fractions(matrix, rows)
            left_over = r[here] * rows.weights[here]
            pull += weighted.T @ left_over
            squares += float(left_over @ left_over)
            weights += float(np.square(rows.weights[here]).sum())
            everything += float(np.square(r[rows.mask] * rows.weights[rows.mask]).sum())
        pull, left_over, weight, total = sum_rows(comm, pull, squares, weights, everything)
        if not left_over > FAR_OFF**2 * weight:
            return
        explained = posterior.whitening.T @ self.overlap
        left = self.information - explained.T @ explained
        missing = comm.bcast(np.linalg.pinv(left, rcond=DETERMINED, hermitian=True) @ pull)
        if missing @ pull > LARGEST_GAIN * total:
            shifts = ", ".join(
                f"{s}: {-e:.6g}" for s, e in zip(matrix.elements, missing, strict=True)
            )
            raise InputError(
                "the energies cannot be met: with bzeroflag: 1 the model has no constants, and "
                "the labels' zero of energy is "
                "not that of separate atoms. Set bzeroflag: 0, or move the zero by about eshift: "
                f"{{{shifts}}} (eV per atom)"
            ).on_all_ranks()


def require_energies_met(
    matrix: DesignMatrix, slabs: Sequence[Rows], posterior: Posterior, comm: Communicator
) -> None:
    """Of a fit to all rows of the matrix: raises InputError on all ranks where the model has no
    constants and needs them, see FreeConstants.

    slabs: this rank's rows. Collective.
    """
    if matrix.columns.has_constant:
        return
    residuals = [rows.targets - posterior.mean_of(rows.values) for rows in slabs]
    free = FreeConstants.of(matrix, slabs, comm)
    free.require_energies_met(matrix, slabs, residuals, posterior, comm)


def _weighted_fractions(matrix: DesignMatrix, rows: Rows) -> tuple[NDArray[np.bool_], Array]:
    """Which rows are fitted energies, and their compositions times their weights, (k, e)."""
    here = rows.mask & (rows.index["kind"] == Kind.ENERGY)
    fractions = matrix.fractions(rows.index["configuration"][here])
    return here, fractions * rows.weights[here, None]


def owners(columns: Columns) -> Array:
    """(n_elements, n_distinct) array that is 1 where a column belongs to an element."""
    belongs = np.zeros((columns.n_elements, columns.n_distinct))
    for element in range(columns.n_elements):
        columns_of_element = columns.distinct_of[columns.block(element)]
        belongs[element, columns_of_element[columns_of_element >= 0]] = 1.0
    return belongs
