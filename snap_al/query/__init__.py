"""Query strategies: scores of candidates by predictions and design rows, and batches by scores."""

from snap_al.query.acquisition import Acquisition, Score
from snap_al.query.batch import BatchOptions, Selection, select
from snap_al.query.candidates import Candidate, Candidates
from snap_al.query.committee import Committee
from snap_al.query.knowledge import Knowledge, Labelled
from snap_al.query.maxvol import ActiveSet, unique_whitening
from snap_al.query.novelty import left_out_force_stds
from snap_al.query.settings import QuerySettings, Strategy
from snap_al.query.strategies import acquisition

__all__ = [
    "Acquisition",
    "ActiveSet",
    "BatchOptions",
    "Candidate",
    "Candidates",
    "Committee",
    "Knowledge",
    "Labelled",
    "QuerySettings",
    "Score",
    "Selection",
    "Strategy",
    "acquisition",
    "left_out_force_stds",
    "select",
    "unique_whitening",
]
