"""Checks of the signs and units of labels, and of labels that are placeholders.

Nothing is fitted with SNAP, and nothing is compared with a fit to the labels that are checked.
Energies are compared with the work of stresses and forces between strained or displaced relatives
(`agreement`), stresses with the virial of forces that a small potential predicts (`pair_forces`),
and zeros with what symmetry allows. What cannot be checked is reported as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from snap_al.data.agreement import Agreement, Verdict
from snap_al.data.configuration import Configuration
from snap_al.data.labelled import LabelledConfiguration
from snap_al.data.pair_forces import Ratios, compared_with_forces
from snap_al.data.placeholders import placeholders
from snap_al.data.relatives import relations
from snap_al.data.rows import KindName
from snap_al.units import BAR_PER_EV_PER_A3

Array = NDArray[np.float64]

NAMES: dict[KindName, str] = {"energy": "energies", "forces": "forces", "stress": "stresses"}
UNITS: dict[KindName, dict[str, float]] = {
    "stress": {
        "GPa for eV/Å³": BAR_PER_EV_PER_A3 / 1e4,
        "kbar for eV/Å³": BAR_PER_EV_PER_A3 / 1e3,
        "bar for eV/Å³": BAR_PER_EV_PER_A3,
        "kbar for GPa, or bar for MPa": 10.0,
        "bar for kbar": 1e3,
        "bar for GPa": 1e4,
    },
    "forces": {
        "eV/Å for Ry/Bohr": 1 / 25.711,
        "eV/Å for Ha/Bohr": 1 / 51.422,
        "eV/nm for eV/Å": 10.0,
        "meV/Å for eV/Å": 1e3,
    },
    "energy": {
        "eV for Ry": 1 / 13.6057,
        "eV for Ha": 1 / 27.2114,
        "kcal/mol for eV": 23.0605,
        "kJ/mol for eV": 96.4853,
        "meV for eV": 1e3,
    },
}
"""The factor that labels are off by when the first unit is taken for the second."""
NEAR = 0.15
"""Decades between a factor and the unit that is named for it. Factors of energies and stresses are
tried in steps of a sixteenth."""
HALF_DECADE = 0.5
WELL_PREDICTED = 0.7
"""Decades that predictions from forces may be off by: stresses were by up to 0.6, in draws of ten
from potentials of ten other materials."""
PREDICTED_ALONE = 1.25
"""The same, where energies agree with the stresses as they are: forces near zero in relaxed cells
predicted stresses that were off by 1.14. Forces in other units are off by 1.4 or more, but for
eV/nm."""
BY_WORK = (
    "differences of energies between related configurations",
    "the work of forces and stresses between related configurations",
)
"""What labels are compared with: stresses and forces, and energies."""


@dataclass(frozen=True)
class LabelFinding:
    """One problem with the labels of a source."""

    where: str
    """The source or group."""
    kind: KindName
    """Kind of the labels."""
    problem: Literal["sign", "unit", "placeholder", "unknown"]
    """What is wrong. `unknown` means that the check could not decide, which is no fault."""
    text: str
    """The problem in words."""

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


def check_labels(items: Sequence[LabelledConfiguration], where: str = "") -> list[LabelFinding]:
    """Problems with the labels of one source (a deck, or a file), and what could not be checked.

    The cost is bounded: it takes a few seconds, since of large sets only some configurations are
    used.

    where: name of the source.
    """
    groups: dict[str, list[Configuration]] = defaultdict(list)
    for item in items:
        groups[item.group].append(item.configuration)
    findings = [
        LabelFinding(_named(where, name, len(groups)), kind, "placeholder", text)
        for name, group in groups.items()
        for kind, text in placeholders(group)
    ]
    idle = {(f.where, f.kind) for f in findings}
    sound = [
        c
        for name, group in groups.items()
        for c in group
        if not {(_named(where, name, len(groups)), kind) for kind in NAMES} & idle
    ]
    return findings + _signs_and_units(sound, where)


def _named(where: str, group: str, n_groups: int) -> str:
    return ", ".join(
        x for x in (where, f"group {group}" if group and (n_groups > 1 or not where) else "") if x
    )


def _signs_and_units(configurations: Sequence[Configuration], where: str) -> list[LabelFinding]:
    related = relations(configurations)
    agreement = Agreement(related) if related else None
    verdicts = agreement.verdicts() if agreement else {}
    ratios = compared_with_forces(configurations)
    by_work = next(
        ((kind, v.factor, BY_WORK[kind == "energy"]) for kind, v in verdicts.items() if v.wrong),
        None,
    )
    wrong: tuple[str, float, str] | None = _of_forces(ratios)
    if wrong is not None and agreement is not None and agreement.contradicts(wrong[0], wrong[1]):
        wrong = _of_forces_alone(ratios) if wrong[0] == "stress" else None
    if wrong is None or (ratios.energy is None and by_work is not None):
        wrong = by_work
    if wrong is not None:
        kind, factor, against = wrong
        return [_finding(kind, factor, against, where)]  # type: ignore[arg-type]
    return _not_checked(configurations, verdicts, ratios, where)


def _of_forces(ratios: Ratios) -> tuple[KindName, float, str] | None:
    """The kind of label that is wrong. Of three kinds, the two that agree are right. Of two kinds,
    the signs and units of energies are wrong less often than those of stresses, and those of
    stresses less often than those of forces."""
    stress, energy = ratios.stress, ratios.energy
    if _off(stress) and _off(energy):
        assert stress is not None and energy is not None  # noqa: PT018
        if not _off(stress / energy):
            return "forces", 1 / energy, "energies and stresses"
    if _off(stress):
        return "stress", stress or 0.0, "forces"
    if _off(energy):
        kind: KindName = "energy" if stress is not None else "forces"
        return (
            (kind, energy or 0.0, "forces")
            if kind == "energy"
            else (kind, 1 / (energy or 1.0), "energies")
        )
    return None


def _of_forces_alone(ratios: Ratios) -> tuple[KindName, float, str] | None:
    """The case that stresses agree with energies, but not with what forces predict."""
    ratio = ratios.stress or 1.0
    if ratio > 0 and abs(np.log10(ratio)) < PREDICTED_ALONE:
        return None
    return "forces", 1 / ratio, "stresses, which agree with energies,"


def _off(ratio: float | None) -> bool:
    return ratio is not None and (ratio < 0 or abs(np.log10(ratio)) > WELL_PREDICTED)


def _finding(kind: KindName, factor: float, against: str, where: str) -> LabelFinding:
    signs = {
        "stress": (
            "; positive is tension in ASE's files and in eV/Å³, pressure in LAMMPS', VASP's "
            "and FitSNAP's"
        ),
        "forces": "; forces are minus the gradient of the energy",
        "energy": "; a bound state's energy is negative",
    }
    size = abs(np.log10(abs(factor)))
    other_sign = " have the other sign" if factor < 0 else ""
    if size <= HALF_DECADE:
        return LabelFinding(
            where, kind, "sign", f"{NAMES[kind]}{other_sign} than {against} say{signs[kind]}"
        )
    unit = _unit(kind, abs(factor))
    scale = f" are about {10**size:.2g} times {'larger' if abs(factor) > 1 else 'smaller'}"
    both = f"{scale}{', and' + other_sign if other_sign else ''} than {against} say"
    return LabelFinding(where, kind, "unit", f"{NAMES[kind]}{both}{unit}")


def _unit(kind: KindName, factor: float) -> str:
    size = np.log10(factor)
    named = {name: np.log10(f) for name, f in UNITS[kind].items()}
    named |= {
        " for ".join(reversed(name.split(" for "))): -f
        for name, f in named.items()
        if "," not in name
    }
    best = min(named, key=lambda name: abs(named[name] - size))
    if abs(named[best] - size) > NEAR:
        return "; check their unit"
    first, second = best.split(" for ", 1)
    return f", as if {first} were taken for {second}"


def _not_checked(
    configurations: Sequence[Configuration],
    verdicts: dict[str, Verdict],
    ratios: Ratios,
    where: str,
) -> list[LabelFinding]:
    reasons: dict[KindName, str] = {
        "stress": "no strained relatives with energies, and no forces that predict stresses",
        "forces": "no displaced relatives with energies, and no stresses to compare with",
    }
    findings: list[LabelFinding] = []
    for kind, reason in reasons.items():
        if not any(getattr(c.label, kind) is not None for c in configurations):
            continue
        predicted = ratios.stress is not None or (kind == "forces" and ratios.energy is not None)
        if not (predicted or (kind in verdicts and verdicts[kind].certain)):
            findings.append(
                LabelFinding(
                    where, kind, "unknown", f"sign and unit of {NAMES[kind]} not checked: {reason}"
                )
            )
    return findings
