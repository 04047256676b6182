"""The variance of one atom's energy, as a quadratic SNAP that stock LAMMPS evaluates.

    var(E_i) = (1, B_i) Σ_αα (1, B_i)ᵀ,  α the element of atom i

is a quadratic form in B, which is what `quadraticflag 1` computes: constant Σ_00, linear 2 Σ_0k, quadratic 2 Σ_kl for
k ≤ l (LAMMPS halves the diagonal). It is a local variance: its sum over atoms is not the variance of the total energy.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snap_al.descriptors import Columns, SnapSettings
from snap_al.potential.files import element_line

Array = NDArray[np.float64]


def element_covariance(columns: Columns, covariance: Array, element: int) -> Array:
    """(K + 1, K + 1) covariance of one element's constant and components; the constant's is 0 with bzeroflag 1."""
    spread = columns.spread[columns.block(element)]
    block = spread @ covariance @ spread.T
    if columns.has_constant:
        return np.asarray(block)
    padded = np.zeros((len(block) + 1, len(block) + 1))
    padded[1:, 1:] = block
    return padded


def variance_snapcoeff(settings: SnapSettings, covariance: Array) -> str:
    """covariance: (n_distinct, n_distinct) in eV². The file gives each atom's energy variance in eV²."""
    columns = Columns.of(settings)
    k = columns.n_components
    lines = [
        "# variance of each atom's energy (eV^2), written by snap_al for quadraticflag 1; not an energy, and not to be summed",
        "", f"{len(settings.elements)} {1 + k + k * (k + 1) // 2}",
    ]  # fmt: skip
    upper = np.triu_indices(k)
    for number in range(len(settings.elements)):
        s = element_covariance(columns, covariance, number)
        values = np.concatenate([[s[0, 0]], 2.0 * s[0, 1:], 2.0 * s[1:, 1:][upper]])
        lines.append(element_line(settings, number))
        lines += [f"{value: .17e}" for value in values]
    return "\n".join(lines) + "\n"
