"""Configurations → rows of the design matrix, by LAMMPS' own bispectrum components."""

from snap_al.descriptors.cache import CachedEngine, row_source
from snap_al.descriptors.columns import Columns, columns_named, component_names, distinct_names
from snap_al.descriptors.configuration_rows import ConfigurationRows
from snap_al.descriptors.design_matrix import DesignMatrix
from snap_al.descriptors.engine import DescriptorEngine
from snap_al.descriptors.reference import ReferencePotential
from snap_al.descriptors.row_source import Engine, RowSource
from snap_al.descriptors.rows import Rows
from snap_al.descriptors.settings import SnapSettings
from snap_al.descriptors.slabs import available_memory

__all__ = [
    "CachedEngine",
    "Columns",
    "ConfigurationRows",
    "DescriptorEngine",
    "DesignMatrix",
    "Engine",
    "ReferencePotential",
    "RowSource",
    "Rows",
    "SnapSettings",
    "available_memory",
    "columns_named",
    "component_names",
    "distinct_names",
    "row_source",
]
