"""What to ask next: predictions and design rows in, what is novel out."""

from snap_al.query.novelty import left_out_force_stds
from snap_al.query.settings import QuerySettings

__all__ = ["QuerySettings", "left_out_force_stds"]
