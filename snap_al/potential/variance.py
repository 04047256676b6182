"""The variance of one atom's energy, as a quadratic SNAP that stock LAMMPS evaluates.

    var(E_i) = (1, B_i) S_α (1, B_i)ᵀ,  α the element of atom i,  S_α its block of the covariance Σ

is a quadratic form in B, which is what `quadraticflag 1` computes: constant S_00, linear 2 S_0k,
quadratic 2 S_kl for k ≤ l (LAMMPS halves the diagonal). It is a local variance: its sum over atoms
is not the variance of the total energy.

Where the compositions of a training set do not vary, its energies say nothing of how an energy is
split between elements. That part is taken off each atom's row first (`Posterior.atom_reference`):
the energy of a cell does not have it either.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snap_al.descriptors import Columns, SnapSettings
from snap_al.inference import Posterior, square_root
from snap_al.potential.files import element_line

Array = NDArray[np.float64]
TERMS = 50
"""Of one LAMMPS variable; longer ones nest too deep."""
BEYOND = 1.5
"""A std is beyond what is usual when it is so many times the largest of the training set."""
UNKNOWN = 1e300
"""A limit that no std reaches."""
MOST_COMPONENTS = 64
"""With more, a variable of each pair of them would take longer than the potential;
`lammps_inputs/std_rerun.in` then.
"""


def element_root(columns: Columns, posterior: Posterior, element: int) -> Array:
    """R (K + 1, n) with which the variance of the energy of an atom of this element is |(1, B) R|²,
    in eV²; recalibrated, if the posterior is."""
    rows = columns.spread[columns.block(element)]
    if not columns.has_constant:
        rows = np.vstack([np.zeros(rows.shape[1]), rows])
    if len(posterior.atom_reference):
        rows = rows - np.outer(np.eye(len(rows))[0], posterior.atom_reference[element])
    return np.asarray(posterior.recalibration[0] * rows @ square_root(posterior.covariance))


def element_covariance(columns: Columns, posterior: Posterior, element: int) -> Array:
    """S_α (K + 1, K + 1) of one element's constant and components."""
    root = element_root(columns, posterior, element)
    return root @ root.T


def quadratic_form(columns: Columns, posterior: Posterior, element: int) -> Array:
    """(1 + K + K(K+1)/2,) coefficients of one element's variance over 1, B_k, and what LAMMPS has
    as quadratic components.
    """
    s = element_covariance(columns, posterior, element)
    return np.concatenate(
        [[s[0, 0]], 2.0 * s[0, 1:], 2.0 * s[1:, 1:][np.triu_indices(columns.n_components)]]
    )


def variance_snapcoeff(settings: SnapSettings, posterior: Posterior) -> str:
    """The file gives each atom's energy variance in eV²."""
    columns = Columns.of(settings)
    k = columns.n_components
    lines = [
        "# variance of each atom's energy (eV^2), written by snap_al for quadraticflag 1; not an "
        "energy, and not to be summed",
        "",
        f"{len(settings.elements)} {1 + k + k * (k + 1) // 2}",
    ]
    for number in range(len(settings.elements)):
        lines.append(element_line(settings, number))
        lines += [f"{value: .17e}" for value in quadratic_form(columns, posterior, number)]
    return "\n".join(lines) + "\n"


def std_mod(settings: SnapSettings, posterior: Posterior) -> str:
    """LAMMPS lines for any run of the potential, whatever its pair styles: `v_snap_std`, each
    atom's energy std (eV), and `v_snap_std_max`, the largest; `snap_std_limit`, what is beyond use
    for it.

    https://docs.lammps.org/compute_sna_atom.html, https://docs.lammps.org/variable.html
    """
    columns, known = Columns.of(settings), posterior.atom_std > 0
    arguments = settings.model_copy(update={"quadraticflag": True}).compute_arguments()
    lines = [
        "# Each atom's energy std (eV) in a running simulation, written by snap_al. After the "
        "potential: include this file, then",
        "#   fix stop all halt 10 v_snap_std_max > ${snap_std_limit}",
        "# or dump 1 all custom 100 std.dump id type x y z v_snap_std",
        f"# snap_std_limit: {BEYOND:g} times the largest std in the training "
        f"set{'' if known else ', which is not known here'}.",
        f"variable snap_std_limit equal {BEYOND * posterior.atom_std if known else UNKNOWN:.6g}",
        f"compute snap_std_b all sna/atom {arguments}",
    ]
    parts = []
    for element in range(columns.n_elements):
        constant, *rest = quadratic_form(columns, posterior, element)
        sums = [f"snap_var{element + 1}_{n}" for n in range(0, len(rest), TERMS)]
        for name, start in zip(sums, range(0, len(rest), TERMS), strict=True):
            chunk = rest[start : start + TERMS]
            terms = "+".join(
                f"({v:.16e})*c_snap_std_b[{start + k + 1}]" for k, v in enumerate(chunk)
            )
            lines.append(f"variable {name} atom {terms}")
        parts.append(
            f"(type=={element + 1})*(({constant:.16e})+{'+'.join(f'v_{name}' for name in sums)})"
        )
    lines += [
        f"variable snap_std atom sqrt(abs({'+'.join(parts)}))",
        "compute snap_std_largest all reduce max v_snap_std",
        "variable snap_std_max equal c_snap_std_largest",
    ]
    return "\n".join(lines) + "\n"
