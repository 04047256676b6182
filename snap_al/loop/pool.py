"""Pool-based selection: which configurations of a pool to label next, without MD."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snap_al.data import LabelledConfiguration
from snap_al.data.configuration import Configuration, Label
from snap_al.data.readers import read_configurations
from snap_al.descriptors import DescriptorEngine, DesignMatrix, RowSource, row_source
from snap_al.errors import InputError
from snap_al.fit import FitSettings, Posterior, row_std
from snap_al.loop.inputs import RunInputs
from snap_al.loop.memory import matrix_folder
from snap_al.loop.settings import RunConfig
from snap_al.loop.training import TrainingSet
from snap_al.parallel import Communicator, collectively, on_root
from snap_al.query import Candidate, Candidates, Knowledge, Labelled, QuerySettings, acquisition, select

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Choice:
    """number: in the pool. score: the strategy's, when it was taken. energy_std: eV/atom, force_std: eV/Å, the largest over
    atoms, both total."""

    number: int
    score: float
    energy_std: float
    force_std: float


@dataclass(frozen=True)
class PoolSelection:
    """chosen: in the order in which to label them. duplicates: candidates left out as doubles of labelled ones or of each
    other. remarks: of the pool and the training set."""

    chosen: tuple[Choice, ...]
    size: int
    duplicates: int
    remarks: tuple[str, ...]


def select_from_pool(
    config: RunConfig, inputs: RunInputs, pool: Sequence[Configuration], n: int, comm: Communicator, *, cache: Path | None = None
) -> PoolSelection:  # fmt: skip
    """Fits to the config's training set and ranks the pool by its strategy. Collective.

    n: how many at most. cache: folder for descriptors. Raises InputError on all ranks without a training set, or for a
    configuration that cannot be computed.
    """
    if not inputs.training:
        raise InputError(
            "training: nothing is labelled yet that a strategy could go by; label a few configurations first "
            "(snap-al init --structure makes gentle ones), or give a FitSNAP deck"
        ).on_all_ranks()
    settings = config.query
    with DescriptorEngine(config.descriptor, inputs.reference, config.lammps.arguments) as engine:
        source = row_source(engine, cache, comm)
        limit = config.memory_gb and config.memory_gb * 1e9
        items = unlabelled(pool, inputs.training[0])
        folder = matrix_folder((*inputs.training, *items), source.columns, limit, Path.cwd(), comm)
        training = TrainingSet(committee_if_asked(config), source, comm, inputs.prior_mean, folder)
        remarks = training.add(inputs.training)
        posterior = training.fit()
        matrix = DesignMatrix(source, comm, folder)
        remarks += matrix.append(items)
        targets = _target_rows(settings, config.descriptor.elements, source)
        labelled = as_candidates(training.matrix)
        own = as_candidates(matrix, on_root(comm, lambda: [cost_of(settings, c) for c in pool]))
        if settings.strategy == "maxvol" and settings.grade == "atom":
            labelled, own = (with_atoms(c, m, engine, comm) for c, m in ((labelled, training.matrix), (own, matrix)))
    known = Knowledge.of(posterior, Labelled.of(posterior, labelled, comm))
    candidates = Candidates(own, np.ones(len(pool), dtype=bool), comm)
    found = select(
        candidates, acquisition(settings, config.seed, targets), known, n, diversity=settings.diversity,
        by_cost=settings.by_cost, budget=settings.budget, seed=config.seed, polish=settings.polish,
    )  # fmt: skip
    stds = candidates.each(lambda c: _stds(c, posterior), (2,))
    chosen = [
        Choice(k, s, float(stds[k, 0]), float(stds[k, 1])) for k, s in zip(found.numbers, found.scores, strict=True)
    ]
    return PoolSelection(tuple(chosen), len(pool), found.duplicates, tuple(remarks))


def committee_if_asked(config: RunConfig) -> RunConfig:
    """A committee's disagreement needs one."""
    if config.query.strategy != "committee" or config.fit.posterior == "committee":
        return config
    given = config.fit.model_dump(include={"members", "fraction", "seed", "prior_precision"})
    return config.model_copy(update={"fit": FitSettings(posterior="committee", **given)})


def unlabelled(pool: Sequence[Configuration], like: LabelledConfiguration) -> list[LabelledConfiguration]:
    """Items whose labels, if the pool has any, are not seen; with the weights that the training set's have."""
    return [LabelledConfiguration(c.labelled(Label()), like.weights, c.group) for c in pool]


def as_candidates(matrix: DesignMatrix, costs: Sequence[float] | None = None) -> list[Candidate]:
    """This rank's configurations of a matrix; numbers are places among all of it."""
    places = {number: place for place, number in enumerate(sorted(matrix.items))}
    found = []
    for number in matrix.own:
        rows, place = matrix.rows_of(number), places[number]
        cost = 1.0 if costs is None else costs[place]
        found.append(Candidate(place, rows.values, rows.weights, rows.index["kind"], rows.vanishing, cost))
    return found


def with_atoms(
    own: Sequence[Candidate], matrix: DesignMatrix, engine: DescriptorEngine, comm: Communicator
) -> list[Candidate]:
    """The same with the rows of their atoms. Collective."""
    items = [matrix.items[number] for number in sorted(matrix.items)]
    found: list[Candidate] = []
    with collectively(comm):
        found.extend(replace(c, atoms=engine.atom_rows(items[c.number].configuration)) for c in own)
    return found


def cost_of(settings: QuerySettings, configuration: Configuration) -> float:
    """Raises InputError for a function that is not there, or a cost that is not positive."""
    if not isinstance(settings.cost, str):
        return float(len(configuration)) ** settings.cost
    cost = float(_function(settings.cost)(configuration.to_atoms()))
    if not (np.isfinite(cost) and cost > 0):
        raise InputError(
            f"query.cost: {settings.cost} gave {cost} for {configuration.name or 'a configuration'}; costs are positive"
        )
    return cost


def _function(name: str) -> Callable[..., float]:
    module, _, attribute = name.rpartition(".")
    try:
        found: Callable[..., float] = getattr(importlib.import_module(module), attribute)
    except (ImportError, ValueError, AttributeError) as error:
        raise InputError(
            f"query.cost: no function {name}: {error}; give module.function, or a power of the atom count"
        ) from error
    return found


def _target_rows(settings: QuerySettings, elements: tuple[str, ...], source: RowSource) -> Array | None:
    if settings.targets is None:
        return None
    found = read_configurations(settings.targets, elements, labelled=False)
    return np.array([source.rows(c).values[0] for c in found])


def _stds(c: Candidate, posterior: Posterior) -> Array:
    from snap_al.fit import atom_force_std, square_root

    root = square_root(posterior.covariance)
    energy = float(row_std(c.energy[None], posterior.covariance)[0]) * posterior.recalibration[0]
    return np.array([energy, atom_force_std(c.of_kind(1), root).max() * posterior.recalibration[1]])
