"""Whether energies, forces and stresses of related configurations agree, in sign and in unit, by
likelihoods.

Each relation (see `relatives`) says y = x_S / s + x_F / f within the error of the trapezoid rule,
where y is the difference of energies, x_S and x_F are the works of stress and forces, and s and f
are 1 when all labels have the units and signs that they should have. Other values, a sign or a
power of ten, are alternatives. Four facts decide:

- the trapezoid rule's error is a small part of the curvature K along the path. It grows with the
  distance, the faster the more anharmonic the material is (ANHARMONIC, the same for all relations
  of a set); and one relation in ten may be anything, since calculations may differ in more than the
  structure;
- a crystal is stable against small strains and displacements: K > 0, but for one case in seven
(saddles, faults);
- energies of alike cells are converged to about 0.1 meV/atom, stresses to about 3 kbar (a finite
  basis), and different structures of one composition at equal volumes differ by about 0.2 eV/atom;
- no modulus is above three times the bulk modulus of diamond, plus what pressure adds (dB/dp is 4
to 6).

How stresses change with volume is compared with what is usual (`compression`).

An alternative is believed when its likelihood exceeds by TRUSTED both that of the right units and
that of no relation at all between that kind of label and the others. Right units are all factors
within a half decade.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snap_al.data.compression import Compression
from snap_al.data.relatives import Relation

Array = NDArray[np.float64]
TRUSTED = 7.0
"""Logarithm of a ratio of likelihoods: a thousand to one, about the most that a single relation
says.
"""
OTHER_UNITS = 3.0
"""The same for each other factor than -1: they reach over some fourteen decades, and one may fit by
chance.
"""
ANHARMONIC = np.array([0.15, 0.4, 1.0])
"""Share of the curvature that the trapezoid rule may be off by, per strain and displacement in
spacings: an energy's third derivative by a logarithmic strain is some five to ten times its second,
and the rule's error a twelfth of that."""
LEAST_SHARE = 0.01
UNLIKE = 0.1
"""Share of relations that follow no rule: calculations with other settings, or another electronic
state."""
WIDE = 0.1
"""Density of the share that a relation of anything has."""
UNSTABLE = 0.15
BEYOND = 0.02
"""Of moduli that are larger than any."""
CONVERGED = 1e-4
"""eV/atom"""
PULAY = 0.002
"""eV/Å³"""
STRUCTURES = 0.2
"""eV/atom"""
HARDEST = 10.0
"""eV/Å³"""
STABLE_STRAIN, STABLE_SHIFT = 0.3, 0.2
FEWEST_SHIFTS = 3
"""Relations of displaced configurations without which forces are not doubted. Two can mislead for
one reason: at both ends of a path over a barrier, of a stacking fault for example, forces vanish
and energies differ."""
NOTHING = 1e-12
DECADES = 0.0625 * np.arange(-112, 113)


@dataclass(frozen=True)
class Verdict:
    """What a comparison says about the unit and the sign of labels."""

    factor: float
    """Label divided by what it should be: a sign and a power of ten, 1 when nothing is wrong."""
    certainty: float
    """Logarithm of the likelihood ratio of this factor to the right units. When nothing is wrong,
    of the right units to no relation at all."""

    @property
    def wrong(self) -> bool:
        return self.factor != 1.0

    @property
    def certain(self) -> bool:
        return self.certainty > TRUSTED


class Agreement:
    """The agreement of labels in a set of relations.

    kinds: kinds of the labels that these connect.
    """

    def __init__(self, relations: Sequence[Relation]) -> None:
        self._compression = Compression(relations)
        column = lambda name: np.array(  # noqa: E731
            [getattr(r, name) for r in relations], dtype=float
        )
        by_stress = column("stress_work").reshape(-1, 2)
        by_force = column("force_work").reshape(-1, 2)
        self._energy = column("energy")
        self._stress, self._stress_curvature = (
            by_stress.mean(axis=1),
            by_stress[:, 1] - by_stress[:, 0],
        )
        self._force, self._force_curvature = by_force.mean(axis=1), by_force[:, 1] - by_force[:, 0]
        alike = np.array([r.alike for r in relations], dtype=bool)
        self._floor = np.where(
            alike,
            CONVERGED * column("n_atoms") + PULAY * column("volume") * np.abs(column("dilation")),
            STRUCTURES,
        )
        strain, shift = column("strain"), column("shift")
        self._strained, self._shifted = strain > 0, shift > 0
        self._n_displaced = int((shift > strain).sum())
        self._size = strain + shift
        self._numeric = 1e-4 * column("n_atoms")
        with np.errstate(divide="ignore", invalid="ignore"):
            self._modulus = np.where(
                self._strained, self._stress_curvature / (column("volume") * strain**2), 0.0
            )
        self._stable_strain = (
            self._strained & (strain < STABLE_STRAIN) & (column("dilation") < STABLE_STRAIN)
        )
        self._stable_shift = self._shifted & (shift < STABLE_SHIFT)
        self._pressure = column("pressure")

    def verdicts(self) -> dict[str, Verdict]:
        """The verdict for each kind of label that the relations connect. At most one kind is wrong:
        the best explanation."""
        kinds = self._kinds()
        right = self._log_likelihood(*self._grid(kinds, None)).max() if kinds else 0.0
        verdicts = {kind: self._verdict(kind, kinds, float(right)) for kind in kinds}
        wrong = [kind for kind, v in verdicts.items() if v.wrong]
        first = max(
            wrong,
            key=lambda kind: verdicts[kind].certainty - (2.0 if kind == "energy" else 0.0),
            default=None,
        )
        return {
            k: v if k == first or not v.wrong else Verdict(1.0, 0.0) for k, v in verdicts.items()
        }

    def _kinds(self) -> list[str]:
        """Kinds of labels that the relations connect."""
        kinds = [
            kind
            for kind, there in (("stress", self._strained.any()), ("forces", self._shifted.any()))
            if there
        ]
        if kinds and np.isfinite(self._energy).any():
            kinds.append("energy")
        return kinds

    def _verdict(self, kind: str, kinds: Sequence[str], right: float) -> Verdict:
        factors = _alternatives()
        grid = self._grid(kinds, (kind, factors))
        likelihood = self._log_likelihood(*grid).reshape(len(factors), -1).max(axis=1)
        none = [1 / NOTHING, -1 / NOTHING] if kind == "energy" else [NOTHING, -NOTHING]
        unrelated = float(self._log_likelihood(*self._grid(kinds, (kind, np.array(none)))).max())
        likelihood -= np.where(factors == -1.0, 0.0, OTHER_UNITS)
        best = int(np.argmax(likelihood))
        gain = float(likelihood[best]) - right
        enough = kind != "forces" or self._n_displaced >= FEWEST_SHIFTS
        if enough and gain > TRUSTED and float(likelihood[best]) - unrelated > TRUSTED:
            return Verdict(float(factors[best]), gain)
        return Verdict(1.0, right - unrelated)

    def contradicts(self, kind: str, factor: float) -> bool:
        """Whether the relations are explained far better by right units of all labels than by a
        factor on labels of this kind."""
        kinds = self._kinds()
        if kind not in kinds:
            return False
        right = float(self._log_likelihood(*self._grid(kinds, None)).max())
        off = float(self._log_likelihood(*self._grid(kinds, (kind, np.array([factor])))).max())
        return right - off > TRUSTED

    @staticmethod
    def _grid(kinds: Sequence[str], other: tuple[str, Array] | None) -> tuple[Array, Array, Array]:
        """Factors of stress, forces and energies. Those of one kind are as given, the others 1."""
        half: Array = 10.0 ** np.linspace(-0.5, 0.5, 9)
        axes: list[Array] = [
            half if kind in kinds else np.ones(1) for kind in ("stress", "forces")
        ] + [np.ones(1)]
        if other is not None:
            axes[("stress", "forces", "energy").index(other[0])] = other[1]
            if other[0] == "energy":
                axes[0] = axes[1] = np.ones(1)
            stress, forces, energy = np.meshgrid(*axes, indexing="ij")
            first = ("stress", "forces", "energy").index(other[0])
            stress, forces, energy = (np.moveaxis(x, first, 0) for x in (stress, forces, energy))
        else:
            stress, forces, energy = np.meshgrid(*axes, indexing="ij")
        return stress.ravel(), forces.ravel(), energy.ravel()

    def _log_likelihood(self, stress: Array, forces: Array, energy: Array) -> Array:
        """(m,) logarithms of the likelihood of m alternatives, each with three factors."""
        s, f, e = (x[:, None] for x in (stress, forces, energy))
        work = self._stress / s + self._force / f
        curvature = np.abs(self._stress_curvature / s) + np.abs(self._force_curvature / f)
        known = np.isfinite(self._energy)
        total = np.full((len(s), len(ANHARMONIC)), 0.0)
        for n, anharmonic in enumerate(ANHARMONIC):
            share = LEAST_SHARE + anharmonic * self._size
            off = (work - np.nan_to_num(self._energy) / e) / (
                share * curvature + self._floor / np.abs(e)
            )
            density = (1 - UNLIKE) * 0.35 / share * (1 + off**2 / 2) ** -1.5 + UNLIKE * WIDE
            total[:, n] = (np.log(density) * known).sum(axis=1)
        peak = total.max(axis=1)
        log_likelihood = peak + np.log(np.exp(total - peak[:, None]).mean(axis=1))
        log_likelihood += self._compression.log_likelihood(s[:, 0])
        return np.asarray(log_likelihood + self._of_stability(s, f) + self._of_moduli(s))

    def _of_stability(self, s: Array, f: Array) -> Array:
        log_likelihood = np.zeros(len(s))
        for curvature, factor, where in (
            (self._stress_curvature, s, self._stable_strain),
            (self._force_curvature, f, self._stable_shift),
        ):
            known = where & (np.abs(curvature) > self._numeric)
            log_likelihood += (
                known * np.where(curvature / factor > 0, np.log(1 - UNSTABLE), np.log(UNSTABLE))
            ).sum(axis=1)
        return log_likelihood

    def _of_moduli(self, s: Array) -> Array:
        modulus, pressure = np.abs(self._modulus / s), np.abs(self._pressure / s)
        return np.asarray(
            (
                self._stable_strain
                * np.where(modulus > HARDEST + 20 * pressure, np.log(BEYOND), 0.0)
            ).sum(axis=1)
        )


def _alternatives() -> Array:
    sizes = 10.0**DECADES
    return np.concatenate([sizes[np.abs(DECADES) > 0.5], -sizes])
