"""Networks of bispectrum components, for `pair_style mliap model nn`."""

from snap_al.potential.network.layers import Hidden
from snap_al.potential.network.model import Network

__all__ = ["Hidden", "Network"]
