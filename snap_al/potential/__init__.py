"""Files that LAMMPS and FitSNAP read, and the uncertainty beside them."""

from snap_al.potential.comparison import not_compared, param_file
from snap_al.potential.files import pair_commands, read_snapcoeff, snapcoeff, snapparam
from snap_al.potential.output import STEM, FittedPotential, check_beside, stem_in
from snap_al.potential.variance import element_covariance, element_root, variance_snapcoeff

__all__ = [
    "STEM",
    "FittedPotential",
    "check_beside",
    "element_covariance",
    "element_root",
    "not_compared",
    "pair_commands",
    "param_file",
    "read_snapcoeff",
    "snapcoeff",
    "snapparam",
    "stem_in",
    "variance_snapcoeff",
]
