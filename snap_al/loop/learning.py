"""Learning curves on a labelled pool: which labels each strategy would have asked for, and the
error after each round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snap_al.descriptors import DesignMatrix, Rows
from snap_al.errors import InputError
from snap_al.inference import Coefficients, Posterior, fit_blocks
from snap_al.loop.compositions import require_energies_met
from snap_al.loop.evaluation import TestSet
from snap_al.loop.pool import as_candidates, as_labelled, committee_if_asked, cost_of
from snap_al.loop.settings import RunConfig
from snap_al.loop.training import block_of, with_column_numbers
from snap_al.parallel import Communicator, collectively
from snap_al.query import BatchOptions, Candidates, Knowledge, Labelled, acquisition, select

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Study:
    """How many labels a learning curve is made with."""

    initial: int
    """Labels chosen at random before the first round."""
    batch: int
    """Labels of each round."""
    most: int
    """Labels at the end."""


@dataclass(frozen=True)
class Curve:
    """The learning curve of one strategy from one seed."""

    strategy: str
    """Name of the strategy."""
    seed: int
    """The seed."""
    labels: tuple[int, ...]
    """Number of labels at each fit."""
    errors: dict[str, tuple[float, ...]]
    """RMSE on the test set at each fit, by name: energy (eV/atom), forces (eV/Å), and the largest
    of its groups, worst_energy and worst_forces."""


class Learner:
    """A labelled pool and a test set, and curves on them. Every method is collective."""

    def __init__(
        self,
        config: RunConfig,
        pool: DesignMatrix,
        test: TestSet,
        comm: Communicator,
        *,
        prior_mean: Array | None = None,
        targets: Array | None = None,
    ) -> None:
        """prior_mean: (n,) of the fits. targets: (m, n) energy rows for C and V."""
        if not test:
            raise InputError(
                "learn: no test set; give `test` in the config, or hold out a share of the pool"
            ).on_all_ranks()
        _require_labels(pool)
        if config.query.grade == "atom":
            raise InputError(
                "learn: grade: atom is for `snap-al select`; take grade: configuration"
            ).on_all_ranks()
        self._config, self._pool, self._test, self._comm = config, pool, test, comm
        self._prior_mean, self._targets = prior_mean, targets
        self._numbers = np.array(sorted(pool.items))
        everyone = np.ones(len(self._numbers), dtype=bool)
        with collectively(comm):
            costs = [
                cost_of(config.query, pool.items[n].configuration) for n in self._numbers.tolist()
            ]
        self._candidates, self._fitted = (
            Candidates(as_candidates(pool, costs), everyone, comm),
            as_labelled(pool),
        )

    def full(self) -> dict[str, float]:
        """The errors with the whole pool labelled. Raises InputError where its energies cannot be
        met."""
        posterior = self._fit(np.arange(len(self._numbers)), self._config)
        require_energies_met(self._pool, self._pool.slabs(), posterior, self._comm)
        return self._errors(posterior)

    def curve(
        self, strategy: str, seed: int, study: Study, report: Callable[[int], None] = lambda n: None
    ) -> Curve:
        """report: called with the number of labels after each fit."""
        query = self._config.query.model_copy(update={"strategy": strategy})
        config = committee_if_asked(self._config.model_copy(update={"query": query}))
        most = min(study.most, len(self._numbers))
        rng = np.random.default_rng([seed, 5])
        chosen = rng.permutation(len(self._numbers))[: min(study.initial, most)].tolist()
        labels: list[int] = []
        errors: dict[str, list[float]] = {}
        while True:
            posterior = self._fit(np.array(sorted(chosen)), config)
            labels.append(len(chosen))
            for name, value in self._errors(posterior).items():
                errors.setdefault(name, []).append(value)
            report(len(chosen))
            n = min(study.batch, most - len(chosen))
            if n <= 0:
                break
            batch = self._ask(posterior, chosen, config, n, seed + len(chosen))
            if not batch:  # the configurations that are left repeat labelled ones
                break
            chosen += batch
        return Curve(
            strategy, seed, tuple(labels), {name: tuple(values) for name, values in errors.items()}
        )

    def _ask(
        self, posterior: Posterior, chosen: list[int], config: RunConfig, n: int, seed: int
    ) -> list[int]:
        available = np.ones(len(self._numbers), dtype=bool)
        available[chosen] = False
        labelled = [c for c in self._fitted if not available[c.number]]
        known = Knowledge.of(posterior, Labelled.of(posterior, labelled, self._comm))
        q = config.query
        picked = select(
            replace(self._candidates, available=available),
            acquisition(q, seed, self._targets),
            known,
            n,
            BatchOptions.of(q, seed),
        )
        return list(picked.numbers)

    def _fit(self, places: NDArray[np.int64], config: RunConfig) -> Posterior:
        wanted = set(self._numbers[places].tolist())
        local = [self._pool.rows_of(n) for n in self._pool.own if n in wanted]
        parts = local or [Rows.nothing(self._pool.columns.n_distinct)]
        return fit_blocks(
            [block_of(r) for r in parts],
            with_column_numbers(config),
            known=Coefficients(self._prior_mean, self._pool.columns.constants),
            with_errors=False,
            comm=self._comm,
        )[0]

    def _errors(self, posterior: Posterior) -> dict[str, float]:
        evaluated = self._test.evaluate(posterior).counted()
        error = evaluated.mean - evaluated.targets
        out: dict[str, float] = {}
        for kind, name in enumerate(("energy", "forces")):
            here = evaluated.kinds == kind
            if here.any():
                groups = [here & (evaluated.groups == g) for g in np.unique(evaluated.groups[here])]
                out[name] = _rms(error[here])
                out[f"worst_{name}"] = max(_rms(error[g]) for g in groups)
        return out


def labels_to_reach(curve: Curve, name: str, target: float) -> float:
    """The smallest number of labels from which on the error is at most `target`, on average over
    the rest of the curve, so that a single low error does not count; infinite when there is none.
    """
    errors = np.array(curve.errors[name])
    if not len(errors):
        return float("inf")
    onward = np.cumsum(errors[::-1])[::-1] / np.arange(len(errors), 0, -1)
    reached = np.flatnonzero((errors <= target) & (onward <= target))
    return float(curve.labels[reached[0]]) if len(reached) else float("inf")


def area(curve: Curve, name: str) -> float:
    """Mean of log error over the labels: the area under the curve, whose exponential is an
    error.
    """
    return float(np.mean(np.log(np.maximum(curve.errors[name], np.finfo(float).tiny))))


def summary(
    curves: Sequence[Curve], full: dict[int, dict[str, float]], factor: float = 1.1
) -> dict[str, Any]:
    """By strategy and error: geometric mean error under the curve with its 95 % interval over seeds
    (bootstrap), and the median over seeds of the labels that reach `factor` times the full pool's
    error (null: not within the study).

    full: those errors by seed."""
    out: dict[str, Any] = {}
    rng = np.random.default_rng(0)
    for strategy in dict.fromkeys(c.strategy for c in curves):
        own_curves = [c for c in curves if c.strategy == strategy]
        out[strategy] = {"seeds": len(own_curves)}
        for name in own_curves[0].errors:
            areas = np.array([area(c, name) for c in own_curves])
            means = areas[rng.integers(len(areas), size=(2000, len(areas)))].mean(axis=1)
            needed = float(
                np.median(
                    [labels_to_reach(c, name, factor * full[c.seed][name]) for c in own_curves]
                )
            )
            out[strategy][name] = {
                "mean_error": float(np.exp(areas.mean())),
                "interval": [float(np.exp(q)) for q in np.quantile(means, (0.025, 0.975))],
                "labels_to_reach": needed if np.isfinite(needed) else None,
            }
    return out


def _rms(x: Array) -> float:
    return float(np.sqrt(np.mean(np.square(x))))


def _require_labels(pool: DesignMatrix) -> None:
    if not pool.items:
        raise InputError("learn: the pool is empty").on_all_ranks()
    for item in pool.items.values():
        c = item.configuration
        if c.label.energy is None and c.label.forces is None:
            raise InputError(
                f"learn: {c.name or 'a configuration'} has neither energy nor forces; a learning "
                "curve needs a labelled pool"
            ).on_all_ranks()
