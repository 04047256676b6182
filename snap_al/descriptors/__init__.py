"""Configurations → rows of the design matrix, by LAMMPS' own bispectrum components."""

from snap_al.descriptors.cache import CachedEngine
from snap_al.descriptors.columns import Columns, component_names
from snap_al.descriptors.design_matrix import DesignMatrix, Kind, LabelledConfiguration, Rows, RowSource, Weights
from snap_al.descriptors.engine import ConfigurationRows, DescriptorEngine
from snap_al.descriptors.reference import ReferencePotential
from snap_al.descriptors.settings import SnapSettings
from snap_al.descriptors.slabs import available_memory

__all__ = [
    "CachedEngine",
    "Columns",
    "ConfigurationRows",
    "DescriptorEngine",
    "DesignMatrix",
    "Kind",
    "LabelledConfiguration",
    "ReferencePotential",
    "RowSource",
    "Rows",
    "SnapSettings",
    "Weights",
    "available_memory",
    "component_names",
]
