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
TERMS = 50
"""Of one LAMMPS variable; longer ones nest too deep."""
MOST_COMPONENTS = 64
"""With more, a variable of each pair of them would take longer than the potential; `lammps_inputs/std_rerun.in` then."""


def element_covariance(columns: Columns, covariance: Array, element: int) -> Array:
    """(K + 1, K + 1) covariance of one element's constant and components; the constant's is 0 with bzeroflag 1."""
    spread = columns.spread[columns.block(element)]
    block = spread @ covariance @ spread.T
    if columns.has_constant:
        return np.asarray(block)
    padded = np.zeros((len(block) + 1, len(block) + 1))
    padded[1:, 1:] = block
    return padded


def quadratic_form(columns: Columns, covariance: Array, element: int) -> Array:
    """(1 + K + K(K+1)/2,) coefficients of one element's variance over 1, B_k, and what LAMMPS has as quadratic components."""
    s = element_covariance(columns, covariance, element)
    return np.concatenate([[s[0, 0]], 2.0 * s[0, 1:], 2.0 * s[1:, 1:][np.triu_indices(columns.n_components)]])


def variance_snapcoeff(settings: SnapSettings, covariance: Array) -> str:
    """covariance: (n_distinct, n_distinct) in eV². The file gives each atom's energy variance in eV²."""
    columns = Columns.of(settings)
    k = columns.n_components
    lines = [
        "# variance of each atom's energy (eV^2), written by snap_al for quadraticflag 1; not an energy, and not to be summed",
        "", f"{len(settings.elements)} {1 + k + k * (k + 1) // 2}",
    ]  # fmt: skip
    for number in range(len(settings.elements)):
        lines.append(element_line(settings, number))
        lines += [f"{value: .17e}" for value in quadratic_form(columns, covariance, number)]
    return "\n".join(lines) + "\n"


def std_mod(settings: SnapSettings, covariance: Array) -> str:
    """LAMMPS lines for any run of the potential, whatever its pair styles: `v_snap_std`, each atom's energy std (eV), and
    `v_snap_std_max`, the largest. covariance: (n_distinct, n_distinct) in eV².

    https://docs.lammps.org/compute_sna_atom.html, https://docs.lammps.org/variable.html
    """
    columns = Columns.of(settings)
    arguments = settings.model_copy(update={"quadraticflag": True}).compute_arguments()
    lines = [
        "# Each atom's energy std (eV) in a running simulation, written by snap_al. After the potential: include this file, then",
        "#   fix stop all halt 10 v_snap_std_max > 0.05        or        dump 1 all custom 100 std.dump id type x y z v_snap_std",
        f"compute snap_std_b all sna/atom {arguments}",
    ]
    parts = []
    for element in range(columns.n_elements):
        constant, *rest = quadratic_form(columns, covariance, element)
        sums = [f"snap_var{element + 1}_{n}" for n in range(0, len(rest), TERMS)]
        for name, start in zip(sums, range(0, len(rest), TERMS), strict=True):
            chunk = rest[start : start + TERMS]
            terms = "+".join(f"({v:.16e})*c_snap_std_b[{start + k + 1}]" for k, v in enumerate(chunk))
            lines.append(f"variable {name} atom {terms}")
        parts.append(f"(type=={element + 1})*(({constant:.16e})+{'+'.join(f'v_{name}' for name in sums)})")
    lines += [
        f"variable snap_std atom sqrt(abs({'+'.join(parts)}))",
        "compute snap_std_largest all reduce max v_snap_std",
        "variable snap_std_max equal c_snap_std_largest",
    ]
    return "\n".join(lines) + "\n"
