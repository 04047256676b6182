"""Validation of a fitted potential: properties with error bars, and stability in MD."""

from snap_al.validation.crystal import Crystal, NotConvergedError, crystal_of, element_crystal
from snap_al.validation.curves import Curve, approach, compression, dimers
from snap_al.validation.dynamics import Conditions, Trajectory, failed_check, npt, nve
from snap_al.validation.failures import failure_of
from snap_al.validation.labeler import LabelCalculator
from snap_al.validation.materials import (
    Coverage,
    Materials,
    Property,
    References,
    measure,
    names_of,
)
from snap_al.validation.properties import PROPERTIES, Quantity
from snap_al.validation.results import Validation
from snap_al.validation.slabs import Slab, slab

__all__ = [
    "PROPERTIES",
    "Conditions",
    "Coverage",
    "Crystal",
    "Curve",
    "LabelCalculator",
    "Materials",
    "NotConvergedError",
    "Property",
    "Quantity",
    "References",
    "Slab",
    "Trajectory",
    "Validation",
    "approach",
    "compression",
    "crystal_of",
    "dimers",
    "element_crystal",
    "failed_check",
    "failure_of",
    "measure",
    "names_of",
    "npt",
    "nve",
    "slab",
]
