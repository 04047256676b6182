"""Files that LAMMPS and FitSNAP read, and the uncertainty beside them."""

from snap_al.potential.comparison import not_compared, param_file
from snap_al.potential.files import read_snapcoeff, snapcoeff, snapparam
from snap_al.potential.model import Model, Monitor
from snap_al.potential.output import STEM, FittedPotential, check_beside, stem_in
from snap_al.potential.rows_monitor import RowsMonitor
from snap_al.potential.snap import Snap
from snap_al.potential.snap_monitor import StdMonitor
from snap_al.potential.variance import element_covariance, element_root, variance_snapcoeff

__all__ = [
    "STEM",
    "FittedPotential",
    "Model",
    "Monitor",
    "RowsMonitor",
    "Snap",
    "StdMonitor",
    "check_beside",
    "element_covariance",
    "element_root",
    "not_compared",
    "param_file",
    "read_snapcoeff",
    "snapcoeff",
    "snapparam",
    "stem_in",
    "variance_snapcoeff",
]
