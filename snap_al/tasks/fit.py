"""One fit to the training set of a config or of a FitSNAP deck."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from snap_al.data import LabelledConfiguration
from snap_al.data.counts import ReadCount, SetName, without_left_out
from snap_al.data.remarks import Remarks
from snap_al.data.storage import write_atomically
from snap_al.descriptors import Engine, RowSource, row_source
from snap_al.errors import InputError
from snap_al.fitsnap import (
    Deck,
    check_outputs,
    metrics_of,
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
from snap_al.tasks.result import ErrorTables, TaskResult
from snap_al.tasks.source import Source, config_of, is_deck, name_of
from snap_al.uncertainty import Evaluated
from snap_al.units import BAR_PER_EV_PER_A3, FITSNAP_BAR_PER_EV_PER_A3


@dataclass(frozen=True)
class FitResult(TaskResult):
    """A fitted potential, and what it is worth on its training and test sets."""

    potential: FittedPotential
    """Descriptor, reference potential and posterior."""
    tables: ErrorTables
    """Errors and calibration on the training set and, where there is one, on the test set."""
    folder: Path
    """Folder of the files."""

    def as_json(self) -> dict[str, Any]:
        """What metrics.json holds and `snap-al fit --json` prints."""
        return {**self.tables.as_json(), **self.common_json()}


@dataclass(frozen=True)
class _Given:
    """The input of a fit."""

    config: RunConfig
    """The config."""
    inputs: RunInputs
    """Labelled configurations and reference potential."""
    deck: Deck | None
    """The FitSNAP deck; None for a config."""
    folder: Path
    """Folder to write into."""
    lenient: bool
    """Whether a configuration that cannot be used is left out."""
    memory: float | None
    """Bytes, limit on the design matrix; None for no limit."""
    notes: tuple[str, ...]
    """Remarks on what a user may not expect, which is no fault."""


@dataclass(frozen=True)
class _Sets:
    """The rows of a fit."""

    training: TrainingSet
    """The training set."""
    test: TestSet
    """The test set."""
    warnings: tuple[str, ...]
    """Remarks on configurations that were left out."""

    def read(self, inputs: RunInputs) -> tuple[ReadCount, ...]:
        """What was read from each file, without configurations that were left out."""
        used: dict[SetName, Iterable[LabelledConfiguration]] = {
            "training": self.training.matrix.items.values(),
            "test": self.test.matrix.items.values(),
        }
        return without_left_out(inputs.read, used)


@dataclass(frozen=True)
class _Fitted:
    """A posterior and its predictions of the rows."""

    posterior: Posterior
    """The posterior."""
    training: Evaluated
    """Predictions of the training set."""
    test: Evaluated | None
    """Predictions of the test set; None without one."""


def fit(
    config: Source,
    out: Path | str,
    *,
    strict: bool | None = None,
    prior: Path | str | None = None,
    cache: bool = True,
    comm: Communicator | None = None,
    report: Report = silent,
) -> FitResult:
    """Fit once to labelled configurations, and write the potential and metrics.json.

    It is collective: under MPI, all ranks call it. With a FitSNAP deck the files have the names of
    its [OUTFILE] section, beside FitSNAP's metrics table, mean.npy and covariance.npy.

    Parameters
    ----------
    config : path, str or RunConfig
        A config with a training section, or the path of a FitSNAP deck (`.in`).
    out : path or str
        The folder to write into; it is made if it is not there.
    strict : bool, optional
        True: a configuration that cannot be used is an error, and so is anything else that looks
        wrong. False: it is left out, which is a warning. When not given, a configuration that
        cannot be used is an error with a config and is left out with a deck, and warnings are no
        errors.
    prior : path or str, optional
        A .snapcoeff whose coefficients the prior is centered on.
    cache : bool, optional
        Keep descriptors in `out`, and use those that are there.
    comm : Communicator, optional
        The ranks that share the work; all of MPI's world when not given.
    report : callable, optional
        Called on rank 0 with what is being done, how much of it is done, and of how much.

    Returns
    -------
    FitResult
        The potential and its tables of errors, on every rank.

    Raises
    ------
    InputError
        If the config, the deck or a file cannot be read or used; on every rank.
    FitError
        If the rows do not determine a posterior; on every rank.

    Notes
    -----
    docs/mathematics.md has the equations. The embedded model error is that of Sargsyan et al.

    References
    ----------
    Sargsyan, Huan, Najm, Int. J. Uncertain. Quantif. 9, 365 (2019).

    Examples
    --------
    >>> result = sa.fit("fit.yaml", "fit")
    >>> result.tables.test.forces.rmse
    """
    comm = comm or world()
    report = report if comm.rank == 0 else silent
    given = on_root(comm, lambda: _given(config, Path(out), strict, prior))
    inputs, remarks = given.inputs, given.inputs.remarks
    _refuse(remarks, strict)
    with threadpool_limits(1), _engine(given) as engine:
        kept = given.folder / "descriptors" if cache and given.config.cache else None
        sets = _sets(given, row_source(engine, kept, comm), comm, report)
        if given.deck is not None and given.deck.dumps:
            write_dumps(given.deck, given.folder, sets.training.matrix, comm)
        report("fitting", 0, 0)
        posterior, training = sets.training.fit_once()
        test = sets.test.evaluate(posterior) if sets.test else None
    fitted = _Fitted(posterior, training, test)
    remarks = Remarks(sets.warnings, given.notes) + remarks + Remarks(posterior.remarks)
    _refuse(remarks, strict)
    if (disk := sets.training.matrix.folder) is not None:
        kept_in = f"the design matrix is larger than memory and was kept in files in {disk}"
        remarks += Remarks(notes=(kept_in,))
    result = FitResult(
        FittedPotential(given.config.made_model(), inputs.reference, posterior),
        ErrorTables(
            training.table(sets.training.matrix.groups),
            None if test is None else test.table(sets.test.matrix.groups),
        ),
        given.folder,
        read=sets.read(inputs),
        warnings=remarks.warnings,
        notes=remarks.notes,
    )
    on_root(comm, lambda: _write(given, sets, fitted, result))
    return result


def _refuse(remarks: Remarks, strict: bool | None) -> None:
    """Raises InputError for warnings, if they are to be errors."""
    if strict and remarks.warnings:
        raise InputError("\n".join(remarks.warnings)).on_all_ranks()


def _given(source: Source, folder: Path, strict: bool | None, prior: Path | str | None) -> _Given:
    """The input of a fit. Raises InputError."""
    config = config_of(source)
    deck = config.deck if is_deck(source) else None
    if deck is not None:
        check_outputs(deck, folder)
    if prior is not None:
        config = config.model_copy(update={"prior_mean": Path(prior)})
    lenient = deck is not None if strict is None else not strict
    inputs = read_inputs(config, strict=not lenient)
    check_beside(inputs.reference, STEM if deck is None else deck.potential)
    notes: tuple[str, ...] = ()
    if "sp" in inputs.reference.moments and not inputs.reference.fixes:
        notes = (
            f"{name_of(source)}: LAMMPS' spin styles give atoms no forces without a line `fix 1 "
            "all nve/spin lattice moving`",
        )
    return _Given(config, inputs, deck, folder, lenient, _memory(config), notes)


def _memory(config: RunConfig) -> float | None:
    """Bytes for the design matrix, from the config or from its deck."""
    if config.memory_gb is not None:
        return config.memory_gb * 1e9
    return None if config.deck is None else config.deck.memory


def _engine(given: _Given) -> Engine:
    unit = BAR_PER_EV_PER_A3 if given.deck is None else FITSNAP_BAR_PER_EV_PER_A3
    config = given.config
    return config.made_model().engine(given.inputs.reference, config.lammps, unit)


def _sets(given: _Given, rows: RowSource, comm: Communicator, report: Report) -> _Sets:
    """The rows of a fit. Raises InputError when no configuration can be used."""
    inputs, strict = given.inputs, not given.lenient
    both = (*inputs.training, *inputs.test)
    disk = matrix_folder(both, rows.columns, given.memory, given.folder, comm)
    training = TrainingSet(given.config, rows, comm, inputs.prior_mean, disk)
    test = TestSet(rows, comm, disk)
    warnings = [f"left out: {text}" for text in inputs.left_out]
    warnings += training.add(inputs.training, strict=strict, report=report)
    warnings += test.add(inputs.test, strict=strict, report=report)
    if inputs.training and not training.matrix.items:
        raise InputError(
            f"none of the configurations can be used; the first: {warnings[0]}"
        ).on_all_ranks()
    return _Sets(training, test, tuple(warnings))


def _write(given: _Given, sets: _Sets, fitted: _Fitted, result: FitResult) -> None:
    deck, folder = given.deck, given.folder
    result.potential.write(folder, STEM if deck is None else deck.potential)
    write_atomically(folder / "metrics.json", json.dumps(result.as_json(), indent=1) + "\n")
    groups, tested = sets.training.matrix.groups, sets.test.matrix.groups
    predictions = (
        fitted.training.to_bytes(groups) if fitted.test is None else fitted.test.to_bytes(tested)
    )
    write_atomically(RunDirectory(folder).predictions, predictions)
    if deck is not None:
        lines = metrics_of(fitted.training, groups)
        if fitted.test is not None:
            lines += metrics_of(fitted.test, tested, testing=True)
        write_metrics(deck, folder, lines)
        write_posterior(deck, folder, fitted.posterior)
        if deck.random_seed is not None:
            write_atomically(folder / "RandomSamplingSeed.txt", f"{deck.random_seed}\n")
