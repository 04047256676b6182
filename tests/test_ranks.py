"""snap_al.inference on two ranks: Fits on two ranks."""

import subprocess
import sys

from helpers.calls import ROOT
from helpers.optional import BIN


def test_every_method_on_two_ranks():
    command = [
        str(BIN / "mpirun"),
        "-n",
        "2",
        sys.executable,
        "-m",
        "mpi4py",
        str(ROOT / "tests" / "helpers" / "fit_on_ranks.py"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "all methods agree" in done.stdout
