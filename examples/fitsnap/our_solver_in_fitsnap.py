"""FitSNAP computes and writes, snap_al fits: python our_solver_in_fitsnap.py Ta-example.in

Leaves FitSNAP's own output files in the current folder, and prints the largest std of a coefficient
next to its size.
"""

import sys

import numpy as np
from mpi4py import MPI

from snap_al.fitsnap import compat

compat.apply()  # the released fitsnap3 on the current LAMMPS
from fitsnap3lib.fitsnap import FitSnap  # noqa: E402

from snap_al.fitsnap.solver import EmbeddedModelError  # noqa: E402

fs = FitSnap(sys.argv[1], comm=MPI.COMM_WORLD, arglist=["--overwrite"])
fs.scrape_configs()
fs.process_configs()
fs.solver = EmbeddedModelError(fs.pt, fs.config, samples=100)
fs.perform_fit()
fs.write_output()

std = np.sqrt(np.diag(fs.solver.cov))
print(
    f"{len(std)} coefficients, std up to "
    f"{np.max(std / np.abs(fs.solver.posterior.mean).max()):.2g} of the largest"
)
