"""Stresses and energies that labels should have, predicted by a small potential that is fitted to
the forces alone.

Forces and stress are derivatives of one energy. A potential that predicts the forces of
configurations that it was not fitted to therefore also predicts their virial, except for terms that
depend on volume alone: deviatoric stresses are compared. It predicts their energies, except for a
constant of each composition and cell: differences at equal cells are compared. Configurations need
not be related, so that a liquid can be checked as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration
from snap_al.data.neighbours import nearest_distance
from snap_al.data.pair_potential import CUTOFF, Terms, terms_of

Array = NDArray[np.float64]

RIDGE = 1e-4
MOST_ATOMS, MOST_CONFIGURATIONS = 1200, 24
FEWEST = 4
PREDICTED = 0.5
"""Share of the squared forces of a configuration that must be predicted without it."""
NO_UNIT = 10**7.5
"""No wrong unit changes labels by so much. Stresses that are so small are rounding errors, in cells
that were relaxed.
"""
FEWEST_STRESSES = 5
"""Number of configurations. In draws of ten from potentials of ten other materials, stresses that
were predicted for four configurations were off by up to 0.9 decades, and for five by up to 0.5."""
CORRELATED = 0.6
"""Smallest correlation of the five deviatoric components of at least FEWEST_STRESSES
configurations."""
CORRELATED_ENERGIES = 0.95
"""Smallest correlation of at least four differences. Numbers without relation reach it in one of a
hundred cases."""


@dataclass(frozen=True)
class Ratios:
    """Labels divided by the values that the forces predict: near 1, or near another factor and
    sign. None where the forces predict nothing."""

    stress: float | None = None
    """Ratio of the stresses."""
    energy: float | None = None
    """Ratio of the energies."""


def compared_with_forces(configurations: Sequence[Configuration]) -> Ratios:
    """Ratios of labels to predictions. There are none when there are too few configurations, when
    symmetry lets forces vanish, or when the small potential cannot predict the forces."""
    chosen = _affordable(configurations)
    if len(chosen) < FEWEST:
        return Ratios()
    elements = sorted({s for c in chosen for s in c.species})
    cutoff = CUTOFF * float(np.median([nearest_distance(c) for c in chosen]))
    if not np.isfinite(cutoff):
        return Ratios()
    usable = [t for t in (terms_of(c, elements, cutoff) for c in chosen) if not t.symmetric]
    if len(usable) < FEWEST:
        return Ratios()
    known, together = _predicted(usable)
    return Ratios(_of_stresses(known), _of_energies([t for t, _ in known], together))


def _affordable(configurations: Sequence[Configuration]) -> list[Configuration]:
    fit = [
        c
        for c in configurations
        if all(c.pbc) and c.core is None and c.volume > 0 and 1 < len(c) <= MOST_ATOMS // FEWEST
        if c.label.forces is not None and np.any(c.label.forces)
    ]
    step = max(1.0, len(fit) / MOST_CONFIGURATIONS)
    chosen: list[Configuration] = []
    for c in (fit[int(k * step)] for k in range(min(len(fit), MOST_CONFIGURATIONS))):
        if sum(map(len, chosen)) + len(c) <= MOST_ATOMS:
            chosen.append(c)
    return chosen


def _predicted(usable: Sequence[Terms]) -> tuple[list[tuple[Terms, Array]], Array]:
    """Configurations whose forces are predicted by a fit to the others, each with the coefficients
    of that fit, and the coefficients of a fit to all."""
    targets = [
        t.configuration.label.forces.ravel()
        for t in usable
        if t.configuration.label.forces is not None
    ]
    typical = float(np.median([np.sqrt(np.mean(t**2)) for t in targets]))
    scales = [1 / ((np.sqrt(np.mean(t**2)) + 0.3 * typical) * np.sqrt(len(t))) for t in targets]
    rows = [t.forces.reshape(len(t.forces), -1).T * s for t, s in zip(usable, scales, strict=True)]
    targets = [t * s for t, s in zip(targets, scales, strict=True)]
    gram = np.array([a.T @ a for a in rows])
    right = np.array([a.T @ t for a, t in zip(rows, targets, strict=True)])
    size = np.sqrt(np.maximum(np.diagonal(gram.sum(axis=0)), 1e-300))

    def fitted(gram: Array, right: Array) -> Array:
        ridged = gram / np.outer(size, size) + RIDGE * np.eye(len(size))
        return np.asarray(np.linalg.solve(ridged, right / size) / size)

    predicted = []
    for n, terms in enumerate(usable):
        coefficients = fitted(gram.sum(axis=0) - gram[n], right.sum(axis=0) - right[n])
        left = np.sum((targets[n] - rows[n] @ coefficients) ** 2)
        if left < (1 - PREDICTED) * np.sum(targets[n] ** 2):
            predicted.append((terms, coefficients))
    return predicted, fitted(gram.sum(axis=0), right.sum(axis=0))


def _of_stresses(known: Sequence[tuple[Terms, Array]]) -> float | None:
    """The ratio of the deviatoric parts; all configurations have the same weight."""
    pairs = [
        (t.configuration.label.stress, x @ t.stresses)
        for t, x in known
        if t.configuration.label.stress is not None
    ]
    if len(pairs) < FEWEST_STRESSES:
        return None
    given, predicted = (_deviatoric(np.array([pair[k] for pair in pairs])) for k in (0, 1))
    sizes = (given**2).sum(axis=1)
    weights = 1 / np.sqrt(sizes + 0.3 * np.median(sizes) + 1e-300)[:, None]
    return _ratio(given * weights, predicted * weights, CORRELATED)


def _of_energies(known: Sequence[Terms], coefficients: Array) -> float | None:
    """The ratio of differences between configurations with the same species and the same cell."""
    alike: dict[tuple[tuple[str, ...], bytes], list[tuple[float, float]]] = defaultdict(list)
    for t in known:
        c = t.configuration
        if c.label.energy is not None:
            alike[c.species, np.round(c.cell, 3).tobytes()].append(
                (c.label.energy, float(coefficients @ t.energies))
            )
    centred = [np.array(e) - np.mean(e, axis=0) for e in alike.values()]
    if sum(len(e) - 1 for e in centred) < FEWEST:
        return None
    both = np.concatenate(centred)
    return _ratio(both[:, 0], both[:, 1], CORRELATED_ENERGIES)


def _ratio(given: Array, predicted: Array, correlated: float) -> float | None:
    norms = float(np.sqrt((given**2).sum())), float(np.sqrt((predicted**2).sum()))
    if (
        min(norms) == 0
        or abs(correlation := float((given * predicted).sum()) / (norms[0] * norms[1])) < correlated
    ):
        return None
    if not 1 / NO_UNIT < norms[0] / norms[1] < NO_UNIT:
        return None
    return float(np.sign(correlation)) * norms[0] / norms[1]


def _deviatoric(stresses: Array) -> Array:
    deviatoric = stresses.copy()
    deviatoric[:, :3] -= stresses[:, :3].mean(axis=1)[:, None]
    deviatoric[:, 3:] *= np.sqrt(2)
    return deviatoric
