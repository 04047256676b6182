"""Stress labels in another unit, or of another sign, than was said: found out from what energies and forces predict."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snap_al.descriptors import Kind
from snap_al.uncertainty import Evaluated
from snap_al.units import BAR_PER_EV_PER_A3

Array = NDArray[np.float64]
UNITS = {"kbar": 1e3, "GPa": 1e4, "eV/Å³": BAR_PER_EV_PER_A3}
"""bar per unit."""
TOO_SMALL = 30.0
"""bar; stresses of a training set that are all smaller are in larger units, or of a relaxed cell that says nothing."""
TRUSTED_CORRELATION = 0.5
DECADES = 0.6
NEAR = 0.5
"""Decades between a ratio and the unit that would explain it."""


def suspicious_stress(rows: Evaluated, groups: list[str]) -> list[str]:
    """One sentence for each group whose stress labels correlate with the fit's stress and are far larger or smaller, or of
    the other sign; it names the unit that would
    explain it. Groups whose stress the fit has followed agree, of course."""
    found = []
    for number, group in enumerate(groups):
        here = (rows.groups == number) & (rows.kinds == Kind.STRESS) & ~rows.vanishing
        labels, predictions = rows.targets[here], rows.mean[here]
        if here.sum() >= 6 and (text := _suspicion(labels, predictions)):
            found.append(
                f"group {group}: stress labels (largest {np.abs(labels).max():.3g} bar as they are read) {text}"
            )
    return found


def _suspicion(labels: Array, predictions: Array) -> str:
    """predictions and labels: (m,) bar, without the reference potential."""
    size = float(np.sqrt(np.mean(labels**2)))
    expected = float(np.sqrt(np.mean(predictions**2)))
    if size == 0 or expected == 0:
        return ""
    correlation = float(labels @ predictions / (len(labels) * size * expected))
    decades = np.log10(expected / size)
    if abs(correlation) > TRUSTED_CORRELATION and abs(decades) > DECADES:
        ratio, how = 10.0 ** abs(decades), "smaller" if decades > 0 else "larger"
        unit = min(UNITS, key=lambda name: abs(np.log10(UNITS[name]) - abs(decades)))
        near = abs(np.log10(UNITS[unit]) - abs(decades)) < NEAR
        taken = f", as if {unit} were taken for bar" if decades > 0 else f", as if bar were taken for {unit}"
        return f"are {ratio:.2g} times {how} than energies and forces say{taken if near else ''}"
    if correlation < -TRUSTED_CORRELATION:
        return "have the other sign than energies and forces say; positive is pressure, as LAMMPS has it"
    if np.abs(labels).max() < TOO_SMALL and expected > 100.0 * TOO_SMALL:
        return "are hardly more than nothing; are they in bar?"
    return ""
