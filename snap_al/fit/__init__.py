"""Pure arrays → Posterior. No LAMMPS, no files, no printing; ranks only through a communicator handed in."""

from snap_al.fit.methods import FitSettings, fit_posterior
from snap_al.fit.posterior import Posterior, Prediction, atom_force_std, row_std, square_root

__all__ = ["FitSettings", "Posterior", "Prediction", "atom_force_std", "fit_posterior", "row_std", "square_root"]
