"""examples/cluster: The batch scripts of examples/cluster: under a real Slurm where there is one,
and PBS' as the script that it is.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import ase.io
import pytest
from ase.build import bulk
from helpers.calls import snap_al
from helpers.odd import gone, until
from helpers.optional import BIN

SCRIPTS = Path(__file__).parents[1] / "examples" / "cluster"


@pytest.fixture
def folder(tmp_path):
    for path in SCRIPTS.iterdir():
        shutil.copy(path, tmp_path)
    ase.io.write(tmp_path / "Cu.extxyz", bulk("Cu", cubic=True))
    text = (
        (tmp_path / "copper.yaml")
        .read_text()
        .replace("steps: 2000", "steps: 300")
        .replace("_every: 500", "_every: 150")
    )
    (tmp_path / "copper.yaml").write_text(
        text.replace("[3, 3, 3]", "[2, 2, 2]").replace("twojmax: 6", "twojmax: 4")
    )
    return tmp_path


def environment(**more):
    return {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", **more}


def stopped(run):
    return json.loads(snap_al("status", run, "--json").stdout)["stopped"]


@pytest.mark.parametrize("script", ["run.slurm", "run.pbs"])
def test_scripts_are_bash(script):
    assert subprocess.run(["bash", "-n", SCRIPTS / script]).returncode == 0


@pytest.mark.slow
def test_pbs_script(folder):
    (folder / "nodes").write_text("localhost\nlocalhost\n")
    given = environment(
        PBS_O_WORKDIR=str(folder),
        PBS_NODEFILE=str(folder / "nodes"),
        CONFIG="copper.yaml",
        OUT="run",
    )
    done = subprocess.run(
        ["bash", folder / "run.pbs"], env=given, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stderr
    assert stopped(folder / "run") == "every walker is at the end of its protocol"


@pytest.mark.slow
@pytest.mark.usefixtures("slurm")
@pytest.mark.parametrize("how", ["srun", "mpirun"])
def test_slurm_script_submits_itself_until_the_run_ends(folder, how):
    """Killed at its time limit at least once; no process is left."""
    given = environment(MINUTES="0.1", **({"SNAP_AL_MPIRUN": "1"} if how == "mpirun" else {}))
    command = ["sbatch", "--ntasks=2", "--mem-per-cpu=1G", "run.slurm", "copper.yaml", "run"]
    assert (
        subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True).returncode
        == 0
    )
    until(
        lambda: not subprocess.run(["squeue", "-h"], capture_output=True, text=True).stdout.strip()
    )
    assert len(list(folder.glob("snap-al-*.log"))) > 1
    assert stopped(folder / "run") == "every walker is at the end of its protocol"
    assert gone(str(folder))
