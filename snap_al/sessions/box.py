"""A configuration's cell as LAMMPS' restricted triclinic box, and the way back for vectors and
stresses.

LAMMPS wants a lower-triangular cell with a positive diagonal
(https://docs.lammps.org/Howto_triclinic.html). Any cell is that, up to an orthogonal matrix: cell =
lower @ rotation. For a left-handed cell the matrix is a rotation with a mirror, which the
descriptors do not see and which forces and stress follow all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration

Array = NDArray[np.float64]

LARGEST_TILT = 0.6
"""Of the edge along which a box is tilted; from here on LAMMPS flips boxes itself."""
MOST_DEFECT = 3.0
"""Of a box for MD; shortest lattice vectors have 2 at most."""
VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
"""ASE's Voigt order, which is also the order of `compute snap`'s virial rows."""


@dataclass(frozen=True)
class Box:
    """A configuration in LAMMPS' axes. Along open directions the box is at right angles to the
    rest."""

    lower: Array
    """(3, 3) Å, lower triangular, diagonal > 0."""
    positions: Array
    """(n_atoms, 3) Å in LAMMPS' axes."""
    rotation: Array
    """(3, 3) from the configuration's axes to these."""
    pbc: tuple[bool, bool, bool] = (True, True, True)
    """(3,) whether the box is periodic along each axis."""

    def centered(self) -> Array:
        """positions (n_atoms, 3), moved along open directions into the middle of the box."""
        moved = self.positions.copy()
        for k in range(3):
            if not self.pbc[k]:
                middle = 0.5 * (moved[:, k].min() + moved[:, k].max())
                moved[:, k] += 0.5 * self.lower[k, k] - middle
        return moved

    def coincident(self, distance: float) -> tuple[int, int] | None:
        """Two atoms closer than `distance` (Å), images counted, if there are any: the first that
        has such a partner, and the first of its partners. The time is in proportion to the number
        of atoms."""
        from scipy.spatial import cKDTree  # late: it is slow to import

        inverse = np.linalg.inv(self.lower)
        fractional = self.positions @ inverse
        # No two atoms this near are farther apart than `reach` in fractions of the cell, whatever
        # its shape.
        reach = distance * float(np.linalg.norm(inverse, 2)) * (1.0 + 1e-9)
        tree = cKDTree(wrapped(fractional, np.ones(3)), boxsize=1.0)
        pairs = tree.query_pairs(reach, output_type="ndarray")
        apart = fractional[pairs[:, 0]] - fractional[pairs[:, 1]]
        apart -= np.round(apart)
        near = pairs[np.sum((apart @ self.lower) ** 2, axis=1) < distance**2]
        if not len(near):
            return None
        first, second = min(map(tuple, np.sort(near, axis=1).tolist()))
        return first, second

    def boundary(self) -> str:
        """The arguments of `boundary`: periodic, or shrink-wrapped but never smaller than this
        box.
        """
        return " ".join("p" if periodic else "m" for periodic in self.pbc)

    @property
    def turned(self) -> bool:
        """Whether LAMMPS' axes are other than the configuration's."""
        return not np.array_equal(self.rotation, np.eye(3))

    @property
    def volume(self) -> float:
        """Å³."""
        return float(np.prod(np.diag(self.lower)))

    def vectors_back(self, vectors: Array) -> Array:
        """Vectors (..., 3) in LAMMPS' axes to the configuration's axes."""
        return vectors @ self.rotation

    def axial_vectors(self, vectors: Array) -> Array:
        """Axial vectors (..., 3), which a mirror turns round, from the configuration's axes to
        LAMMPS' axes.
        """
        return np.asarray(np.linalg.det(self.rotation) * vectors @ self.rotation.T)

    def stress_map(self) -> Array:
        """(6, 6) matrix that takes a Voigt stress in LAMMPS' axes to the configuration's axes."""
        q = self.rotation
        basis = np.zeros((6, 3, 3))
        for k, (i, j) in enumerate(VOIGT):
            basis[k, i, j] = basis[k, j, i] = 1.0
        turned = q.T @ basis @ q
        return np.array([[turned[k][i, j] for k in range(6)] for i, j in VOIGT])

    def bounds(self) -> str:
        """The arguments of `change_box all` that set this box."""
        a = self.lower.tolist()
        return (
            f"x final 0 {a[0][0]!r} y final 0 {a[1][1]!r} z final 0 {a[2][2]!r} "
            f"xy final {a[1][0]!r} xz final {a[2][0]!r} yz final {a[2][1]!r}"
        )

    def prism(self) -> str:
        """The arguments of `region prism` that span this box."""
        a = self.lower.tolist()
        return f"0 {a[0][0]!r} 0 {a[1][1]!r} 0 {a[2][2]!r} {a[1][0]!r} {a[2][0]!r} {a[2][1]!r}"


def box_of(configuration: Configuration, vacuum: float) -> Box:
    """The periodic box that LAMMPS computes a configuration in.

    vacuum: Å; along directions that are not periodic the box leaves a gap of this width, which must
    exceed the longest interaction: energies and forces are then those of the open boundary.
    """
    cell = padded_cell(configuration, vacuum)
    if not np.triu(cell, 1).any() and (np.diag(cell) > 0).all():
        return Box(cell, configuration.positions, np.eye(3), configuration.pbc)
    q, r = np.linalg.qr(cell.T)
    signs = np.where(np.diag(r) < 0, -1.0, 1.0)
    lower = np.tril((r * signs[:, None]).T)
    for k in range(3):
        if not configuration.pbc[k]:  # LAMMPS takes no tilt there, not even one of a rounding
            lower[k, :k] = lower[k + 1 :, k] = 0.0
    rotation = (q * signs).T
    return Box(
        lower=lower,
        positions=configuration.positions @ rotation.T,
        rotation=rotation,
        pbc=configuration.pbc,
    )


def compact_box_of(configuration: Configuration, vacuum: float) -> Box:
    """A box that MD can go on from: the lattice and the atoms of `box_of`, in edges that are tilted
    little.

    LAMMPS' `fix npt` and `fix deform` refuse a box that is tilted far, and scale edge by edge: of a
    thin, long one that makes a shear. Tilts along periodic edges are taken down to half an edge,
    which leaves LAMMPS' axes as they were. Where the box still is far from compact, its lattice
    vectors are replaced by the shortest ones, and with them the axes.
    """
    box = _with_small_tilts(box_of(configuration, vacuum))
    periodic = box.lower[list(box.pbc)]
    if len(periodic) < 2 or _defect(periodic) <= MOST_DEFECT:
        return box
    from ase.geometry import minkowski_reduce  # late: it is slow to import

    cell, _ = minkowski_reduce(configuration.cell, pbc=configuration.pbc)
    return _with_small_tilts(box_of(replace(configuration, cell=cell), vacuum))


def _with_small_tilts(box: Box) -> Box:
    return replace(box, lower=with_small_tilts(box.lower, box.pbc))


def with_small_tilts(cell: Array, pbc: tuple[bool, bool, bool]) -> Array:
    """The same lattice in a lower-triangular cell (3, 3) of the same edges, with no tilt above
    LARGEST_TILT along periodic ones.
    """
    lower = cell.copy()
    for row, column in ((2, 1), (2, 0), (1, 0)):
        times = lower[row, column] / lower[column, column]
        if pbc[row] and pbc[column] and abs(times) > LARGEST_TILT:
            lower[row] -= np.round(times) * lower[column]
    return lower


def _defect(vectors: Array) -> float:
    """The product of the lengths of vectors (2 or 3, 3) over the area or volume that they span: 1
    at right angles.
    """
    spanned = np.sqrt(np.linalg.det(vectors @ vectors.T))
    return float(np.prod(np.linalg.norm(vectors, axis=1)) / spanned)


def wrapped(coordinates: Array, edges: Array) -> Array:
    """coordinates (n, 3) modulo edges (3,), each at least 0 and less than the edge: a rounding
    below 0 becomes 0, not the edge.
    """
    inside = np.mod(coordinates, edges)
    return np.where(inside < edges, inside, 0.0)


def padded_cell(configuration: Configuration, vacuum: float) -> Array:
    """The cell (3, 3) with every open direction replaced by one at right angles to the rest, atoms'
    extent + vacuum long.
    """
    cell = configuration.cell.copy()
    open_axes = [k for k in range(3) if not configuration.pbc[k]]
    if not open_axes:
        return cell
    kept = [cell[k] for k in range(3) if configuration.pbc[k]]
    for axis, normal in zip(open_axes, _complement(kept), strict=True):
        along = configuration.positions @ normal
        cell[axis] = normal * (np.ptp(along) + vacuum)
    return cell


def _complement(vectors: list[Array]) -> list[Array]:
    """Orthonormal vectors that complete `vectors` to a basis of space."""
    if not vectors:
        return list(np.eye(3))
    u, _, _ = np.linalg.svd(np.array(vectors).T, full_matrices=True)
    return list(u.T[len(vectors) :])
