"""Whether a label is plausible: its energy and forces are compared with earlier labels, and its
stress with its energies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from ase.units import GPa

from snap_al.data.configuration import Configuration, Label
from snap_al.label.settings import LabelChecks

STRAIN, STRETCH = 0.004, 1.02
"""Strain of the finite difference, and factor on the cell's vectors before it, so that there is a
stress whose sign can be checked."""
CLOSE, SAME_SIZE = 0.05, 0.5
"""Shares of the derivative by which a stress may differ from it without a remark, and at all. With
a basis that changes with the cell (plane waves up to a cut-off), the stress differs from the
derivative of the energies (Pulay)."""


class KnownEnergies:
    """Energies per atom of earlier labels, after an energy of each element is subtracted."""

    def __init__(self) -> None:
        self._compositions: list[dict[str, float]] = []
        self._energies: list[float] = []

    def add(self, configuration: Configuration, label: Label) -> None:
        if label.energy is not None:
            self._compositions.append(_composition(configuration))
            self._energies.append(label.energy / len(configuration))

    def away(self, configuration: Configuration, energy: float) -> float:
        """eV/atom by which `energy` (eV) is outside the range of earlier energies; 0 when there are
        none, or none of these elements."""
        asked = _composition(configuration)
        elements = sorted({e for c in self._compositions for e in c})
        if not set(asked) <= set(elements):
            return 0.0
        shares = np.array([[c.get(e, 0.0) for e in elements] for c in self._compositions])
        energies = np.linalg.lstsq(shares, np.array(self._energies), rcond=None)[0]
        known = np.array(self._energies) - shares @ energies
        excess = energy / len(configuration) - float(
            np.array([asked.get(e, 0.0) for e in elements]) @ energies
        )
        return float(max(excess - known.max(), known.min() - excess, 0.0))


def implausible(
    configuration: Configuration, label: Label, known: KnownEnergies, limits: LabelChecks
) -> str:
    """Why a label is not plausible; "" when it is."""
    if limits.max_force is not None and label.forces is not None:
        largest = float(np.linalg.norm(label.forces, axis=1).max())
        if largest > limits.max_force:
            return (
                f"largest force {largest:.3g} eV/Å, above label.checks.max_force = "
                f"{limits.max_force:g}"
            )
    if limits.energy_window is not None and label.energy is not None:
        away = known.away(configuration, label.energy)
        if away > limits.energy_window:
            return (
                f"energy {label.energy / len(configuration):.6g} eV/atom, {away:.3g} outside the "
                "range of the labels so far: above "
                f"label.checks.energy_window = {limits.energy_window:g}; another cell charge, "
                "pseudopotential or unconverged state?"
            )
    return ""


def strained(configuration: Configuration) -> tuple[Configuration, Configuration, Configuration]:
    """The structure under a small expansion, and the same with a strain of ± STRAIN along each
    axis."""
    scales = [STRETCH * (1.0 + s) for s in (0.0, STRAIN, -STRAIN)]
    return tuple(_scaled(configuration, s) for s in scales)  # type: ignore[return-value]


def stress_derivative(configuration: Configuration, up: Label, down: Label) -> float:
    """(1/3V) dE/dε, eV/Å³, for a strain ε along each axis, from the energies at ± STRAIN: what the
    mean of the diagonal of the stress of `configuration` should be."""
    assert up.energy is not None
    assert down.energy is not None
    return (up.energy - down.energy) / (6.0 * STRAIN * configuration.volume)


def stress_verdict(label: float, derivative: float) -> tuple[bool, str]:
    """Whether the stress can be used, and the reason in words."""
    off = abs(label - derivative)
    if off <= CLOSE * abs(derivative):
        return True, "they agree"
    if off <= SAME_SIZE * abs(derivative):
        return (
            True,
            f"they differ by {off / GPa:.2g} GPa: Pulay stress? a larger cut-off, or vweight: 0, "
            "would keep it out of the fit",
        )
    why = (
        "it has the other sign"
        if label * derivative < 0
        else "another unit, or a basis far from converged"
    )
    return (
        False,
        f"the labeler's stress is {label:.4g} eV/Å³ where its energies' derivative with strain is "
        f"{derivative:.4g}: {why}",
    )


def _scaled(c: Configuration, factor: float) -> Configuration:
    return replace(c, cell=c.cell * factor, positions=c.positions * factor)


def _composition(c: Configuration) -> dict[str, float]:
    return {e: c.species.count(e) / len(c) for e in dict.fromkeys(c.species)}
