"""Labels by any ASE calculator. Results are checked and kept in one file each, and no label is
computed twice."""

from snap_al.label.ase_labeler import AseLabeler
from snap_al.label.backend import (
    ImmediateBackend,
    LabelBackend,
    LabelResult,
    encode_result,
    job_name,
    read_result,
    refuse_result,
    result_paths,
)
from snap_al.label.cluster import Scheduler
from snap_al.label.contract import validate_backend, validate_labeler
from snap_al.label.folder import FolderBackend
from snap_al.label.jobs import Handle, JobBackend, Launcher
from snap_al.label.labeler import Labeler
from snap_al.label.local import LocalProcesses
from snap_al.label.pool import Pool
from snap_al.label.settings import ClusterSettings, LabelChecks, LabelSettings

__all__ = [
    "AseLabeler",
    "ClusterSettings",
    "FolderBackend",
    "Handle",
    "ImmediateBackend",
    "JobBackend",
    "LabelBackend",
    "LabelChecks",
    "LabelResult",
    "LabelSettings",
    "Labeler",
    "Launcher",
    "LocalProcesses",
    "Pool",
    "Scheduler",
    "encode_result",
    "job_name",
    "read_result",
    "refuse_result",
    "result_paths",
    "validate_backend",
    "validate_labeler",
]
