"""Runs the released FitSNAP on a deck and leaves its arrays in the current folder: run_fitsnap.py
DECK OUT.npz [--ours]
"""

import sys
from types import SimpleNamespace

import numpy as np
from mpi4py import MPI

from snap_al.fitsnap import compat

compat.apply()
from fitsnap3lib.fitsnap import FitSnap  # noqa: E402  after the compatibility module

from snap_al.fitsnap.solver import EmbeddedModelError  # noqa: E402

deck, out = sys.argv[1:3]
fs = FitSnap(deck, comm=MPI.COMM_WORLD, arglist=["--overwrite"])
# FitSNAP's XYZ scraper writes into an array that its release makes only later.
fs.pt.shared_arrays["number_of_atoms"] = SimpleNamespace(sliced_array=np.zeros(10**6))
fs.scrape_configs()
del fs.pt.shared_arrays["number_of_atoms"]
fs.process_configs()
rows = fs.pt.fitsnap_dict
arrays = {name: np.array(fs.pt.shared_arrays[name].array) for name in ("a", "b", "w")}
fs.perform_fit()
theirs = np.asarray(fs.solver.fit).ravel()
errors = fs.solver.errors
names, table = ["|".join(map(str, key)) for key in errors.index], errors.to_numpy(dtype=float)

ours = {}
if "--ours" in sys.argv:
    fs.solver = EmbeddedModelError(fs.pt, fs.config, samples=50)
    fs.fit = None
    fs.perform_fit()
    fs.write_output()
    ours = {
        "ours": np.asarray(fs.solver.fit).ravel(),
        "cov": fs.solver.cov,
        "samples": fs.solver.fit_sam,
    }
np.savez(
    out,
    **arrays,
    fit=theirs,
    **ours,
    groups=np.array(rows["Groups"]),
    files=np.array(rows["Configs"]),
    kinds=np.array(rows["Row_Type"]),
    atoms=np.array(rows["Atom_I"]).astype(int),
    names=names,
    table=table,
)
