"""`snap-al fit`: one fit to a config's or a FitSNAP deck's training set. Collective over all
ranks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from snap_al.config import load_config, validate_config
from snap_al.data import LabelledConfiguration
from snap_al.data.counts import SetName, without_left_out
from snap_al.data.remarks import Remarks
from snap_al.data.storage import write_atomically
from snap_al.descriptors import DescriptorEngine, RowSource, row_source
from snap_al.errors import InputError
from snap_al.fitsnap import (
    Deck,
    Metrics,
    check_outputs,
    metrics_of,
    read_deck,
    write_dumps,
    write_metrics,
    write_posterior,
)
from snap_al.inference import Posterior
from snap_al.loop import RunConfig, RunDirectory, RunInputs, read_inputs
from snap_al.loop.evaluation import TestSet
from snap_al.loop.memory import matrix_folder
from snap_al.loop.training import TrainingSet
from snap_al.parallel import Communicator, on_root, world
from snap_al.potential import STEM, FittedPotential, check_beside
from snap_al.progress import Report, silent
from snap_al.units import BAR_PER_EV_PER_A3, FITSNAP_BAR_PER_EV_PER_A3


@dataclass(frozen=True)
class _Task:
    """Everything that a fit begins with. deck: None for a config. memory: bytes for the design
    matrix, if limited. notes: what a user may not expect, and that is no fault."""

    config: RunConfig
    inputs: RunInputs
    deck: Deck | None
    folder: Path
    memory: float | None
    notes: tuple[str, ...]


def fit(
    source: Path | str,
    out: Path | str,
    comm: Communicator | None = None,
    *,
    strict: bool | None = None,
    prior: Path | str | None = None,
    cache: bool = True,
    report: Report = silent,
) -> dict[str, Any]:
    """Fits once to a config's or FitSNAP deck's training set and writes the potential files and
    metrics.json into `out`.

    With a deck (`.in`) the files have the names of its [OUTFILE], beside FitSNAP's metrics table,
    mean.npy and covariance.npy. With `strict`, a configuration that cannot be used and anything
    else that looks wrong raises InputError; without, it is left out, which is a warning. Not given:
    the first with a config and the second with a deck, and warnings are no errors. prior: a
    .snapcoeff that the prior is centered on. cache: keep descriptors in `out`, and use those that
    are there. Returns the tables of errors and calibration, {"training": …, "test": …}, under
    "read" what was found in each file (ReadCount), and "warnings" and "notes" (Remarks);
    metrics.json holds the same. Raises InputError on all ranks.
    """
    comm = comm or world()
    fatal = strict if strict is not None else Path(source).suffix != ".in"
    task = on_root(comm, lambda: _task(Path(source), Path(out), fatal, prior))
    unit = BAR_PER_EV_PER_A3 if task.deck is None else FITSNAP_BAR_PER_EV_PER_A3
    config, inputs = task.config, task.inputs
    told = inputs.remarks
    if strict and told.warnings:
        raise InputError("\n".join(told.warnings)).on_all_ranks()
    with (
        threadpool_limits(1),
        DescriptorEngine(config.descriptor, inputs.reference, config.lammps, unit) as engine,
    ):
        kept = task.folder / "descriptors" if cache and config.cache else None
        rows = row_source(engine, kept, comm)
        training, test, warnings = _sets(task, rows, fatal, comm, report)
        if task.deck is not None and task.deck.dumps:
            write_dumps(task.deck, task.folder, training.matrix, comm)
        report("fitting", 0, 0)
        posterior, fitted = training.fit_once()
        evaluated = {"training": fitted} | ({"test": test.evaluate(posterior)} if test else {})
    groups = training.matrix.groups
    told = Remarks(tuple(warnings), task.notes) + told + Remarks(posterior.remarks)
    if strict and told.warnings:
        raise InputError("\n".join(told.warnings)).on_all_ranks()
    if (disk := training.matrix.folder) is not None:
        kept_in = f"the design matrix is larger than memory and was kept in files in {disk}"
        told += Remarks(notes=(kept_in,))
    lines = metrics_of(fitted, groups)
    if test:
        lines += metrics_of(evaluated["test"], test.matrix.groups, testing=True)
    names = {"training": groups, "test": test.matrix.groups}
    used: dict[SetName, Iterable[LabelledConfiguration]] = {
        "training": training.matrix.items.values(),
        "test": test.matrix.items.values(),
    }
    tables: dict[str, Any] = {name: e.table(names[name]) for name, e in evaluated.items()}
    tables["read"] = [c.as_json() for c in without_left_out(inputs.read, used)]
    last = "test" if test else "training"
    predictions = evaluated[last].to_bytes(names[last])
    tables |= told.as_json()
    on_root(comm, lambda: _write(task, posterior, lines, tables, predictions))
    return tables


def _task(source: Path, folder: Path, strict: bool, prior: Path | str | None) -> _Task:
    deck = read_deck(source) if source.suffix == ".in" else None
    if deck is not None:
        check_outputs(deck, folder)
    config = (
        load_config(source) if deck is None else validate_config({"fitsnap": source.name}, source)
    )
    if prior is not None:
        config = config.model_copy(update={"prior_mean": Path(prior)})
    inputs = read_inputs(config, strict=strict)
    check_beside(inputs.reference, STEM if deck is None else deck.potential)
    given = None if config.fitsnap is None else read_deck(config.fitsnap)
    memory = (
        (given.memory if given else None) if config.memory_gb is None else config.memory_gb * 1e9
    )
    notes: tuple[str, ...] = ()
    if "sp" in inputs.reference.moments and not inputs.reference.fixes:
        notes = (
            f"{source}: LAMMPS' spin styles give atoms no forces without a line `fix 1 all "
            "nve/spin lattice moving`",
        )
    return _Task(config, inputs, deck, folder, memory, notes)


def _sets(
    task: _Task, rows: RowSource, strict: bool, comm: Communicator, report: Report
) -> tuple[TrainingSet, TestSet, list[str]]:
    config, inputs = task.config, task.inputs
    disk = matrix_folder(
        (*inputs.training, *inputs.test), rows.columns, task.memory, task.folder, comm
    )
    training = TrainingSet(config, rows, comm, inputs.prior_mean, disk)
    test = TestSet(rows, comm, disk)
    warnings = [f"left out: {text}" for text in inputs.left_out]
    warnings += training.add(inputs.training, strict=strict, report=report)
    warnings += test.add(inputs.test, strict=strict, report=report)
    if inputs.training and not training.matrix.items:
        raise InputError(
            f"none of the configurations can be used; the first: {warnings[0]}"
        ).on_all_ranks()
    return training, test, warnings


def _write(
    task: _Task, posterior: Posterior, lines: Metrics, metrics: dict[str, Any], predictions: bytes
) -> None:
    config, deck, folder = task.config, task.deck, task.folder
    potential = FittedPotential(config.descriptor, task.inputs.reference, posterior)
    potential.write(folder, STEM if deck is None else deck.potential)
    write_atomically(folder / "metrics.json", json.dumps(metrics, indent=1) + "\n")
    write_atomically(RunDirectory(folder).predictions, predictions)
    if deck is not None:
        write_metrics(deck, folder, lines)
        write_posterior(deck, folder, posterior)
        if deck.random_seed is not None:
            write_atomically(folder / "RandomSamplingSeed.txt", f"{deck.random_seed}\n")
