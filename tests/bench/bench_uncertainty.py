"""Fits with model error: time and what they reach, both sides in one run.

    python tests/bench/bench_uncertainty.py merr [iid abc mult]
        FitSNAP's MERR on the Ta example against the same of ours
    python tests/bench/bench_uncertainty.py pops
        the default against POPS on Mo
    python tests/bench/bench_uncertainty.py deck DECK CACHE
        the default on a deck's matrix; also under mpirun -n 2. CACHE keeps the descriptors

MERR: BFGS with numerical gradients, as FitSNAP runs it, on the same σ². Its ABC is minimised with
the first term of the likelihood, which fitsnap3 3.1.0.4 loses; the figure beside it is the
objective of what the released code finds. Objectives are
-log posterior as FitSNAP computes it, without its constants.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from snap_al.config import validate_config
from snap_al.descriptors import DescriptorEngine, DesignMatrix, Rows, row_source
from snap_al.inference import Block, fit_blocks, fit_posterior, fit_settings, refit, triangle_of
from snap_al.loop import RunConfig, read_inputs
from snap_al.parallel import SERIAL, combined_triangle, world

DATA = Path(os.environ.get("SNAP_AL_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
JOINT: dict[str, Any] = {
    "embedding": "coefficients",
    "mean": "joint",
    "prior": "flat",
    "noise_fraction": 1.0,
    "prior_precision": 1e-24,
}
ABC: dict[str, Any] = {"abc_alpha": 1.0, "abc_epsilon": 0.1}


def rows_of(config: RunConfig, cache: Path | None = None, comm: Any = SERIAL) -> list[Rows]:
    inputs = read_inputs(config, strict=False)
    with DescriptorEngine(config.descriptor, inputs.reference) as engine:
        matrix = DesignMatrix(row_source(engine, cache, comm), comm)
        matrix.append(inputs.training, strict=False)
        return matrix.slabs()


def median_time(work: Any, repeats: int = 5) -> tuple[float, Any]:
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        found = work()
        times.append(time.perf_counter() - started)
    return float(np.median(times)), found


def minus_log(
    c: np.ndarray, d: np.ndarray, aw: np.ndarray, bw: np.ndarray, datavar: float, method: str
) -> float:
    err = aw @ c - bw
    s2 = np.square(aw * d).sum(axis=1) + datavar
    if method == "iid":
        return float(0.5 * np.sum(err**2 / s2 + np.log(s2)))
    return float(0.5 * np.sum(err**2 + (np.sqrt(s2) - np.abs(err)) ** 2) / 0.1**2)


def merr(cases: list[str]) -> None:
    from fitsnap3lib.solvers import lreg

    rows = Rows.joined(
        rows_of(
            validate_config(
                {"fitsnap": "Ta-example.in"}, DATA / "Ta_Linear_JCP2014" / "Ta-example.in"
            )
        )
    )
    keep = rows.labelled
    a, b, w = rows.values[keep], rows.targets[keep], rows.weights[keep]
    aw, bw = a * w[:, None], b * w
    released = lreg.logpost_emb

    def corrected(x: np.ndarray, **p: Any) -> float:
        if p["merr_method"] != "abc":
            return released(x, **p)
        n = p["aw"].shape[1]
        d = x[n:] * (np.abs(x[:n]) if p["multiplicative"] else 1.0)
        return -minus_log(x[:n], d, p["aw"], p["bw"], p["datavar"], "abc")

    for case in cases:
        method, multiplicative = ("abc" if case == "abc" else "iid"), case == "mult"
        options = {
            **JOINT,
            "likelihood": method,
            "multiplicative": multiplicative,
            **(ABC if method == "abc" else {}),
        }
        fit_posterior(aw[:2000], bw[:2000], **options)  # imports
        seconds, p = median_time(
            lambda o=options: fit_posterior(aw, bw, **o)
        )  # one noise in weighted units, as FitSNAP has it
        noise = float(p.noise_by_kind[0]) ** 2
        ours = minus_log(p.mean, np.sqrt(np.diag(p.model_error)), aw, bw, noise, method)
        print(f"{case}: snap_al {seconds:8.3f} s   -log {ours:14.3f}", flush=True)
        for name, function in [("FitSNAP", corrected)] + [("FitSNAP as released", released)] * (
            case == "abc"
        ):
            lreg.logpost_emb = function
            np.random.seed(0)
            solver = lreg.lreg_merr(
                datavar=noise, multiplicative=multiplicative, merr_method=method
            )
            started = time.perf_counter()
            solver.fit(aw, bw)
            theirs = time.perf_counter() - started
            d = np.sqrt(np.diag(solver.cf_cov))
            value = minus_log(solver.cf, d, aw, bw, noise, method)
            print(
                f"{case}: {name} {theirs:8.1f} s   -log {value:14.3f}   {theirs / seconds:.0f} "
                "times ours",
                flush=True,
            )
        lreg.logpost_emb = released


def pops() -> None:
    path = DATA / "mlearn" / "Mo_train.extxyz"
    config = RunConfig.model_validate(
        {
            "descriptor": {"elements": ["Mo"], "twojmax": 6, "rcutfac": 4.6},
            "reference": ["pair_style zbl 3.5 4.0", "pair_coeff * * 42 42"],
            "training": [{"path": path, "eweight": 100}],
        }
    )
    rows = Rows.joined(rows_of(config)).used()
    kinds = rows.index["kind"]
    for threads in (1, 2):
        with threadpool_limits(threads):
            for name, options in (("snap_al", {}), ("POPS", {"posterior": "pops"})):
                seconds, _ = median_time(
                    lambda o=options: fit_posterior(
                        rows.values, rows.targets, rows.weights, kinds=kinds, **o
                    ),
                    7,
                )
                print(
                    f"Mo, {rows.values.shape[0]} rows x {rows.values.shape[1]}, {threads} "
                    f"threads: {name} {seconds:.3f} s"
                )


def deck(path: Path, cache: Path) -> None:
    comm = world()
    slabs = rows_of(validate_config({"fitsnap": path.name}, path), cache, comm)
    rows = Rows.joined(slabs)
    del slabs
    rows.values[:] *= np.where(rows.labelled, rows.weights, 0.0)[:, None]
    targets = np.where(rows.labelled, rows.targets * rows.weights, 0.0)
    index, settings = rows.index, fit_settings()

    def blocks(part: slice = slice(None)) -> list[Block]:
        weights = np.where(rows.labelled, rows.weights, 0.0)[part]
        kinds = index["kind"][part]
        return [
            Block(rows.values[part].copy(), targets[part], rows.mask[part], kinds, weights=weights)
        ]

    def timed(work: Any) -> tuple[float, Any]:
        comm.allgather(0)
        started = time.perf_counter()
        found = work()
        comm.allgather(0)
        return time.perf_counter() - started, found

    with threadpool_limits(1):
        held = [blocks()]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        cold, (posterior, _) = timed(lambda: fit_blocks(held.pop(), settings, comm=comm))
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        # one configuration more: the last of each rank's is added again
        kept = triangle_of(blocks())
        last = index["configuration"] == index["configuration"][-1]
        part = slice(int(np.flatnonzero(last)[0]), None)
        n_rows = posterior.n_rows

        def again() -> Any:
            added = blocks(part)
            triangle = combined_triangle(comm, triangle_of(added, kept))
            return refit(posterior, triangle, n_rows, added, settings, comm=comm)

        warm, _ = timed(again)
    if comm.rank == 0:
        matrix = rows.values.nbytes / 1e6
        print(
            f"{path.name}, {comm.size} ranks, {posterior.n_rows} rows x {rows.values.shape[1]}: "
            f"cold fit {cold:.1f} s, "
            f"after one more configuration {warm:.2f} s ({warm / cold:.1%}); beyond this rank's "
            f"matrix of {matrix:.0f} MB "
            f"the fit took {used / 1e3:.0f} MB"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["deck"]:
        deck(Path(sys.argv[2]).resolve(), Path(sys.argv[3]))
    elif sys.argv[1:2] == ["pops"]:
        pops()
    elif sys.argv[1:2] == ["merr"] or not sys.argv[1:]:
        merr(sys.argv[2:] or ["iid", "abc", "mult"])
    else:
        sys.exit(__doc__)
