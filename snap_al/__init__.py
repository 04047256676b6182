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
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:  # the names of _WHERE, for editors and type checkers
    from snap_al.config import load_config as load_config
    from snap_al.data import Configuration as Configuration
    from snap_al.data.file_contents import FileOptions as FileOptions
    from snap_al.inference import FitSettings as FitSettings
    from snap_al.inference import Posterior as Posterior
    from snap_al.inference import Prediction as Prediction
    from snap_al.inference import fit_posterior as fit_posterior
    from snap_al.inference import fit_settings as fit_settings
    from snap_al.loop import RunConfig as RunConfig
    from snap_al.potential import FittedPotential as FittedPotential
    from snap_al.potential.snap_calculator import SnapCalculator as SnapCalculator
    from snap_al.tasks.data import DataFile as DataFile
    from snap_al.tasks.evaluate import EvaluateResult as EvaluateResult
    from snap_al.tasks.evaluate import evaluate as evaluate
    from snap_al.tasks.export import ExportResult as ExportResult
    from snap_al.tasks.export import export as export
    from snap_al.tasks.fit import FitResult as FitResult
    from snap_al.tasks.fit import fit as fit
    from snap_al.tasks.learn import LearnResult as LearnResult
    from snap_al.tasks.learn import LearnSettings as LearnSettings
    from snap_al.tasks.learn import learn as learn
    from snap_al.tasks.predict import PredictResult as PredictResult
    from snap_al.tasks.predict import predict as predict
    from snap_al.tasks.report import ReportResult as ReportResult
    from snap_al.tasks.report import report as report
    from snap_al.tasks.result import ErrorTables as ErrorTables
    from snap_al.tasks.run import RunResult as RunResult
    from snap_al.tasks.run import run as run
    from snap_al.tasks.select import SelectResult as SelectResult
    from snap_al.tasks.select import select as select
    from snap_al.tasks.tune import tune as tune
    from snap_al.tasks.tune_result import TuneResult as TuneResult
    from snap_al.tasks.validate import ValidateResult as ValidateResult
    from snap_al.tasks.validate import validate as validate
    from snap_al.tasks.validation_request import ValidateSettings as ValidateSettings

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


if not TYPE_CHECKING:  # with it, a name that is not there would have a type

    def __getattr__(name: str) -> Any:
        if name not in _WHERE:
            raise AttributeError(f"module 'snap_al' has no attribute {name!r}")
        return getattr(import_module(_WHERE[name]), name)
