"""Pure arrays → Posterior. No LAMMPS, no files, no printing; ranks only through a communicator
handed in.

The equations, as they are implemented, are in docs/mathematics.md."""

from snap_al.inference.blocks import Block, triangle_of
from snap_al.inference.conjugate import Coefficients
from snap_al.inference.folds import LeftOut, left_out
from snap_al.inference.methods import fit_blocks, fit_posterior
from snap_al.inference.posterior import Posterior, Prediction
from snap_al.inference.problem import Fitted, Method, Problem, RowErrors
from snap_al.inference.refit import can_refit, refit
from snap_al.inference.settings import FitSettings
from snap_al.inference.stds import atom_force_std, row_std, square_root

__all__ = [
    "Block",
    "Coefficients",
    "FitSettings",
    "Fitted",
    "LeftOut",
    "Method",
    "Posterior",
    "Prediction",
    "Problem",
    "RowErrors",
    "atom_force_std",
    "can_refit",
    "fit_blocks",
    "fit_posterior",
    "left_out",
    "refit",
    "row_std",
    "square_root",
    "triangle_of",
]
