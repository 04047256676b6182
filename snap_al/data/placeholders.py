"""Labels that are placeholders: exactly zero or exactly equal, where structures differ and symmetry
does not require it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration
from snap_al.data.neighbours import Neighbours, nearest_distance
from snap_al.data.rows import KindName

Array = NDArray[np.float64]

LOOKED_AT = 60
"""Configurations of a group whose zeros are compared with their symmetry."""

UNEVEN, SHEARED = 1e-2, 3e-5
"""Of the sum of neighbours' weights: a first moment at an atom, and a shear of the cell's second,
that symmetry does not have.
"""


def placeholders(group: Sequence[Configuration]) -> list[tuple[KindName, str]]:
    """Kinds of labels that are placeholders in a group, each with the problem in words."""
    checks = (_zero_forces, _zero_stress, _equal_stress, _no_shear, _equal_energies)
    return [problem for check in checks if (problem := check(group)) is not None]


def _zero_forces(group: Sequence[Configuration]) -> tuple[KindName, str] | None:
    zero = [
        c for c in group if c.label.forces is not None and len(c) > 1 and not np.any(c.label.forces)
    ]
    distorted = [c for c in zero[:LOOKED_AT] if _moments(c)[0] > UNEVEN]
    moving = any(c.label.forces is not None and np.any(c.label.forces) for c in group)
    if len(distorted) < (2 if moving else 1):
        return None
    return "forces", (
        f"forces are exactly zero in {len(distorted)} configurations where symmetry does not ask "
        "for it "
        f"({distorted[0].name}); do they only hold a place? Leave them out, or set fweight: 0"
    )


def _zero_stress(group: Sequence[Configuration]) -> tuple[KindName, str] | None:
    zero = [c for c in _dense(group) if c.label.stress is not None and not np.any(c.label.stress)]
    if len(zero) < 2 or not _differ(zero):
        return None
    return "stress", (
        f"stresses are exactly zero in {len(zero)} configurations that differ ({zero[0].name}); "
        "do they only hold a place? "
        "Leave them out, or set vweight: 0"
    )


def _equal_stress(group: Sequence[Configuration]) -> tuple[KindName, str] | None:
    known = [c for c in group if c.label.stress is not None and np.any(c.label.stress)]
    if len(known) < 3 or not _differ(known):
        return None
    stresses = [c.label.stress for c in known if c.label.stress is not None]
    if any(not np.array_equal(s, stresses[0]) for s in stresses):
        return None
    return (
        "stress",
        f"stresses are exactly the same in {len(known)} configurations that differ "
        f"({known[0].name})",
    )


def _no_shear(group: Sequence[Configuration]) -> tuple[KindName, str] | None:
    """Whether only the diagonal of stresses was given."""
    known = [c for c in _dense(group) if c.label.stress is not None and np.any(c.label.stress[:3])]
    if not known or any(c.label.stress is not None and np.any(c.label.stress[3:]) for c in known):
        return None
    sheared = [c for c in known[:LOOKED_AT] if _moments(c)[1] > SHEARED]
    if len(sheared) < 2:
        return None
    return "stress", (
        f"shear stresses are exactly zero in {len(sheared)} sheared or distorted configurations "
        f"({sheared[0].name}); "
        "was only the diagonal written?"
    )


def _equal_energies(group: Sequence[Configuration]) -> tuple[KindName, str] | None:
    by_species: dict[tuple[str, ...], list[Configuration]] = defaultdict(list)
    for c in group:
        if c.label.energy is not None:
            by_species[c.species].append(c)
    for alike in by_species.values():
        if len(alike) >= 3 and len({c.label.energy for c in alike}) == 1 and _differ(alike):
            return "energy", (
                f"energies are exactly {alike[0].label.energy:g} eV in {len(alike)} "
                "configurations that differ "
                f"({alike[0].name}); do they only hold a place?"
            )
    return None


def _dense(group: Sequence[Configuration]) -> list[Configuration]:
    """Configurations with a volume of their own that is filled with atoms."""
    return [c for c in group if all(c.pbc) and c.volume > 0 and c.volume / len(c) < 200.0]


def _differ(configurations: Sequence[Configuration]) -> bool:
    """Whether any two have other cells or coordinates, by more than rounding."""
    first = configurations[0]
    return any(
        len(c) != len(first)
        or np.abs(c.cell - first.cell).max() > 1e-3
        or np.abs(c.positions - first.positions).max() > 1e-3
        for c in configurations[1:]
    )


def _moments(c: Configuration) -> tuple[float, float]:
    """How uneven the neighbours are: the largest first moment at an atom, and the shear of the
    cell's second moment, as shares of the weights' sum. Both vanish where symmetry lets forces, or
    shear stresses, vanish."""
    if not all(c.pbc) or c.volume <= 0 or len(c) > 300:
        return 0.0, 0.0
    cutoff = 1.5 * nearest_distance(c)
    if not np.isfinite(cutoff):
        return 0.0, 0.0
    pairs = Neighbours.of(c, cutoff)
    weights = ((1 - pairs.distances / cutoff) ** 2)[:, None]
    first = pairs.sums(weights * pairs.bonds) / np.maximum(pairs.sums(weights), 1e-12)
    second = (weights[:, :, None] * pairs.bonds[:, :, None] * pairs.bonds[:, None, :]).sum(
        axis=0
    ) / weights.sum()
    return float(np.abs(first).max()), float(np.abs(second - np.diag(np.diagonal(second))).max())
