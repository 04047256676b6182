"""`snap-al select` and `snap-al learn`. Collective over all ranks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from threadpoolctl import threadpool_limits

from snap_al.config import load_config, validate_config
from snap_al.data import LabelledConfiguration
from snap_al.data.carried import as_extended_xyz, with_results
from snap_al.data.configuration import shifted
from snap_al.data.counts import ReadCount, count
from snap_al.data.label_checks import check_labels
from snap_al.data.readers import FileContents, FileOptions, read_file
from snap_al.data.remarks import Remarks
from snap_al.data.storage import write_atomically
from snap_al.descriptors import DescriptorEngine, DesignMatrix, RowSource, row_source
from snap_al.errors import InputError, did_you_mean
from snap_al.loop import RunConfig, RunInputs, read_inputs
from snap_al.loop.curves import CurveFile
from snap_al.loop.evaluation import TestSet
from snap_al.loop.learning import Learner, Study
from snap_al.loop.memory import matrix_folder
from snap_al.loop.pool import PoolSelection, select_from_pool, target_rows
from snap_al.loop.settings import TrainingSource
from snap_al.parallel import Communicator, on_root, world
from snap_al.progress import Report, silent
from snap_al.query import Strategy
from snap_al.reporting.learning import write_learning


def config_of(source: Path, strategies: Sequence[str] = ()) -> RunConfig:
    """Of a config, or of a FitSNAP deck. strategies: that are used in place of the config's."""
    if source.suffix == ".in":
        return validate_config({"fitsnap": source.name}, source)
    return load_config(source, strategies=strategies)


def select(
    source: Path | str,
    pool: Path | str,
    out: Path | str,
    comm: Communicator | None = None,
    *,
    n: int | None = None,
    strategy: str | None = None,
    cache: bool = True,
    report: Report = silent,
    options: FileOptions | None = None,
) -> dict[str, Any]:
    """Writes the configurations of `pool` that are worth a label, best first, to `out` as extended
    XYZ.

    source: a config or FitSNAP deck with a training set. n: how many, query.batch when not given.
    strategy: in place of the config's. Their info has pool_index, rank, score, energy_std (eV/atom)
    and force_std (eV/Å, the largest over atoms); all that the pool's frames carry is kept. options:
    how to read the pool. Returns what --json prints. Raises InputError on all ranks.
    """
    comm = comm or world()

    def read() -> tuple[RunConfig, RunInputs, FileContents]:
        config = with_strategy(config_of(Path(source), [strategy] if strategy else ()), strategy)
        inputs = read_inputs(config, strict=config.fitsnap is None)
        elements = config.descriptor.elements
        return config, inputs, read_file(Path(pool), elements, labelled=False, options=options)

    config, inputs, contents = on_root(comm, read)
    configurations = contents.configurations
    wanted = config.query.batch if n is None else n
    if wanted < 1:
        raise InputError(f"-n {wanted}: ask for at least one").on_all_ranks()
    folder = Path(out).resolve().parent
    with threadpool_limits(1):
        found = select_from_pool(
            config,
            inputs,
            configurations,
            wanted,
            folder,
            comm,
            cache=cache and config.cache,
            report=report,
        )
    remarks = on_root(comm, lambda: _write(Path(out), contents, found))
    read_from_pool = ReadCount("pool", str(pool), contents.frames, labels_used=False)
    told = (
        Remarks(
            (
                *(f"left out: {text}" for text in (*inputs.left_out, *contents.left_out)),
                *found.remarks,
                *_shortfall(found, wanted, config.query.budget),
                *remarks,
            )
        )
        + inputs.remarks
    )
    return {
        "pool": found.size,
        "duplicates": found.duplicates,
        "asked": wanted,
        "strategy": config.query.strategy,
        "selected": [vars(c) for c in found.chosen],
        "read": [c.as_json() for c in (*inputs.read, read_from_pool)],
        **told.as_json(),
    }


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


def with_strategy(config: RunConfig, strategy: str | None) -> RunConfig:
    """The config with another query.strategy. Raises InputError for one that is not there."""
    if strategy is None:
        return config
    names = list(get_args(Strategy))
    if strategy not in names and "." not in strategy:
        raise InputError(f"no strategy {strategy!r}; {did_you_mean(strategy, names)}")
    polish = config.query.polish if len(strategy) == 1 else 0
    return config.model_copy(
        update={"query": config.query.model_copy(update={"strategy": strategy, "polish": polish})}
    )


def _shortfall(found: PoolSelection, wanted: int, budget: float | None) -> list[str]:
    if len(found.chosen) >= wanted:
        return []
    left = found.size - found.duplicates
    if not left:
        return [
            f"all {found.size} configurations of the pool are in the training set already; "
            "nothing is left to ask for"
        ]
    why = f"{found.size} in the pool, {found.duplicates} duplicates"
    if len(found.chosen) < min(wanted, left):
        why += (
            f"; query.budget = {budget:g} is too small for more"
            if budget is not None
            else "; the others have no score"
        )
    return [f"{wanted} asked for, {len(found.chosen)} selected: {why}"]


def _write(out: Path, contents: FileContents, found: PoolSelection) -> list[str]:
    """Returns what extended XYZ cannot hold."""
    frames = []
    for rank, choice in enumerate(found.chosen):
        atoms = with_results(contents.atoms[choice.number])
        atoms.info.update(
            pool_index=choice.number,
            rank=rank,
            score=choice.score,
            energy_std=choice.energy_std,
            force_std=choice.force_std,
        )
        if contents.configurations[choice.number].group:
            atoms.info["group"] = contents.configurations[choice.number].group
        frames.append(atoms)
    text, remarks = as_extended_xyz(frames)
    write_atomically(out, text)
    return remarks
