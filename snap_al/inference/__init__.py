"""Pure arrays → Posterior. No LAMMPS, no files, no printing; ranks only through a communicator
handed in.

The equations, as they are implemented, are in docs/mathematics.md."""

from snap_al.inference.blocks import Block, triangle_of
from snap_al.inference.conjugate import Coefficients
from snap_al.inference.fit import fit_blocks, fit_posterior
from snap_al.inference.folds import LeftOut, left_out
from snap_al.inference.posterior import Posterior, Prediction
from snap_al.inference.problem import Fitted, Method, Problem, RowErrors
from snap_al.inference.refit import can_refit, growth_before_fit, refit
from snap_al.inference.settings import (
    BayesSettings,
    CommitteeSettings,
    CustomSettings,
    EmbeddedSettings,
    FitSettings,
    ModelErrorSettings,
    PopsSettings,
    SampledSettings,
    VariationalSettings,
)
from snap_al.inference.settings_union import AnyFitSettings, fit_settings
from snap_al.inference.stds import atom_force_std, row_std, square_root

__all__ = [
    "AnyFitSettings",
    "BayesSettings",
    "Block",
    "Coefficients",
    "CommitteeSettings",
    "CustomSettings",
    "EmbeddedSettings",
    "FitSettings",
    "Fitted",
    "LeftOut",
    "Method",
    "ModelErrorSettings",
    "PopsSettings",
    "Posterior",
    "Prediction",
    "Problem",
    "RowErrors",
    "SampledSettings",
    "VariationalSettings",
    "atom_force_std",
    "can_refit",
    "fit_blocks",
    "fit_posterior",
    "fit_settings",
    "growth_before_fit",
    "left_out",
    "refit",
    "row_std",
    "square_root",
    "triangle_of",
]
