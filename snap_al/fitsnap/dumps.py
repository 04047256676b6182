"""[EXTRAS] of a deck: descriptors, truth, weights and dataframe as FitSNAP dumps them, and the row
index beside them.
"""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snap_al.data.storage import require_regular_file
from snap_al.descriptors import DesignMatrix, Rows
from snap_al.errors import InputError
from snap_al.fitsnap.deck import Deck
from snap_al.fitsnap.output import KINDS, write_array
from snap_al.parallel import Communicator, collectively

Array = NDArray[np.float64]


def write_dumps(deck: Deck, folder: Path, matrix: DesignMatrix, comm: Communicator) -> None:
    """Training rows of all ranks, those of the first rank first, each configuration's as energy,
    forces, stress; with row_index.npy, which says configuration, kind, atom, component and group of
    each. Collective."""
    slabs = [_with_targets(rows) for rows in matrix.slabs()]
    with collectively(comm):
        folder.mkdir(parents=True, exist_ok=True)
    parts = comm.allgather([(r.targets, r.weights, r.index) for r in slabs])
    truth, weights, index = (
        np.concatenate(c) for c in zip(*[p for part in parts for p in part], strict=True)
    )
    descriptors = folder / deck.dumps.get("descriptors", ".descriptors.npy")
    if {"descriptors", "dataframe"} & deck.dumps.keys():
        counts = [sum(len(p[0]) for p in part) for part in parts]
        _write_descriptors(descriptors, slabs, matrix, counts, comm)
    with collectively(comm):
        if comm.rank == 0:
            write_array(folder / "row_index.npy", index)
            for name, column in (("truth", truth), ("weights", weights)):
                if name in deck.dumps:
                    write_array(folder / deck.dumps[name], column)
            if "dataframe" in deck.dumps:
                rows = np.load(require_regular_file(descriptors), mmap_mode="r")
                _write_dataframe(
                    folder / deck.dumps["dataframe"], rows, truth, weights, index, matrix
                )
            if "descriptors" not in deck.dumps:
                descriptors.unlink(missing_ok=True)


def _with_targets(rows: Rows) -> Rows:
    """Without rows of a kind that the deck does not ask for."""
    known = np.isfinite(rows.targets)
    return rows if known.all() else Rows(*(getattr(rows, f.name)[known] for f in fields(rows)))


def _write_descriptors(
    path: Path, slabs: list[Rows], matrix: DesignMatrix, counts: list[int], comm: Communicator
) -> None:
    """Over all of LAMMPS' columns, each rank into its part of the file, with no second copy in
    memory.
    """
    scratch = path.with_name(f".{path.name}.part")
    with collectively(comm):
        if comm.rank == 0:
            shape = (sum(counts), matrix.columns.n_all)
            np.lib.format.open_memmap(scratch, mode="w+", dtype=float, shape=shape).flush()
    with collectively(comm):
        target = np.lib.format.open_memmap(scratch, mode="r+")
        start = sum(counts[: comm.rank])
        for rows in slabs:
            target[start : start + len(rows.values)] = all_columns(rows.values, matrix)
            start += len(rows.values)
        target.flush()
    with collectively(comm):
        if comm.rank == 0:
            os.replace(scratch, path)


def all_columns(values: Array, matrix: DesignMatrix) -> Array:
    """(m, n_all) from (m, n_distinct); zero where a column is not fitted."""
    columns = matrix.columns
    everything = values[:, columns.distinct_of]
    everything[:, columns.distinct_of < 0] = 0.0
    return everything


def _write_dataframe(
    path: Path,
    rows: Array,
    truth: Array,
    weights: Array,
    index: NDArray[np.void],
    matrix: DesignMatrix,
) -> None:
    """The pickled table that FitSNAP's own tools read."""
    try:
        import pandas
    except ImportError as error:
        raise InputError("dump_dataframe needs pandas: `pip install 'snap_al[fitsnap]'`") from error
    table = pandas.DataFrame(rows)
    table["truths"], table["weights"] = truth, weights
    table["Groups"] = np.array(matrix.groups)[index["group"]]
    files = {
        n: Path(item.configuration.name.split(", group")[0]).name
        for n, item in matrix.items.items()
    }
    table["Configs"] = [files[n] for n in index["configuration"].tolist()]
    table["Row_Type"] = np.array(KINDS)[index["kind"]]
    table["Atom_I"] = np.maximum(index["atom"], 0)
    table["Testing"] = False
    scratch = path.with_name(f".{path.name}.part.pkl")
    table.to_pickle(scratch)
    os.replace(scratch, path)
