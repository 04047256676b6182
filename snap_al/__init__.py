"""Active learning of SNAP interatomic potentials with embedded model error.

    import snap_al as sa
    posterior = sa.fit_posterior(A, b, w)
    result = sa.run("config.yaml", "run")

The functions run, fit, evaluate, predict, select, learn, tune, validate, export and report do what
the commands of the same names do. They take files or Python objects, return typed results and print
nothing.

Names are loaded when they are first used, so that `snap-al --help` need not wait for LAMMPS.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_WHERE = {
    "run": "snap_al.tasks.run",
    "RunResult": "snap_al.tasks.run",
    "fit": "snap_al.tasks.fit",
    "FitResult": "snap_al.tasks.fit",
    "evaluate": "snap_al.tasks.evaluate",
    "EvaluateResult": "snap_al.tasks.evaluate",
    "predict": "snap_al.tasks.predict",
    "PredictResult": "snap_al.tasks.predict",
    "select": "snap_al.tasks.select",
    "SelectResult": "snap_al.tasks.select",
    "learn": "snap_al.tasks.learn",
    "LearnSettings": "snap_al.tasks.learn",
    "LearnResult": "snap_al.tasks.learn",
    "tune": "snap_al.tasks.tune",
    "TuneResult": "snap_al.tasks.tune_result",
    "validate": "snap_al.tasks.validate",
    "ValidateSettings": "snap_al.tasks.validation_request",
    "ValidateResult": "snap_al.tasks.validate",
    "export": "snap_al.tasks.export",
    "ExportResult": "snap_al.tasks.export",
    "report": "snap_al.tasks.report",
    "ReportResult": "snap_al.tasks.report",
    "ErrorTables": "snap_al.tasks.result",
    "DataFile": "snap_al.tasks.data",
    "FileOptions": "snap_al.data.file_contents",
    "Configuration": "snap_al.data",
    "RunConfig": "snap_al.loop",
    "load_config": "snap_al.config",
    "FitSettings": "snap_al.inference",
    "fit_settings": "snap_al.inference",
    "Posterior": "snap_al.inference",
    "Prediction": "snap_al.inference",
    "fit_posterior": "snap_al.inference",
    "FittedPotential": "snap_al.potential",
    "SnapCalculator": "snap_al.potential.snap_calculator",
}

__all__ = ["__version__", *_WHERE]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'snap_al' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
