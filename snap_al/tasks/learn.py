"""Learning curves of strategies on a labelled pool. Collective over all ranks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from threadpoolctl import threadpool_limits

from snap_al.data import LabelledConfiguration
from snap_al.data.configuration import shifted
from snap_al.data.counts import ReadCount, count
from snap_al.data.label_checks import check_labels
from snap_al.data.readers import FileOptions, read_file
from snap_al.data.remarks import Remarks
from snap_al.descriptors import DescriptorEngine, DesignMatrix, RowSource, row_source
from snap_al.errors import InputError
from snap_al.loop import RunConfig, RunInputs, read_inputs
from snap_al.loop.curves import CurveFile
from snap_al.loop.evaluation import TestSet
from snap_al.loop.learning import Learner, Study
from snap_al.loop.memory import matrix_folder
from snap_al.loop.pool import target_rows
from snap_al.loop.settings import TrainingSource
from snap_al.parallel import Communicator, on_root, world
from snap_al.progress import Report, silent
from snap_al.query import Strategy
from snap_al.reporting.learning import write_learning
from snap_al.tasks.source import config_of, with_strategy


def learn(
    source: Path | str,
    out: Path | str,
    comm: Communicator | None = None,
    *,
    pool: Path | str | None = None,
    strategies: Sequence[str] = ("novel", "random"),
    seeds: int = 8,
    initial: int = 5,
    most: int = 100,
    hold_out: float = 0.2,
    say: Callable[[str], None] = lambda text: None,
    report: Report = silent,
    options: FileOptions | None = None,
) -> dict[str, Any]:
    """Learning curves of strategies on a labelled pool, into `out`: learning.json, learning.csv and
    learning.png.

    source: a config or FitSNAP deck. pool: labelled configurations with the weights of the config's
    first training entry, read as that entry says; the config's own training set when not given.
    options: its format, in place of that entry's. The test set is the config's, or a share
    `hold_out` of the pool, drawn for each seed. Curves that learning.json has already, of the same
    inputs, are not computed again. Returns what --json prints. Raises InputError on all ranks.
    """
    comm = comm or world()
    folder = Path(out).resolve()
    if not strategies:
        raise InputError(
            f"--strategies: none given; known here: {', '.join(get_args(Strategy))}"
        ).on_all_ranks()

    def read() -> tuple[list[RunConfig], _Pool, list[LabelledConfiguration], RunInputs]:
        configs = [with_strategy(config_of(Path(source), strategies), name) for name in strategies]
        inputs = read_inputs(configs[0], strict=configs[0].fitsnap is None)
        format = None if options is None else options.format
        pooled = _pool_items(configs[0], inputs, pool, format)
        return configs, pooled, list(inputs.test), inputs

    configs, given, test, inputs = on_root(comm, read)
    items, counts, told = given
    config = configs[0]
    study = Study(initial, config.query.batch, most)
    record = on_root(
        comm,
        lambda: CurveFile(folder / "learning.json").opened(items, test, config, study, hold_out),
    )
    with (
        threadpool_limits(1),
        DescriptorEngine(config.descriptor, inputs.reference, config.lammps) as engine,
    ):
        rows = row_source(engine, folder / "descriptors" if config.cache else None, comm)
        for seed in range(seeds):
            wanted = [
                c.query.strategy for c in configs if record.curve(c.query.strategy, seed) is None
            ]
            if not wanted:
                continue
            learner = _learner(
                config, inputs, rows, folder, (items, test), hold_out, seed, comm, report
            )
            full = learner.full()
            for strategy in wanted:
                report(f"{strategy}, seed {seed}", 0, 0)
                curve = learner.curve(strategy, seed, study)
                record = record.with_curve(curve, full)
                on_root(comm, record.write)
                say(f"{strategy}, seed {seed}: {curve.labels[-1]} labels")
    chosen = [c.query.strategy for c in configs]
    left_out = Remarks(tuple(f"left out: {text}" for text in inputs.left_out))
    result = record.summary(chosen, range(seeds)) | {
        "read": [c.as_json() for c in (*inputs.read, *counts)],
        **(left_out + inputs.remarks + told).as_json(),
    }
    on_root(comm, lambda: write_learning(folder, record.curves(chosen, range(seeds)), result))
    return result


_Pool = tuple[list[LabelledConfiguration], list[ReadCount], Remarks]
"""Configurations, what was found in their file, and what is to be said of it."""


def _pool_items(
    config: RunConfig, inputs: RunInputs, pool: Path | str | None, format: str | None
) -> _Pool:
    if pool is None:
        if not inputs.training:
            raise InputError("learn: no pool; name one, or give the config a training section")
        return list(inputs.training), [], Remarks()
    like = config.training[0] if config.training else TrainingSource(path=Path(pool))
    options = replace(like.options, format=format or like.format)
    found = read_file(Path(pool), config.descriptor.elements, labelled=True, options=options)
    items = [
        LabelledConfiguration(
            c.labelled(shifted(c.label, c.species, config.eshift)),
            like.weights,
            c.group or Path(pool).stem,
            like.damping,
            str(pool),
        )
        for c in found.configurations
    ]
    left_out = Remarks(tuple(f"left out: {text}" for text in found.left_out))
    told = left_out + Remarks.of(check_labels(items, str(pool)))
    return items, [count("pool", str(pool), found.frames, items, found.unread)], told


def _learner(
    config: RunConfig,
    inputs: RunInputs,
    rows: RowSource,
    folder: Path,
    sets: tuple[list[LabelledConfiguration], list[LabelledConfiguration]],
    hold_out: float,
    seed: int,
    comm: Communicator,
    report: Report,
) -> Learner:
    """folder: for a design matrix that memory has no room for. sets: pool and test. Test sets are
    the config's, or held out of the pool, the same share of it by chance.
    """
    items, test = sets
    if not test:
        order = np.random.default_rng([seed, 6]).permutation(len(items))
        out = set(order[: int(hold_out * len(items))].tolist())
        test = [item for n, item in enumerate(items) if n in out]
        items = [item for n, item in enumerate(items) if n not in out]
    disk = matrix_folder(
        (*items, *test), rows.columns, config.memory_gb and config.memory_gb * 1e9, folder, comm
    )
    matrix = DesignMatrix(rows, comm, disk)
    matrix.append(items, strict=False, report=report)
    tested = TestSet(rows, comm, disk)
    tested.add(test, strict=False, report=report)
    targets = target_rows(config.query, config.descriptor.elements, rows, comm)
    return Learner(config, matrix, tested, comm, prior_mean=inputs.prior_mean, targets=targets)
