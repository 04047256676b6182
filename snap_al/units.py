"""Constants and conversions. LAMMPS metal units throughout: eV, Å, ps, K, bar, g/mol."""

from typing import Final

BAR_PER_EV_PER_A3: Final = 1.6021766e6
"""Pressure in bar of 1 eV/Å³, with the digits that LAMMPS has in `update.cpp` (metal units:
nktv2p).
"""

FITSNAP_BAR_PER_EV_PER_A3: Final = 1.6021765e6
"""The same with FitSNAP's digits, for design matrices that must be FitSNAP's own; 6e-8 away."""

ASE_STRESS_TO_ROWS: Final = -BAR_PER_EV_PER_A3
"""ASE's stress (eV/Å³, positive under tension) to a stress row (bar, LAMMPS' sign: positive under
compression).
"""

BOLTZMANN_EV_PER_K: Final = 8.617333262e-5
"""CODATA 2018."""
