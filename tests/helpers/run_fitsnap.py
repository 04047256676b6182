"""Runs the released FitSNAP, each time in a process of its own that is forked after what takes
longest, importing FitSNAP, is done. `fitsnap.py` is its client.

    run_fitsnap.py    # reads lines of JSON [WHAT, FOLDER, ARGUMENTS...], prints exit codes

WHAT is the name of a function here whose arrays are left in FOLDER/found.npz; what FitSNAP said is
in FOLDER/said.txt.
"""

import json
import os
import sys
import traceback
from types import SimpleNamespace

import mpi4py
import numpy as np

mpi4py.rc.initialize = False  # in each process, and not before they are forked
from mpi4py import MPI  # noqa: E402

from snap_al.fitsnap import compat  # noqa: E402

compat.apply()
from fitsnap3lib.fitsnap import FitSnap  # noqa: E402  after the compatibility module

from snap_al.fitsnap.solver import EmbeddedModelError  # noqa: E402


def fitted(deck: str, with_ours: bool) -> dict[str, np.ndarray]:
    """FitSNAP's rows, fit and table of errors. with_ours: our solver fits within FitSNAP as well,
    and FitSNAP writes its files.
    """
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
    if with_ours:
        fs.solver = EmbeddedModelError(fs.pt, fs.config, samples=50)
        fs.fit = None
        fs.perform_fit()
        fs.write_output()
        ours = {
            "ours": np.asarray(fs.solver.fit).ravel(),
            "cov": fs.solver.cov,
            "samples": fs.solver.fit_sam,
        }
    return {
        **arrays,
        "fit": theirs,
        **ours,
        "groups": np.array(rows["Groups"]),
        "files": np.array(rows["Configs"]),
        "kinds": np.array(rows["Row_Type"]),
        "atoms": np.array(rows["Atom_I"]).astype(int),
        "names": names,
        "table": table,
    }


def read(deck: str, stem: str) -> dict[str, np.ndarray]:
    """The coefficients of STEM.snapcoeff, as FitSNAP's own reader has them."""
    fs = FitSnap(deck, comm=MPI.COMM_WORLD, arglist=["--overwrite"])
    fs.config.sections["OUTFILE"].potential_name = stem
    return {"coefficients": np.array(fs.output.read_fit(), dtype=float)}


def child(what: str, folder: str, *arguments: object) -> None:
    os.chdir(folder)
    said = os.open("said.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number in (1, 2):
        os.dup2(said, number)
    code = 1
    try:
        MPI.Init()
        np.savez("found.npz", **{"fitted": fitted, "read": read}[what](*arguments))
        MPI.Finalize()
        code = 0
    except BaseException:  # noqa: BLE001  as a new process would say it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    for line in sys.stdin:
        if (pid := os.fork()) == 0:
            child(*json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
