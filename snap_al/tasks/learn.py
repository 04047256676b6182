"""Learning curves of strategies on a labelled pool."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from threadpoolctl import threadpool_limits

from snap_al.data import LabelledConfiguration
from snap_al.data.configuration import shifted
from snap_al.data.counts import ReadCount, count
from snap_al.data.file_contents import FileContents, FileOptions
from snap_al.data.label_checks import check_labels
from snap_al.data.remarks import Remarks
from snap_al.descriptors import DesignMatrix, RowSource, row_source
from snap_al.errors import InputError
from snap_al.loop import RunConfig, RunInputs, read_inputs
from snap_al.loop.curves import CurveFile
from snap_al.loop.evaluation import TestSet
from snap_al.loop.learning import Curve, Learner, Study
from snap_al.loop.memory import matrix_folder
from snap_al.loop.pool import target_rows
from snap_al.loop.settings import TrainingSource
from snap_al.parallel import Communicator, on_root, world
from snap_al.progress import Report, silent
from snap_al.query import Strategy
from snap_al.reporting.learning import write_learning
from snap_al.tasks.data import Data, DataFile, name_of, read_data
from snap_al.tasks.result import TaskResult
from snap_al.tasks.source import Source, config_of, with_strategy


@dataclass(frozen=True)
class LearnSettings:
    """What a study of learning curves compares."""

    strategies: tuple[str, ...] = ("novel", "random")
    """Names of `query.strategy`."""
    seeds: int = 8
    """Repeats, each from another starting set."""
    initial: int = 5
    """Configurations that are labelled at random to begin with."""
    most: int = 100
    """Labels at the end."""
    hold_out: float = 0.2
    """Share of the pool to test on, drawn for each seed, where the config has no test set."""

    def __post_init__(self) -> None:
        """Raises InputError for numbers that are not possible."""
        for name, least in (("seeds", 1), ("initial", 1), ("most", 2)):
            if (value := getattr(self, name)) < least:
                raise InputError(f"LearnSettings: {name} is {value}; give at least {least}")
        if not 0.0 < self.hold_out < 1.0:
            raise InputError(f"LearnSettings: hold_out is {self.hold_out}; give a share, 0 to 1")


@dataclass(frozen=True)
class LearnResult(TaskResult):
    """Learning curves, and what they come to."""

    full: dict[str, float]
    """RMSE of energy (eV/atom) and forces (eV/Å), and the same of the worst group, with the whole
    pool labelled: medians over seeds."""
    strategies: dict[str, dict[str, Any]]
    """By strategy and error: mean_error (the geometric mean over the curve), its interval (95 %),
    and labels_to_reach 1.1 times the error of the whole pool (None: not within the study)."""
    curves: tuple[Curve, ...]
    """The curves of each strategy, one for each seed."""
    folder: Path
    """Folder of learning.json, learning.csv, learning.png and summary.json."""

    def as_json(self) -> dict[str, Any]:
        """What summary.json holds and `snap-al learn --json` prints."""
        return {"full": self.full, "strategies": self.strategies, **self.common_json()}


@dataclass(frozen=True)
class _Pool:
    """Labelled configurations to choose from."""

    items: tuple[LabelledConfiguration, ...]
    """The configurations."""
    read: tuple[ReadCount, ...] = ()
    """What was read from their file, if it is not one of the config's."""
    remarks: Remarks = field(default_factory=Remarks)
    """Remarks on the labels of the pool."""


@dataclass(frozen=True)
class _Given:
    """The input of a study."""

    configs: tuple[RunConfig, ...]
    """One for each strategy."""
    inputs: RunInputs
    """Labelled configurations and reference potential."""
    pool: _Pool
    """The configurations to choose from."""
    folder: Path
    """Folder to write into."""

    @property
    def config(self) -> RunConfig:
        """The config that all strategies share."""
        return self.configs[0]

    @property
    def strategies(self) -> list[str]:
        return [c.query.strategy for c in self.configs]


def learn(
    config: Source,
    out: Path | str,
    *,
    pool: Data | None = None,
    settings: LearnSettings | None = None,
    comm: Communicator | None = None,
    report: Report = silent,
    finished: Callable[[Curve], None] = lambda curve: None,
) -> LearnResult:
    """Compute learning curves of strategies on a labelled pool.

    It is collective: under MPI, all ranks call it. Curves that `out` has already, of the same
    inputs, are not computed again.

    Parameters
    ----------
    config : path, str or RunConfig
        A config, or the path of a FitSNAP deck (`.in`).
    out : path or str
        The folder to write learning.json, learning.csv, learning.png and summary.json into.
    pool : path, str, DataFile or sequence of Atoms, optional
        Labelled configurations; the config's training set when not given. They have the weights of
        its first training entry, and a file is read as that entry says, where a DataFile does not
        say otherwise.
    settings : LearnSettings, optional
        Strategies, seeds and numbers of labels.
    comm : Communicator, optional
        The ranks that share the work; all of MPI's world when not given.
    report : callable, optional
        Called on rank 0 with what is being done, how much of it is done, and of how much.
    finished : callable, optional
        Called on rank 0 with each curve that has been computed, when it is on disk.

    Returns
    -------
    LearnResult
        The curves and their summary, on every rank.

    Raises
    ------
    InputError
        If the config or a file cannot be read, the pool has no labels, or there is no such
        strategy; on every rank.

    Examples
    --------
    >>> settings = sa.LearnSettings(strategies=("novel", "D"), seeds=4)
    >>> sa.learn("fit.yaml", "study", pool="pool.extxyz", settings=settings).full
    """
    comm, settings = comm or world(), settings or LearnSettings()
    report = report if comm.rank == 0 else silent
    if not settings.strategies:
        raise InputError(
            f"--strategies: none given; known here: {', '.join(get_args(Strategy))}"
        ).on_all_ranks()
    given = on_root(comm, lambda: _given(config, Path(out).resolve(), pool, settings))
    record = _record(given, settings, comm, report, finished)
    chosen, seeds = given.strategies, range(settings.seeds)
    inputs = given.inputs
    left_out = Remarks(tuple(f"left out: {text}" for text in inputs.left_out))
    remarks = left_out + inputs.remarks + given.pool.remarks
    summary, curves = record.summary(chosen, seeds), record.curves(chosen, seeds)
    result = LearnResult(
        summary["full"],
        summary["strategies"],
        tuple(curves),
        given.folder,
        read=(*inputs.read, *given.pool.read),
        warnings=remarks.warnings,
        notes=remarks.notes,
    )
    on_root(comm, lambda: write_learning(given.folder, curves, result.as_json()))
    return result


def _given(config: Source, folder: Path, pool: Data | None, settings: LearnSettings) -> _Given:
    """The input of a study. Raises InputError."""
    names = settings.strategies
    configs = tuple(with_strategy(config_of(config, names), name) for name in names)
    inputs = read_inputs(configs[0], strict=configs[0].fitsnap is None)
    return _Given(configs, inputs, _pool(configs[0], inputs, pool), folder)


def _pool(config: RunConfig, inputs: RunInputs, pool: Data | None) -> _Pool:
    """The pool. Raises InputError."""
    if pool is None:
        if not inputs.training:
            raise InputError("learn: no pool; name one, or give the config a training section")
        return _Pool(inputs.training)
    source = name_of(pool)
    group = Path(source).stem if isinstance(pool, Path | str | DataFile) else ""
    like = config.training[0] if config.training else TrainingSource(path=Path(source))
    contents = _contents(config, pool, like)
    items = tuple(
        LabelledConfiguration(
            c.labelled(shifted(c.label, c.species, config.eshift)),
            like.weights,
            c.group or group,
            like.damping,
            source,
        )
        for c in contents.configurations
    )
    left_out = Remarks(tuple(f"left out: {text}" for text in contents.left_out))
    remarks = left_out + Remarks.of(check_labels(items, source))
    return _Pool(items, (count("pool", source, contents.frames, items, contents.unread),), remarks)


def _contents(config: RunConfig, pool: Data, like: TrainingSource) -> FileContents:
    """The content of the pool. A file is read with the options of `like`, where it has no options
    of its own."""
    if isinstance(pool, Path | str):
        pool = DataFile(pool)
    if isinstance(pool, DataFile):
        plain = FileOptions()
        changed = {k: v for k, v in vars(pool.options).items() if v != getattr(plain, k)}
        pool = DataFile(pool.path, replace(like.options, **changed))
    return read_data(pool, config.descriptor.elements, labelled=True)


def _record(
    given: _Given,
    settings: LearnSettings,
    comm: Communicator,
    report: Report,
    finished: Callable[[Curve], None],
) -> CurveFile:
    """The file of curves with those that were missing. Collective."""
    config, inputs, items = given.config, given.inputs, given.pool.items
    study = Study(settings.initial, config.query.batch, settings.most)
    path, share = given.folder / "learning.json", settings.hold_out
    record = on_root(comm, lambda: CurveFile(path).opened(items, inputs.test, config, study, share))
    with (
        threadpool_limits(1),
        config.made_model().engine(inputs.reference, config.lammps) as engine,
    ):
        rows = row_source(engine, given.folder / "descriptors" if config.cache else None, comm)
        for seed in range(settings.seeds):
            wanted = [name for name in given.strategies if record.curve(name, seed) is None]
            if not wanted:
                continue
            learner = _learner(given, rows, share, seed, comm, report)
            full = learner.full()
            for strategy in wanted:
                report(f"{strategy}, seed {seed}", 0, 0)
                curve = learner.curve(strategy, seed, study)
                record = record.with_curve(curve, full)
                on_root(comm, record.write)
                if comm.rank == 0:
                    finished(curve)
    return record


def _learner(
    given: _Given, rows: RowSource, hold_out: float, seed: int, comm: Communicator, report: Report
) -> Learner:
    """The learner. Its test set is the config's, or a share of the pool, chosen at random."""
    config, items, test = given.config, list(given.pool.items), list(given.inputs.test)
    if not test:
        order = np.random.default_rng([seed, 6]).permutation(len(items))
        out = set(order[: int(hold_out * len(items))].tolist())
        test = [item for n, item in enumerate(items) if n in out]
        items = [item for n, item in enumerate(items) if n not in out]
    limit = config.memory_gb and config.memory_gb * 1e9
    disk = matrix_folder((*items, *test), rows.columns, limit, given.folder, comm)
    matrix = DesignMatrix(rows, comm, disk)
    matrix.append(items, strict=False, report=report)
    tested = TestSet(rows, comm, disk)
    tested.add(test, strict=False, report=report)
    targets = target_rows(config.query, config.descriptor.elements, rows, comm)
    prior_mean = given.inputs.prior_mean
    return Learner(config, matrix, tested, comm, prior_mean=prior_mean, targets=targets)
