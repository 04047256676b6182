"""snap_al.fitsnap.solver: Against the released FitSNAP: its own solver on the same arrays."""

import numpy as np
import pytest

from snap_al.inference import fit_posterior

fitsnap = pytest.importorskip("fitsnap3lib.fitsnap", reason="pip install 'snap_al[fitsnap]'")

DECK = {
    "BISPECTRUM": {
        "numTypes": 1,
        "twojmax": 2,
        "rcutfac": 4.6,
        "rfac0": 0.99363,
        "rmin0": 0.0,
        "wj": 1.0,
        "radelem": 0.5,
        "type": "Cu",
    },
    "CALCULATOR": {"calculator": "LAMMPSSNAP", "energy": 1, "force": 1, "stress": 1},
    "SOLVER": {"solver": "SVD"},
    "SCRAPER": {"scraper": "JSON"},
    "PATH": {"dataPath": "."},
    "REFERENCE": {"units": "metal", "pair_style": "zero 10.0", "pair_coeff": "* *"},
    "GROUPS": {
        "group_sections": "name training_size testing_size eweight fweight vweight",
        "group_types": "str float float float float float",
    },
}


def test_flat_prior_is_fitsnaps_svd(tmp_path, monkeypatch):
    from mpi4py import MPI

    monkeypatch.chdir(tmp_path)  # FitSNAP writes into the current directory
    fs = fitsnap.FitSnap(DECK, comm=MPI.COMM_WORLD, arglist=["--overwrite"])
    rng = np.random.default_rng(0)
    a, b, w = (
        rng.standard_normal((200, 6)) * [1, 10, 100, 1, 0.1, 1],
        rng.standard_normal(200),
        rng.uniform(1, 100, 200),
    )
    fs.solver.perform_fit(a=a, b=b, w=w, trainall=True)
    ours = fit_posterior(a, b, w, posterior="bayes", prior_precision=1e-14).mean
    np.testing.assert_allclose(ours, fs.solver.fit, rtol=1e-9)
