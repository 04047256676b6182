"""Configurations → rows of the design matrix, by LAMMPS' own bispectrum components."""

from snap_al.descriptors.columns import Columns, component_names
from snap_al.descriptors.design_matrix import DesignMatrix, Kind, LabelledConfiguration, Weights
from snap_al.descriptors.engine import ConfigurationRows, DescriptorEngine
from snap_al.descriptors.reference import ReferencePotential
from snap_al.descriptors.settings import SnapSettings

__all__ = [
    "Columns",
    "ConfigurationRows",
    "DescriptorEngine",
    "DesignMatrix",
    "Kind",
    "LabelledConfiguration",
    "ReferencePotential",
    "SnapSettings",
    "Weights",
    "component_names",
]
