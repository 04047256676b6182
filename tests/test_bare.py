""".ci/bare: `.ci/bare`, by which continuous integration hides what is installed."""

import os
import subprocess

from helpers.calls import ROOT

BARE = ROOT / ".ci" / "bare"


def run(command, **environment):
    return subprocess.run(
        [BARE, "bash", "-c", command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


def test_only_what_is_needed_is_found(tmp_path):
    """A program that was put on PATH by hand is not, python3 and make are; the command's exit code
    is the script's.
    """
    for name in ("pw.x", "sbatch", "mpirun", "chromium", "a_program_nobody_has_heard_of"):
        (tmp_path / name).write_text("#!/bin/sh\necho found\n")
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    names = " ".join(p.name for p in tmp_path.iterdir())
    done = run(f"for name in {names}; do command -v $name; done; exit 7", PATH=path)
    assert (done.returncode, done.stdout, done.stderr) == (7, "", "")
    done = run("command -v python3 make gcc bash ps && python3 -c 'print(6 * 7)'", PATH=path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("\n42\n")


def test_the_environment_is_new(tmp_path):
    """But what pip needs is passed on: its variables, and its configuration in HOME."""
    (tmp_path / ".config" / "pip").mkdir(parents=True)
    (tmp_path / ".config" / "pip" / "pip.conf").write_text("[global]\ntimeout = 77\n")
    given = {
        "HOME": str(tmp_path),
        "ASE_VASP_COMMAND": "vasp",
        "SLURM_CONF": "/etc/slurm.conf",
        "PIP_RETRIES": "9",
        "CI": "true",
    }
    done = run('cat "$HOME/.config/pip/pip.conf"; env; echo "home $HOME"', **given)
    assert done.returncode == 0, done.stderr
    assert "timeout = 77" in done.stdout
    assert "PIP_RETRIES=9" in done.stdout
    assert "CI=true" in done.stdout
    assert "VASP" not in done.stdout
    assert "SLURM" not in done.stdout
    home = done.stdout.rsplit("home ", 1)[1].strip()
    assert home != str(tmp_path)
    assert not os.path.exists(home), "removed when the command has ended"


def test_an_environment_made_in_it_lasts(tmp_path):
    """Its Python is not one of a folder that is gone."""
    assert run(f"python3 -m venv --without-pip {tmp_path / 'venv'}").returncode == 0
    done = subprocess.run(
        [tmp_path / "venv" / "bin" / "python", "-c", "print(6 * 7)"], capture_output=True, text=True
    )
    assert done.stdout == "42\n", done.stderr


def test_continuous_integration_uses_it():
    assert ".ci/bare make test" in (ROOT / ".ci" / "run").read_text()
