"""Pool-based selection: which configurations of a pool to label next, without MD."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snap_al.data import LabelledConfiguration
from snap_al.data.configuration import Configuration, Label
from snap_al.data.readers import read_configurations
from snap_al.data.weights import Weights
from snap_al.descriptors import DesignMatrix, Engine, Rows, RowSource, row_source
from snap_al.errors import InputError
from snap_al.inference import CommitteeSettings, Posterior, atom_force_std, square_root
from snap_al.loop.inputs import RunInputs
from snap_al.loop.memory import matrix_folder
from snap_al.loop.settings import RunConfig
from snap_al.loop.training import TrainingSet
from snap_al.named import imported
from snap_al.parallel import Communicator, collectively, on_root
from snap_al.progress import Report, silent
from snap_al.query import (
    BatchOptions,
    Candidate,
    Candidates,
    Knowledge,
    Labelled,
    QuerySettings,
    acquisition,
    select,
)
from snap_al.query.candidates import FORCE

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Choice:
    """A configuration that was chosen from a pool."""

    number: int
    """Its number in the pool."""
    score: float
    """Its score by the strategy, when it was taken."""
    energy_std: float
    """eV/atom, total std."""
    force_std: float
    """eV/Å, total std, the largest over atoms."""


@dataclass(frozen=True)
class PoolSelection:
    """The configurations that were chosen from a pool."""

    chosen: tuple[Choice, ...]
    """The configurations, in the order in which to label them."""
    size: int
    """Number of configurations in the pool."""
    duplicates: int
    """Number of candidates that were left out because they repeat a labelled one or each other."""
    remarks: tuple[str, ...]
    """Remarks on the pool and the training set."""


def select_from_pool(
    config: RunConfig,
    inputs: RunInputs,
    pool: Sequence[Configuration],
    n: int,
    folder: Path,
    comm: Communicator,
    *,
    cache: bool = True,
    report: Report = silent,
) -> PoolSelection:
    """Fits to the config's training set and ranks the pool by its strategy. Collective.

    n: how many at most. folder: for descriptors that are kept, if `cache`, and for a design matrix
    that memory has no room for. Raises InputError on all ranks without a training set, or for a
    configuration that cannot be computed.
    """
    if not inputs.training:
        raise InputError(
            "training: nothing is labelled yet that a strategy could go by; label a few "
            "configurations first "
            "(snap-al init --structure makes gentle ones), or give a FitSNAP deck"
        ).on_all_ranks()
    settings = config.query
    with config.made_model().engine(inputs.reference, config.lammps) as engine:
        source = row_source(engine, folder / "descriptors" if cache else None, comm)
        limit = config.memory_gb and config.memory_gb * 1e9
        items = unlabelled(pool, inputs.training)
        disk = matrix_folder((*inputs.training, *items), source.columns, limit, folder, comm)
        training = TrainingSet(committee_if_asked(config), source, comm, inputs.prior_mean, disk)
        remarks = training.add(inputs.training, report=report)
        report("fitting", 0, 0)
        posterior = training.fit()
        matrix = DesignMatrix(source, comm, disk)
        remarks += matrix.append(items, report=report)
        report("selecting", 0, 0)
        targets = target_rows(settings, config.descriptor.elements, source, comm)
        labelled = as_labelled(training.matrix)
        local = as_candidates(matrix, on_root(comm, lambda: [cost_of(settings, c) for c in pool]))
        if settings.strategy == "maxvol" and settings.grade == "atom":
            labelled, local = (
                with_atoms(c, m, engine, comm)
                for c, m in ((labelled, training.matrix), (local, matrix))
            )
    known = Knowledge.of(posterior, Labelled.of(posterior, labelled, comm))
    candidates = Candidates(local, np.ones(len(pool), dtype=bool), comm)
    selection = select(
        candidates,
        acquisition(settings, config.seed, targets),
        known,
        n,
        BatchOptions.of(settings, config.seed),
    )
    stds = _stds(candidates, posterior)
    chosen = [
        Choice(k, s, float(stds[k, 0]), float(stds[k, 1]))
        for k, s in zip(selection.numbers, selection.scores, strict=True)
    ]
    return PoolSelection(tuple(chosen), len(pool), selection.duplicates, tuple(remarks))


def committee_if_asked(config: RunConfig) -> RunConfig:
    """The same config, with a committee as its posterior when the strategy needs one."""
    if config.query.strategy != "committee" or isinstance(config.fit, CommitteeSettings):
        return config
    return config.model_copy(update={"fit": CommitteeSettings.beside(config.fit)})


def unlabelled(
    pool: Sequence[Configuration], like: Sequence[LabelledConfiguration]
) -> list[LabelledConfiguration]:
    """The pool without its labels, with the largest weights of each kind in the training set."""
    weights = Weights(
        *(max(getattr(i.weights, kind) for i in like) for kind in ("energy", "force", "stress"))
    )
    return [LabelledConfiguration(c.labelled(Label()), weights, c.group) for c in pool]


def as_labelled(matrix: DesignMatrix) -> list[Candidate]:
    """This rank's configurations of a matrix, with the weights that they are fitted with. Rows
    without a label have weight 0."""
    return _as_candidates(matrix, lambda rows: np.where(rows.labelled, rows.weights, 0.0), None)


def as_candidates(matrix: DesignMatrix, costs: Sequence[float] | None = None) -> list[Candidate]:
    """The same with the weights that labels would have, as far as they are known before."""
    return _as_candidates(matrix, lambda rows: rows.weights / rows.damping, costs)


def _as_candidates(
    matrix: DesignMatrix, weights: Callable[[Rows], Array], costs: Sequence[float] | None
) -> list[Candidate]:
    """Numbers are positions among all configurations of the matrix."""
    places = {number: place for place, number in enumerate(sorted(matrix.items))}
    candidates = []
    for number in matrix.own:
        rows, place = matrix.rows_of(number), places[number]
        cost = 1.0 if costs is None else costs[place]
        candidates.append(
            Candidate(place, rows.values, weights(rows), rows.index["kind"], rows.vanishing, cost)
        )
    return candidates


def with_atoms(
    local: Sequence[Candidate], matrix: DesignMatrix, engine: Engine, comm: Communicator
) -> list[Candidate]:
    """The same candidates with the rows of their atoms. Collective."""
    items = [matrix.items[number] for number in sorted(matrix.items)]
    candidates: list[Candidate] = []
    with collectively(comm):
        candidates.extend(
            replace(c, atoms=engine.atom_rows(items[c.number].configuration)) for c in local
        )
    return candidates


def cost_of(settings: QuerySettings, configuration: Configuration) -> float:
    """The cost of a label. Raises InputError for a function that does not exist, or a cost that is
    not positive."""
    try:
        if isinstance(settings.cost, str):
            cost = float(imported("query.cost", settings.cost)(configuration.to_atoms()))
        else:
            cost = float(len(configuration)) ** settings.cost
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"query.cost: {settings.cost}: {type(error).__name__}: {error}") from error
    if not (np.isfinite(cost) and cost > 0):
        raise InputError(
            f"query.cost: {settings.cost} gave {cost} for "
            f"{configuration.name or 'a configuration'}; costs are positive"
        )
    return cost


def target_rows(
    settings: QuerySettings, elements: tuple[str, ...], source: RowSource, comm: Communicator
) -> Array | None:
    """(m, n) energy rows of query.targets. Collective."""
    if settings.targets is None:
        return None
    path = settings.targets

    def compute() -> Array:
        targets = read_configurations(path, elements, labelled=False)
        return np.array([source.rows(c).values[0] for c in targets])

    return on_root(comm, compute)


def _stds(candidates: Candidates, posterior: Posterior) -> Array:
    """(size, 2) energy std and largest force std. Collective."""
    root, factors = square_root(posterior.covariance), posterior.recalibration

    def of(c: Candidate) -> Array:
        energy = factors[0] * np.linalg.norm(c.energy @ root)
        return np.array([energy, factors[1] * atom_force_std(c.of_kind(FORCE), root).max()])

    return candidates.each(of, (2,))
