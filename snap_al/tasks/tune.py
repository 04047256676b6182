"""Search for twojmax, cutoff, radii and weights of elements, and weights of groups, on labels at
hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from threadpoolctl import threadpool_limits

from snap_al.config import read_run
from snap_al.config.tuned import group_of, tuned_text
from snap_al.data import LabelledConfiguration
from snap_al.data.counts import ReadCount, by_source
from snap_al.data.remarks import Remarks
from snap_al.data.storage import write_atomically
from snap_al.descriptors import SnapSettings
from snap_al.errors import InputError, did_you_mean
from snap_al.loop import RunConfig, RunDirectory, RunInputs, read_inputs
from snap_al.loop.scoring import Measure, Scored, Scorer, Scoring
from snap_al.loop.tuning import Tuner, cheapest_good
from snap_al.parallel import Communicator, on_root, world
from snap_al.progress import Report, silent
from snap_al.tasks.run_labels import fitted_labels_of_run
from snap_al.tasks.source import Source, config_of, name_of
from snap_al.tasks.tune_result import TuneResult

CUTOFFS = (0.85, 1.0, 1.15)
"""Factors on the cutoff of the config."""
FEWEST = 10
"""Smallest number of labelled configurations."""
FOLDS = 10


@dataclass(frozen=True)
class _Given:
    """The input of a search."""

    config: RunConfig
    """The config."""
    inputs: RunInputs
    """Labelled configurations and reference potential."""
    items: tuple[LabelledConfiguration, ...]
    """The training set, and the labels that a run has computed."""
    read: tuple[ReadCount, ...]
    """What was read from each file."""


@dataclass(frozen=True)
class _Search:
    """The candidates that were tried, in the order in which they were tried."""

    grid: tuple[Scored, ...]
    """Candidates of the grid."""
    elements: tuple[Scored, ...]
    """Candidates with other radii and weights of elements."""
    weights: tuple[Scored, ...]
    """Candidates with other weights of groups."""
    best: Scored
    """The best of all."""
    remarks: tuple[str, ...]
    """Remarks on what was left out, and why."""


def tune(
    source: Source,
    out: Path | str,
    *,
    twojmax: Sequence[int] = (),
    cutoffs: Sequence[float] = (),
    by: Measure = "folds",
    seed: int = 1,
    comm: Communicator | None = None,
    report: Report = silent,
) -> TuneResult:
    """Search twojmax, cutoff, element radii and weights, and group weights, on labels at hand.

    It is collective: under MPI, all ranks call it. Errors are measured on labels that were left
    out of the fit.

    Parameters
    ----------
    source : path, str or RunConfig
        A config with a training section, the path of a FitSNAP deck (`.in`), or the folder of a
        run.
    out : path or str
        The folder to write tune.json, and tuned.yaml, a config with what was found, into.
    twojmax : sequence of int, optional
        To try; two less and two more than now when not given.
    cutoffs : sequence of float, optional
        Å, to try; 0.85, 1 and 1.15 times that of now when not given.
    by : {"folds", "groups", "evidence"}, optional
        Errors on tenths that were left out, errors on groups that were left out, or the evidence.
    seed : int, optional
        Of the folds.
    comm : Communicator, optional
        The ranks that share the work; all of MPI's world when not given.
    report : callable, optional
        Called on rank 0 with what is being done, how much of it is done, and of how much.

    Returns
    -------
    TuneResult
        What was tried and what is best, on every rank.

    Raises
    ------
    InputError
        If a file cannot be read, there is no such `by`, there are fewer than 10 labelled
        configurations, or all are of one group with `by="groups"`; on every rank.

    Examples
    --------
    >>> sa.tune("fit.yaml", "tune", twojmax=[6, 8]).best.settings
    """
    comm, folder = comm or world(), Path(out)
    report = report if comm.rank == 0 else silent
    if by not in (measures := get_args(Measure)):
        raise InputError(f"--by {by}: {did_you_mean(by, measures)}").on_all_ranks()
    given = on_root(comm, lambda: _given(source))
    _require_enough(given, source, by)
    config, base = given.config, given.config.descriptor
    with threadpool_limits(1):
        scorer = Scorer(
            given.items,
            given.inputs.reference,
            config.lammps,
            _cache(source, config, folder),
            comm,
            Scoring(by, min(FOLDS, len(given.items)), seed),
            report,
        )
        search = _searched(scorer, base, _twojmax(base, twojmax), _widths(base, cutoffs))
    left_out = (f"left out: {text}" for text in given.inputs.left_out)
    unwritable = _unwritable(config, given.items, search.best)
    remarks = Remarks((*left_out, *search.remarks, *unwritable)) + given.inputs.remarks
    result = TuneResult(
        by,
        len(given.items),
        next((s for s in search.grid if s.settings == base), None),
        search.best,
        (*search.grid, *search.elements, *search.weights),
        folder,
        read=given.read,
        warnings=remarks.warnings,
        notes=remarks.notes,
    )
    on_root(comm, lambda: _write(source, config, result))
    return result


def _run_of(source: Source) -> RunDirectory | None:
    """The directory of a run; None if the source is no folder."""
    if isinstance(source, RunConfig) or not Path(source).is_dir():
        return None
    return RunDirectory(Path(source))


def _given(source: Source) -> _Given:
    """The input of a search. Raises InputError."""
    run_labels: list[LabelledConfiguration] = []
    directory = _run_of(source)
    if directory is not None:
        config, _, state = read_run(directory.root)
        run_labels = fitted_labels_of_run(directory, config, state)
    else:
        config = config_of(source)
    if config.model.type != "snap":
        raise InputError(f"tune searches settings of SNAP, and model.type is {config.model.type}")
    inputs = read_inputs(config, strict=config.fitsnap is None)
    read = (*inputs.read, *by_source("training", run_labels))
    return _Given(config, inputs, (*inputs.training, *run_labels), read)


def _require_enough(given: _Given, source: Source, by: Measure) -> None:
    """Raises InputError, on all ranks, when there are too few labels."""
    n, name = len(given.items), name_of(source)
    if n < FEWEST:
        raise InputError(
            f"{name}: {n} labelled configurations; below {FEWEST} nothing can be told"
        ).on_all_ranks()
    if by == "groups" and len({item.group for item in given.items}) < 2:
        raise InputError(
            f"{name}: all labels are of one group; --by folds or evidence"
        ).on_all_ranks()


def _cache(source: Source, config: RunConfig, out: Path) -> Path | None:
    """The folder in which descriptors are kept."""
    if not config.cache:
        return None
    directory = _run_of(source)
    return out / "descriptors" if directory is None else directory.descriptors


def _twojmax(base: SnapSettings, given: Sequence[int]) -> list[int]:
    now = base.largest_twojmax
    return list(given) or [two for two in (now - 2, now, now + 2) if two >= 2]


def _widths(base: SnapSettings, cutoffs: Sequence[float]) -> list[float]:
    """The values of rcutfac."""
    given = [c / base.max_cutoff * base.rcutfac for c in cutoffs]
    return given or [base.rcutfac * f for f in CUTOFFS]


def _searched(
    scorer: Scorer, base: SnapSettings, twojmax: list[int], widths: list[float]
) -> _Search:
    """Searches the grid, then elements from the best of it, then weights from the best of these."""
    tuner = Tuner(scorer)
    grid = tuner.grid(base, twojmax, widths)
    best = cheapest_good(grid)
    elements = tuner.elements(best)
    best = cheapest_good([best, *elements])
    weights = tuner.weights(best)
    best = min([best, *weights], key=lambda s: s.score)
    return _Search(tuple(grid), tuple(elements), tuple(weights), best, tuple(scorer.remarks))


def _write(source: Source, config: RunConfig, result: TuneResult) -> None:
    folder, best = result.folder, result.best
    write_atomically(folder / "tune.json", json.dumps(result.as_json(), indent=1) + "\n")
    directory = _run_of(source)
    file = source if directory is None else directory.config
    text = tuned_text(file, config, best.settings, best.groups)
    header = f"# By snap-al tune, from {json.dumps(name_of(source))}.\n"
    write_atomically(folder / "tuned.yaml", header + text)


def _unwritable(
    config: RunConfig, items: Sequence[LabelledConfiguration], best: Scored
) -> list[str]:
    """Remarks on factors that no entry of a config can have: on weights of a deck's groups, of
    labels that the run computed, or of groups within one file."""
    entries = {group_of(t.group, t.path) for t in config.training}
    sizes = {name: sum(item.group == name for item in items) for name in best.groups}
    factors = [
        f"{name or '(no group)'} ({sizes[name]} configurations) × {f:g}"
        for name, f in best.groups.items()
        if name not in entries
    ]
    if not factors:
        return []
    return [
        "tuned.yaml cannot have these factors on the weights of groups, set them where the "
        f"weights are: {', '.join(factors)}"
    ]
