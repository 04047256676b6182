"""snap_al.potential.files: Files for stock LAMMPS: what the `lmp` program computes with them is
what Python says.
"""

import subprocess

import ase.io
import numpy as np
import pytest
from helpers.optional import BIN
from helpers.samples import KINDS_OF_SNAP, ZBL

from snap_al.descriptors import Columns
from snap_al.errors import InputError
from snap_al.inference import fit_posterior
from snap_al.potential import FittedPotential, Snap, element_covariance
from snap_al.potential.variance import MOST_COMPONENTS
from snap_al.sessions import box_of


@pytest.fixture(scope="module", params=list(KINDS_OF_SNAP))
def fitted(request, tmp_path_factory):
    settings = KINDS_OF_SNAP[request.param]
    rng = np.random.default_rng(0)
    n = Columns.of(settings).n_distinct
    posterior = fit_posterior(rng.standard_normal((3 * n, n)), rng.standard_normal(3 * n))
    potential = FittedPotential(Snap(settings), ZBL, posterior)
    folder = tmp_path_factory.mktemp("potential")
    potential.write(folder)
    return potential, folder


def lmp(folder, alloy, lines, ranks=1):
    """Runs the LAMMPS program on the alloy in `folder`; returns the dumped columns by atom id, and
    the log.
    """
    box = box_of(alloy, 0.0)
    atoms = alloy.to_atoms()
    atoms.set_cell(box.lower)
    atoms.positions = box.positions
    atoms.calc = None
    ase.io.write(
        folder / "alloy.data", atoms, format="lammps-data", specorder=["Cu", "Ag"], masses=True
    )
    script = ["units metal", "atom_style atomic", "box tilt large", "read_data alloy.data", *lines]
    (folder / "in.test").write_text("\n".join(script) + "\n")
    command = [str(BIN / "lmp"), "-in", "in.test", "-log", "log.test"]
    if ranks > 1:
        command = [str(BIN / "mpirun"), "-n", str(ranks), *command]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    dumped = np.loadtxt(folder / "dump.test", skiprows=9)
    return dumped[np.argsort(dumped[:, 0])], (folder / "log.test").read_text()


FORCES = ["run 0", 'write_dump all custom dump.test id fx fy fz modify format float "%.15g"']


def thermo(log, column):
    lines = log.splitlines()
    at = next(k for k, line in enumerate(lines) if line.split()[:1] == ["Step"])
    return float(lines[at + 1].split()[lines[at].split().index(column)])


@pytest.mark.parametrize("ranks", [1, 2])
def test_lmp_gives_the_energy_and_forces_of_the_rows(fitted, alloy, ranks):
    potential, folder = fitted
    lines = ["include potential.mod", "thermo_modify format float %.15g", *FORCES]
    dumped, log = lmp(folder, alloy, lines, ranks)
    with potential.engine() as engine:
        rows = engine.rows(alloy)
    values = rows.values @ potential.posterior.mean + rows.reference
    assert thermo(log, "E_pair") == pytest.approx(values[0] * len(alloy), rel=1e-10)
    forces = box_of(alloy, 0.0).vectors_back(dumped[:, 1:4])
    np.testing.assert_allclose(
        forces, values[1:-6].reshape(-1, 3), atol=1e-9 * np.abs(values[1:-6]).max()
    )


def test_finite_differences_of_what_lmp_computes_agree_with_its_forces(fitted, alloy):
    """With chem this holds only because equal columns carry equal coefficients."""
    _potential, folder = fitted
    h = 1e-4
    head = ["include potential.mod", "thermo_modify format float %.15g"]
    forces = lmp(folder, alloy, [*head, *FORCES])[0][:, 1:4]
    for atom, axis in ((0, 0), (1, 1), (5, 2)):
        energies = []
        for sign in (1, -1):
            shift = ["0"] * 3
            shift[axis] = str(sign * h)
            move = [f"group one id {atom + 1}", f"displace_atoms one move {' '.join(shift)}"]
            energies.append(thermo(lmp(folder, alloy, [*head, *move, *FORCES])[1], "E_pair"))
        slope = -(energies[0] - energies[1]) / (2 * h)
        assert slope == pytest.approx(forces[atom, axis], abs=1e-6 * np.abs(forces).max())


@pytest.mark.parametrize("ranks", [1, 2])
def test_variance_file_in_stock_lammps(fitted, alloy, ranks):
    """pe/atom of the variance potential is (1, B) Σ (1, B)ᵀ of each atom."""
    potential, folder = fitted
    settings = potential.model.settings
    if settings.quadraticflag:
        assert not (folder / "potential_variance.snapcoeff").exists(), (
            "of fourth order in B, and no SNAP"
        )
        return
    names = " ".join(settings.elements)
    lines = [
        "pair_style snap",
        f"pair_coeff * * potential_variance.snapcoeff potential_variance.snapparam {names}",
        "compute variance all pe/atom",
        f"compute b all sna/atom {settings.compute_arguments()}",
        "run 0",
        'write_dump all custom dump.test id type c_variance c_b[*] modify format float "%.15g"',
    ]
    dumped, _ = lmp(folder, alloy, lines, ranks)
    columns = Columns.of(settings)
    for row in dumped:
        b = np.concatenate([[1.0], row[3:]])
        expected = b @ element_covariance(columns, potential.posterior, int(row[1]) - 1) @ b
        assert row[2] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("ranks", [1, 2])
def test_std_beside_the_potential_in_stock_lammps(fitted, alloy, ranks):
    """potential_std.mod, in a run with the potential itself, reference and all: each atom's std and
    the largest.
    """
    potential, folder = fitted
    settings, columns = potential.model.settings, Columns.of(potential.model.settings)
    if settings.quadraticflag or columns.n_components > MOST_COMPONENTS:
        assert not (folder / "potential_std.mod").exists()
        return
    lines = [
        "include potential.mod",
        "include potential_std.mod",
        f"compute b all sna/atom {settings.compute_arguments()}",
        "thermo_style custom step v_snap_std_max",
        "thermo_modify format float %.15g",
        "run 0",
        'write_dump all custom dump.test id type v_snap_std c_b[*] modify format float "%.15g"',
    ]
    dumped, log = lmp(folder, alloy, lines, ranks)
    for row in dumped:
        b = np.concatenate([[1.0], row[3:]])
        variance = b @ element_covariance(columns, potential.posterior, int(row[1]) - 1) @ b
        assert row[2] == pytest.approx(np.sqrt(variance), rel=1e-6)
    assert thermo(log, "v_snap_std_max") == pytest.approx(dumped[:, 2].max(), rel=1e-12)


def test_reading_back(fitted, tmp_path):
    potential, folder = fitted
    again = FittedPotential.read(folder)
    assert again.model.settings == potential.model.settings
    assert again.reference == potential.reference
    assert np.array_equal(again.posterior.mean, potential.posterior.mean)
    with pytest.raises(InputError, match="no fitted potential here"):
        FittedPotential.read(tmp_path)
    (tmp_path / "descriptor.json").write_text('{"descriptor": 3}')
    with pytest.raises(InputError, match="not written by snap_al"):
        FittedPotential.read(tmp_path)


def test_coefficients_read_back_bit_for_bit(fitted):
    potential, folder = fitted
    numbers = [
        float(line.split("#")[0])
        for line in (folder / "potential.snapcoeff").read_text().splitlines()[4:]
        if "#" in line
    ]
    columns = Columns.of(potential.model.settings)
    expected = columns.spread @ potential.posterior.mean
    written = (
        numbers
        if columns.has_constant
        else [x for k, x in enumerate(numbers) if k % (columns.n_components + 1)]
    )
    assert np.array_equal(written, expected)
