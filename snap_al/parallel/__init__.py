"""The communicator, its serial stand-in, and what is computed over rows that are spread over
ranks.
"""

from snap_al.parallel.communicator import (
    SERIAL,
    Communicator,
    abandon,
    collectively,
    load_mpi,
    on_root,
    world,
)
from snap_al.parallel.leaving import tell_before_abort
from snap_al.parallel.reductions import (
    combined_triangle,
    sum_rows,
    triangular_factor,
    updated_triangle,
)
from snap_al.parallel.served import served

__all__ = [
    "SERIAL",
    "Communicator",
    "abandon",
    "collectively",
    "combined_triangle",
    "load_mpi",
    "on_root",
    "served",
    "sum_rows",
    "tell_before_abort",
    "triangular_factor",
    "updated_triangle",
    "world",
]
