"""Reads a .snapcoeff with FitSNAP's own reader and prints the coefficients: read_by_fitsnap.py DECK
STEM
"""

import contextlib
import io
import sys

from mpi4py import MPI

from snap_al.fitsnap import compat

compat.apply()
from fitsnap3lib.fitsnap import FitSnap  # noqa: E402  after the compatibility module

deck, stem = sys.argv[1:3]
with contextlib.redirect_stdout(io.StringIO()):
    fs = FitSnap(deck, comm=MPI.COMM_WORLD, arglist=["--overwrite"])
    fs.config.sections["OUTFILE"].potential_name = stem
    coefficients = fs.output.read_fit()
print(*coefficients)
