"""Whether a design matrix fits into memory."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

from snap_al.data import LabelledConfiguration
from snap_al.data.rows import n_rows
from snap_al.descriptors import Columns, available_memory
from snap_al.parallel import Communicator

SHARE = 0.7
"""Share of the free memory; the fit needs a few more buffers."""


def matrix_folder(
    items: Sequence[LabelledConfiguration],
    columns: Columns,
    limit: float | None,
    folder: Path,
    comm: Communicator,
) -> Path | None:
    """Where the rows of these configurations go: `folder`, if this machine's share of them is more
    than `limit` bytes, or, without a limit, than what is free; else None, into memory.
    Collective."""
    rows = sum(n_rows(len(item.configuration)) for item in items)
    machines = comm.allgather(socket.gethostname())
    here = rows * columns.n_distinct * 8 * machines.count(socket.gethostname()) / comm.size
    free = SHARE * available_memory() if limit is None else limit
    return folder if any(comm.allgather(here > free)) else None
