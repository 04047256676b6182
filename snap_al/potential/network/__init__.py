"""Networks of bispectrum components, for `pair_style mliap model nn`."""

from snap_al.potential.network.descriptor_file import read_descriptor
from snap_al.potential.network.examples import Example, Keeping, Sources, examples_of
from snap_al.potential.network.layers import Hidden
from snap_al.potential.network.model import Network
from snap_al.potential.network.nn_file import NnFile, read_nn
from snap_al.potential.network.settings import NetworkSettings
from snap_al.potential.network.training import Learned, learn_hidden

__all__ = [
    "Example",
    "Hidden",
    "Keeping",
    "Learned",
    "Network",
    "NetworkSettings",
    "NnFile",
    "Sources",
    "examples_of",
    "learn_hidden",
    "read_descriptor",
    "read_nn",
]
