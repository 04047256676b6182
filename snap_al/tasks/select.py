"""Which configurations of a pool to label next. Collective over all ranks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from snap_al.data.carried import as_extended_xyz, with_results
from snap_al.data.counts import ReadCount
from snap_al.data.readers import FileContents, FileOptions, read_file
from snap_al.data.remarks import Remarks
from snap_al.data.storage import write_atomically
from snap_al.errors import InputError
from snap_al.loop import RunConfig, RunInputs, read_inputs
from snap_al.loop.pool import PoolSelection, select_from_pool
from snap_al.parallel import Communicator, on_root, world
from snap_al.progress import Report, silent
from snap_al.tasks.source import config_of, with_strategy


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
