"""Which configurations of a pool to label next."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ase import Atoms
from threadpoolctl import threadpool_limits

from snap_al.data.carried import as_extended_xyz, with_results
from snap_al.data.counts import ReadCount
from snap_al.data.file_contents import FileContents
from snap_al.data.remarks import Remarks
from snap_al.data.storage import write_atomically
from snap_al.errors import InputError
from snap_al.loop import RunConfig, RunInputs, read_inputs
from snap_al.loop.pool import Choice, PoolSelection, select_from_pool
from snap_al.parallel import Communicator, on_root, world
from snap_al.progress import Report, silent
from snap_al.tasks.data import Data, name_of, read_data
from snap_al.tasks.result import TaskResult
from snap_al.tasks.source import Source, config_of, with_strategy


@dataclass(frozen=True)
class SelectResult(TaskResult):
    """Configurations of a pool that are worth a label."""

    frames: tuple[Atoms, ...]
    """Best first, with all that the pool's frames carry. `info` has pool_index, rank, score,
    energy_std (eV/atom) and force_std (eV/Å, the largest over atoms)."""
    selected: tuple[Choice, ...]
    """The same in numbers: position in the pool, score, energy_std (eV/atom), force_std (eV/Å)."""
    pool: int
    """Number of configurations in the pool."""
    duplicates: int
    """Number of configurations that repeat a labelled one or each other."""
    asked: int
    """Number of configurations that were asked for."""
    strategy: str
    """Strategy by which they were chosen."""

    def as_json(self) -> dict[str, Any]:
        """What `snap-al select --json` prints."""
        return {
            "pool": self.pool,
            "duplicates": self.duplicates,
            "asked": self.asked,
            "strategy": self.strategy,
            "selected": [vars(c) for c in self.selected],
            **self.common_json(),
        }


def select(
    config: Source,
    pool: Data,
    out: Path | str,
    *,
    n: int | None = None,
    strategy: str | None = None,
    cache: bool = True,
    comm: Communicator | None = None,
    report: Report = silent,
) -> SelectResult:
    """Choose the configurations of a pool that are worth a label, and write them, best first.

    It is collective: under MPI, all ranks call it.

    Parameters
    ----------
    config : path, str or RunConfig
        A config with a training section, or the path of a FitSNAP deck (`.in`).
    pool : path, str, DataFile or sequence of Atoms
        Configurations; they need no labels.
    out : path or str
        The file to write as extended XYZ. Descriptors are kept beside it.
    n : int, optional
        How many to choose; `query.batch` of the config when not given.
    strategy : str, optional
        In place of `query.strategy` of the config.
    cache : bool, optional
        Keep descriptors, and use those that are there.
    comm : Communicator, optional
        The ranks that share the work; all of MPI's world when not given.
    report : callable, optional
        Called on rank 0 with what is being done, how much of it is done, and of how much.

    Returns
    -------
    SelectResult
        The chosen configurations, on every rank.

    Raises
    ------
    InputError
        If the config or a file cannot be read, there is no such strategy, or `n` is below 1; on
        every rank.

    Examples
    --------
    >>> sa.select("fit.yaml", "pool.extxyz", "ask.extxyz", n=20).frames
    """
    comm = comm or world()
    report = report if comm.rank == 0 else silent

    def read() -> tuple[RunConfig, RunInputs, FileContents]:
        used = with_strategy(config_of(config, [strategy] if strategy else ()), strategy)
        inputs = read_inputs(used, strict=used.fitsnap is None)
        return used, inputs, read_data(pool, used.descriptor.elements, labelled=False)

    used, inputs, contents = on_root(comm, read)
    wanted = used.query.batch if n is None else n
    if wanted < 1:
        raise InputError(f"-n {wanted}: ask for at least one").on_all_ranks()
    with threadpool_limits(1):
        selection = select_from_pool(
            used,
            inputs,
            contents.configurations,
            wanted,
            Path(out).resolve().parent,
            comm,
            cache=cache and used.cache,
            report=report,
        )
    frames = [_chosen(contents, selection, rank) for rank in range(len(selection.chosen))]
    remarks = on_root(comm, lambda: _write(Path(out), frames))
    left_out = [f"left out: {text}" for text in (*inputs.left_out, *contents.left_out)]
    shortfall = _shortfall(selection, wanted, used.query.budget)
    all_remarks = Remarks((*left_out, *selection.remarks, *shortfall, *remarks)) + inputs.remarks
    read_from_pool = ReadCount("pool", name_of(pool), contents.frames, labels_used=False)
    return SelectResult(
        tuple(frames),
        selection.chosen,
        selection.size,
        selection.duplicates,
        wanted,
        used.query.strategy,
        read=(*inputs.read, read_from_pool),
        warnings=all_remarks.warnings,
        notes=all_remarks.notes,
    )


def _shortfall(selection: PoolSelection, wanted: int, budget: float | None) -> list[str]:
    if len(selection.chosen) >= wanted:
        return []
    left = selection.size - selection.duplicates
    if not left:
        return [
            f"all {selection.size} configurations of the pool are in the training set already; "
            "nothing is left to ask for"
        ]
    why = f"{selection.size} in the pool, {selection.duplicates} duplicates"
    if len(selection.chosen) < min(wanted, left):
        why += (
            f"; query.budget = {budget:g} is too small for more"
            if budget is not None
            else "; the others have no score"
        )
    return [f"{wanted} asked for, {len(selection.chosen)} selected: {why}"]


def _chosen(contents: FileContents, selection: PoolSelection, rank: int) -> Atoms:
    choice = selection.chosen[rank]
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
    return atoms


def _write(out: Path, frames: list[Atoms]) -> list[str]:
    """Writes the selected frames. Returns what extended XYZ cannot hold."""
    text, remarks = as_extended_xyz(frames)
    write_atomically(out, text)
    return remarks
