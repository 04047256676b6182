"""Active learning of SNAP interatomic potentials with embedded model error.

    import snap_al as sa
    posterior = sa.fit_posterior(A, b, w)
    sa.run("config.yaml", "run")

Names are loaded when they are first used, so that `snap-al --help` need not wait for LAMMPS.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_WHERE = {
    "FitSettings": "snap_al.inference",
    "Posterior": "snap_al.inference",
    "Prediction": "snap_al.inference",
    "fit_posterior": "snap_al.inference",
    "Configuration": "snap_al.data",
    "FittedPotential": "snap_al.potential",
    "SnapCalculator": "snap_al.potential.snap_calculator",
    "evaluate": "snap_al.tasks.evaluate",
    "predict": "snap_al.tasks.predict",
    "run": "snap_al.tasks.run",
}

__all__ = ["__version__", *_WHERE]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'snap_al' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
