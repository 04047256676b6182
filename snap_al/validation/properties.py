"""Properties of a crystal by any ASE calculator: lattice, equation of state, elastic constants,
defects, surfaces, phonons.

Each function takes a calculator and the crystal as relaxed by it, and returns its quantities. The
same functions serve a fitted potential, each draw from its posterior, and the labeler.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.eos import EquationOfState
from ase.mep import NEB
from ase.mep.neb import NEBOptimizer
from ase.units import GPa

from snap_al.validation.crystal import (
    ALIKE,
    IONS,
    Crystal,
    NotConvergedError,
    converge,
    neighbour_of_first,
    with_calculator,
)
from snap_al.validation.slabs import slab

STRAIN = 3e-3
"""Strain for elastic constants, in both directions."""
VOLUMES = np.linspace(0.94, 1.06, 7)
SUPERCELL = 9.0
"""Å, least edge of cells with a vacancy, and of those for phonons."""
SLAB = 9.0
"""Å, least thickness of slabs."""
SURFACE_IONS = 5e-4
"""eV/Å at which a slab has relaxed: its energy is then right to some 1e-6 J/m²."""
FACES = {"cubic": ((1, 0, 0), (1, 1, 0), (1, 1, 1)), "hexagonal": ((0, 0, 1), (1, 0, 0), (1, 1, 0))}
"""Miller indices of the surfaces, by crystal system."""
ATOM_BOX = 15.0
"""Å, edge of the cell of a single atom."""
J_PER_M2 = 16.021766
"""J/m² per eV/Å²."""
DISPLACEMENT = 0.01
"""Å, displacement for phonons."""
BAND_IMAGES, BAND_FORCES, BAND_STEPS = 3, 0.02, 100


@dataclass(frozen=True)
class Quantity:
    """One number of a crystal."""

    name: str
    """Name of the quantity."""
    unit: str
    """Its unit."""
    value: float
    """Its value."""
    note: str = ""
    """Which of several possible geometries the value belongs to, in words."""


def lattice(calculator: Calculator, crystal: Crystal) -> list[Quantity]:
    """Lattice constants, and the cohesive energy relative to single atoms."""
    atoms = with_calculator(crystal.atoms, calculator)
    alone = sum(_lone_energy(calculator, symbol) for symbol in atoms.symbols)
    a, _, c = atoms.cell.lengths()
    lengths = [Quantity("a", "Å", a)]
    if crystal.system == "hexagonal":
        lengths.append(Quantity("c", "Å", c))
    return [
        *lengths,
        Quantity("cohesive energy", "eV/atom", (alone - atoms.get_potential_energy()) / len(atoms)),
    ]


def _lone_energy(calculator: Calculator, symbol: str) -> float:
    return float(
        with_calculator(
            Atoms(symbol, cell=[ATOM_BOX] * 3, pbc=True), calculator
        ).get_potential_energy()
    )


def equation_of_state(calculator: Calculator, crystal: Crystal) -> list[Quantity]:
    """Volume and bulk modulus by Birch and Murnaghan, at the shape of the relaxed cell."""
    volumes, energies = [], []
    for share in VOLUMES:
        atoms = with_calculator(crystal.atoms, calculator)
        atoms.set_cell(atoms.cell * share ** (1 / 3), scale_atoms=True)
        volumes.append(atoms.get_volume() / len(atoms))
        energies.append(atoms.get_potential_energy() / len(atoms))
    v0, _, modulus = EquationOfState(volumes, energies, eos="birchmurnaghan").fit(warn=False)
    return [Quantity("volume", "Å³/atom", v0), Quantity("bulk modulus", "GPa", modulus / GPa)]


def elastic(calculator: Calculator, crystal: Crystal) -> list[Quantity]:
    """C_ij from stresses at small strains to both sides, atoms relaxed."""
    first, shear = _stress_slope(calculator, crystal, 0), _stress_slope(calculator, crystal, 3)
    constants = {"C11": first[0], "C12": first[1], "C44": shear[3]}
    if crystal.system == "hexagonal":
        third = _stress_slope(calculator, crystal, 2)
        constants |= {"C13": first[2], "C33": third[2]}
    return [Quantity(name, "GPa", value) for name, value in sorted(constants.items())]


def _stress_slope(calculator: Calculator, crystal: Crystal, voigt: int) -> np.ndarray:
    """(6,) GPa: dσ/de of one Voigt component of the strain."""
    stresses = []
    for sign in (1.0, -1.0):
        strain = np.zeros((3, 3))
        i, j = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))[voigt]
        strain[i, j] += sign * STRAIN / (1.0 if i == j else 2.0)
        strain[j, i] = strain[i, j]
        atoms = with_calculator(crystal.atoms, calculator)
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
        converge(atoms, IONS, "a strained cell")
        stresses.append(atoms.get_stress())
    return np.asarray((stresses[0] - stresses[1]) / (2.0 * STRAIN * GPa))


def vacancy(calculator: Calculator, crystal: Crystal) -> list[Quantity]:
    """Formation energy at constant volume, and the barrier of a neighbour's jump into it, by a
    climbing band. Of elements.
    """
    perfect = with_calculator(crystal.supercell(SUPERCELL), calculator)
    n, (neighbour, vector) = len(perfect), neighbour_of_first(perfect)
    start, end = (
        _without_first(atoms, calculator) for atoms in (perfect, _moved(perfect, neighbour))
    )
    for name, atoms in (("a vacancy", start), ("a vacancy after its jump", end)):
        converge(atoms, IONS, name)
    energy = start.get_potential_energy()
    formation = energy - (n - 1) / n * perfect.get_potential_energy()
    images = [start, *(with_calculator(start, calculator) for _ in range(BAND_IMAGES)), end]
    band = NEB(images, climb=True, allow_shared_calculator=True, method="improvedtangent")
    band.interpolate(mic=True)
    if not NEBOptimizer(band, logfile=None).run(fmax=BAND_FORCES, steps=BAND_STEPS):
        raise NotConvergedError(f"the band of a vacancy's jump: not relaxed in {BAND_STEPS} steps")
    barrier = max(image.get_potential_energy() for image in images) - energy
    note = ""
    if crystal.system == "hexagonal":
        flat = abs(vector[2]) < ALIKE * np.linalg.norm(vector)
        note = "within the basal plane" if flat else "out of the basal plane"
    return [Quantity("vacancy", "eV", formation), Quantity("vacancy jump", "eV", barrier, note)]


def _moved(perfect: Atoms, neighbour: int) -> Atoms:
    moved: Atoms = perfect.copy()
    moved.positions[neighbour] = perfect.positions[0]
    return moved


def _without_first(atoms: Atoms, calculator: Calculator) -> Atoms:
    return with_calculator(atoms[1:], calculator)


def surfaces(calculator: Calculator, crystal: Crystal) -> list[Quantity]:
    """Energies of relaxed low-index surfaces, each with its termination as a note. Of elements.

    Of cubic crystals (100), (110) and (111); of hexagonal ones the basal plane (0001), named 001,
    and the prisms (10-10), named 100, and (11-20), named 110. See `slab` for where the crystal is
    cut; a slab is as small along its faces as the lattice allows, so that surfaces relax and do not
    reconstruct.
    """
    bulk = with_calculator(crystal.atoms, calculator)
    per_atom = bulk.get_potential_energy() / len(bulk)
    energies = []
    for indices in FACES[crystal.system]:
        cut = slab(crystal, indices, SLAB)
        atoms = with_calculator(cut.atoms, calculator)
        converge(atoms, SURFACE_IONS, f"the surface {indices}")
        energy = (atoms.get_potential_energy() - len(atoms) * per_atom) / (2.0 * cut.area)
        name = f"surface {''.join(map(str, indices))}"
        energies.append(Quantity(name, "J/m²", energy * J_PER_M2, cut.termination))
    return energies


def phonons(calculator: Calculator, crystal: Crystal) -> list[Quantity]:
    """Frequencies (THz, negative where imaginary) of each branch at the special points of the zone,
    by finite displacements (phonopy: Togo, J. Phys. Soc. Jpn. 92, 012001 (2023))."""
    from phonopy import Phonopy  # late: it is slow to import
    from phonopy.structure.atoms import PhonopyAtoms

    atoms = crystal.atoms
    cell = PhonopyAtoms(
        symbols=list(atoms.symbols),
        cell=atoms.cell.array,
        scaled_positions=atoms.get_scaled_positions(),
    )
    phonopy = Phonopy(
        cell, np.diag(crystal.repeats(SUPERCELL)), primitive_matrix=crystal.centring, log_level=0
    )
    phonopy.generate_displacements(distance=DISPLACEMENT)
    phonopy.forces = [
        _forces(calculator, displaced) for displaced in phonopy.supercells_with_displacements or []
    ]
    phonopy.produce_force_constants()
    names, points = zip(*_special_points(phonopy.primitive.cell), strict=True)
    phonopy.run_qpoints(points)
    assert phonopy.qpoints is not None
    return [
        Quantity(f"phonon {name} {branch}", "THz", float(frequency))
        for name, at_point in zip(names, phonopy.qpoints.frequencies, strict=True)
        for branch, frequency in enumerate(at_point, 1)
    ]


def _forces(calculator: Calculator, displaced: object) -> np.ndarray:
    symbols, cell, positions = (
        getattr(displaced, name) for name in ("symbols", "cell", "positions")
    )
    return np.asarray(
        with_calculator(
            Atoms(symbols, positions=positions, cell=cell, pbc=True), calculator
        ).get_forces()
    )


def _special_points(primitive: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The special points that do not depend on lengths and are not Γ: their coordinates are whole
    fourths and thirds."""
    points = Atoms(cell=primitive, pbc=True).cell.bandpath(npoints=0).special_points
    for name, point in sorted(points.items()):
        if point.any() and np.allclose(12 * point, np.round(12 * point)):
            yield name, point


Property = Callable[[Calculator, Crystal], list[Quantity]]
PROPERTIES: dict[str, Property] = {
    "lattice": lattice,
    "eos": equation_of_state,
    "elastic": elastic,
    "vacancy": vacancy,
    "surfaces": surfaces,
    "phonons": phonons,
}
OF_ELEMENTS = ("vacancy", "surfaces")
"""Properties that in a compound would depend on chemical potentials."""
