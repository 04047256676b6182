"""Linear SNAP, quadratic SNAP and networks on mlearn's published training and test sets.

    python tests/bench/bench_network.py [Mo] [Si] [--seeds 3] [--hidden 32,32] [--epochs 80]

All are fitted to the same labels with the same weights, by the default posterior with embedded
model error; of a network that is the last layer's, after hidden weights were learned. Errors,
coverage within 1 and 2 std, NLL of forces (nats; eV/Å), and wall time: of rows with hidden weights,
and of the fit. The published sets have no stress. Forces that vanish by symmetry are not counted.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from snap_al.config import validate_config
from snap_al.descriptors import DesignMatrix, Rows
from snap_al.inference import Posterior, fit_posterior
from snap_al.loop import RunInputs, read_inputs
from snap_al.parallel import SERIAL
from snap_al.potential import Model, Snap
from snap_al.potential.network import Network, NetworkSettings, Sources, examples_of, learn_hidden
from snap_al.uncertainty.metrics import kind_metrics

DATA = Path(os.environ.get("SNAP_AL_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
SETS = {"Mo": (42, 4.6), "Si": (14, 4.7)}
"""Atomic number, and cutoff in Å."""


def inputs_of(element: str) -> tuple[object, RunInputs]:
    number, cutoff = SETS[element]
    train, test = (str(DATA / "mlearn" / f"{element}_{part}.extxyz") for part in ("train", "test"))
    zbl = [f"pair_style zbl {cutoff - 1.1:.1f} {cutoff - 0.6:.1f}"]
    content = {
        "descriptor": {"elements": [element], "twojmax": 6, "rcutfac": cutoff},
        "reference": [*zbl, f"pair_coeff * * {number} {number}"],
        "training": [{"path": train, "eweight": 100, "fweight": 1, "vweight": 0}],
        "test": test,
    }
    config = validate_config(content, Path("config.yaml"))
    return config.descriptor, read_inputs(config, strict=False)


def rows_of(model: Model, inputs: RunInputs) -> tuple[Rows, Rows]:
    """The used rows of the training and the test set."""
    found = []
    with model.engine(inputs.reference) as engine:
        for items in (inputs.training, inputs.test):
            matrix = DesignMatrix(engine, SERIAL)
            matrix.append(items, strict=False)
            found.append(Rows.joined([slab.used() for slab in matrix.slabs()]))
    return found[0], found[1]


def fitted(model: Model, train: Rows) -> Posterior:
    return fit_posterior(
        train.values,
        train.targets,
        train.weights,
        kinds=train.index["kind"],
        constants=model.columns.constants,
    )


def show(name: str, posterior: Posterior, test: Rows, seconds: tuple[float, ...]) -> None:
    kinds = test.index["kind"]
    predicted = posterior.predict(test.values, kinds=kinds)
    error, std = predicted.mean - test.targets, predicted.total_std
    energy, forces = (kind_metrics(error[kinds == k], std[kinds == k]) for k in (0, 1))
    mae = [float(np.abs(error[kinds == k]).mean()) for k in (0, 1)]
    print(
        f"{name:24s} E {mae[0] * 1e3:5.2f}/{energy['rmse'] * 1e3:5.2f} meV/atom "
        f"{energy['coverage_1sigma']:.2f} {energy['coverage_2sigma']:.2f} | "
        f"F {mae[1]:.4f}/{forces['rmse']:.4f} eV/Å {forces['coverage_1sigma']:.3f} "
        f"{forces['coverage_2sigma']:.3f} NLL {forces['nll']:.3f} | "
        + " ".join(f"{s:.0f} s" for s in seconds),
        flush=True,
    )


def compare(element: str, settings: list[NetworkSettings]) -> None:
    descriptor, inputs = inputs_of(element)
    for name, flag in (("linear", False), ("quadratic", True)):
        model = Snap(descriptor.model_copy(update={"quadraticflag": flag}))
        started = time.perf_counter()
        train, test = rows_of(model, inputs)
        made = time.perf_counter()
        posterior = fitted(model, train)
        seconds = (made - started, time.perf_counter() - made)
        show(f"{element} {name}", posterior, test, seconds)
    started = time.perf_counter()
    examples = examples_of(inputs.training, Sources(descriptor, inputs.reference))
    print(f"{element} derivatives {time.perf_counter() - started:.0f} s", flush=True)
    for s in settings:
        started = time.perf_counter()
        learned = learn_hidden(examples, descriptor, s)
        known = time.perf_counter()
        model = Network(descriptor, learned.hidden)
        train, test = rows_of(model, inputs)
        made = time.perf_counter()
        posterior = fitted(model, train)
        fit = time.perf_counter() - made
        print(
            f"  pass {learned.best} of {len(learned.training) - 1}: training "
            f"{learned.training[learned.best]:.4f}, left out {learned.validation[learned.best]:.4f}"
        )
        name = f"{element} {'-'.join(map(str, s.hidden))} seed {s.seed}"
        show(name, posterior, test, (known - started, made - known, fit))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("elements", nargs="*", default=[*SETS])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--hidden", default="32,32")
    parser.add_argument("--epochs", type=int, default=80)
    given = parser.parse_args()
    hidden = tuple(map(int, given.hidden.split(",")))
    settings = [
        NetworkSettings(hidden=hidden, epochs=given.epochs, seed=seed)
        for seed in range(given.seeds)
    ]
    print("columns: MAE/RMSE; seconds of learning, rows and fit")
    with threadpool_limits(1):
        for element in given.elements:
            compare(element, settings)


if __name__ == "__main__":
    main()
