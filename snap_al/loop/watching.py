"""The rule by which walkers stop, from the config and the last fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from snap_al.data.arrays import read_arrays
from snap_al.data.storage import write_atomically
from snap_al.descriptors import DesignMatrix, Engine
from snap_al.errors import RunError
from snap_al.inference import Posterior
from snap_al.loop.pool import as_labelled, with_atoms
from snap_al.loop.run_directory import RunDirectory
from snap_al.loop.settings import RunConfig
from snap_al.loop.state import RunState
from snap_al.md import (
    EveryNth,
    Rule,
    WhenAboveNoise,
    WhenExtrapolating,
    WhenNovel,
    WhenRelative,
    WhenUncertain,
)
from snap_al.named import made
from snap_al.parallel import Communicator, on_root
from snap_al.query import ActiveSet, Labelled, QuerySettings, unique_whitening

Array = NDArray[np.float64]
FORCE = 1


@dataclass(frozen=True)
class RuleContext:
    """What rules are made from."""

    config: RunConfig
    """The config."""
    state: RunState
    """Where the run stands."""
    posterior: Posterior
    """The last fit."""
    directory: RunDirectory
    """The directory of the run."""

    @property
    def query(self) -> QuerySettings:
        return self.config.query


def _novel(c: RuleContext) -> Rule:
    return WhenNovel(c.state.tolerance, c.state.novelty, c.query.min_gain, c.config.label.fweight)


def _grade(c: RuleContext) -> Rule:
    active = _active_set(c.directory.active_set(c.state.fits))
    return WhenExtrapolating(active, c.query.max_grade)


def _flare(c: RuleContext) -> Rule:
    return WhenAboveNoise(float(c.posterior.noise_by_kind[FORCE]), c.query.flare_factor)


RULES: dict[str, Callable[[RuleContext], Rule]] = {
    "novel": _novel,
    "every": lambda c: EveryNth(c.query.every),
    "std": lambda c: WhenUncertain(c.state.tolerance),
    "grade": _grade,
    "flare": _flare,
    "hal": lambda c: WhenRelative(c.query.hal_ratio, c.query.hal_floor),
}
"""Rules, by the names of `snap_al.query.settings.Rule`."""


def rule_of(
    config: RunConfig, state: RunState, posterior: Posterior, directory: RunDirectory
) -> Rule:
    """query.rule, with the limits that followed the last fit.

    Raises InputError for a class that cannot be imported or made.
    """
    name = config.query.rule
    if name in RULES:
        return RULES[name](RuleContext(config, state, posterior, directory))
    return cast(Rule, made("query.rule", name, config.query.rule_options))


def _active_set(path: Path) -> Array:
    """Raises RunError for a file that is gone or is not what `keep_active_set` left."""
    try:
        rows = read_arrays(path).get("", np.zeros(0))
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path}: cannot be read: {error}; restore it, or begin in a new --out"
        ) from error
    if rows.ndim != 2 or rows.dtype.kind != "f":
        raise RunError(f"{path}: is no matrix of numbers; restore it, or begin in a new --out")
    return np.asarray(rows, dtype=float)


def keep_active_set(
    directory: RunDirectory,
    fit: int,
    matrix: DesignMatrix,
    engine: Engine,
    posterior: Posterior,
    comm: Communicator,
) -> None:
    """Writes MaxVol's active set of the training atoms beside the fit: (n, n), with which the grade
    γ of an atom is the largest entry of its row times this matrix. Collective."""
    atoms = Labelled.of(
        posterior, with_atoms(as_labelled(matrix), matrix, engine, comm), comm
    ).atoms
    assert atoms is not None  # a fit needs at least one configuration

    def write() -> None:
        buffer = BytesIO()
        whitening = unique_whitening(posterior)
        np.save(buffer, whitening @ ActiveSet.of(atoms @ whitening).inverse)
        path = directory.active_set(fit)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, buffer.getvalue())

    on_root(comm, write)
