"""When a frame of MD is to be labelled: ours, and the published rules beside which it is measured.

A rule sees one frame of a running session and says whether a label is wanted. All ranks of the
session get the same answer.

novel   largest force std over the tolerance, novel, and to be lowered by a label
        (docs/decisions.md says why)
every   each n-th MD step
std     largest force std over the tolerance; with a committee the rule of DP-GEN: Zhang et al.,
        Phys. Rev. Mater. 3, 023804 (2019)
grade   largest MaxVol γ of the atoms: Podryabinkin, Shapeev, Comput. Mater. Sci. 140, 171 (2017);
        Lysogorskiy et al., Phys. Rev. Mater. 7, 043801 (2023)
flare   largest force std over a multiple of the noise std: Vandermause et al., npj Comput. Mater.
        6, 20 (2020)
hal     largest std_i/(|F_i| + F0): van der Oord et al., npj Comput. Mater. 9, 168 (2023)

The last two were published with Bayesian posteriors without model error (`fit.posterior: bayes`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from snap_al.potential import Monitor
from snap_al.sessions import LammpsSession

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Frame:
    """One frame of a session, at a check, that is not beyond use."""

    session: LammpsSession
    """The LAMMPS session at this step."""
    monitor: Monitor
    """Computes stds of the atoms."""
    step: int
    """MD steps since the protocol began."""
    since: int
    """MD steps since the check before."""
    force_std: float
    """eV/Å, the largest over the atoms."""

    def largest(self, own: Array) -> float:
        """Over the atoms of all ranks; NaN stays NaN: what is not a number must not pass as small.
        Collective.
        """
        return float(np.max(self.session.comm.allgather(own.max() if len(own) else 0.0)))


@dataclass(frozen=True)
class Verdict:
    """What a rule says of a frame."""

    wanted: bool
    """Whether the frame is to be labelled."""
    reason: str = ""
    """The reason, for the log."""
    limited: bool = False
    """Whether the frame is above the tolerance and a label would not help."""


class Rule(Protocol):
    def __call__(self, frame: Frame) -> Verdict:
        """Collective over the frame's session."""
        ...


@dataclass(frozen=True)
class WhenNovel:
    """When the largest force std exceeds tolerance and novelty, and a label would lower it."""

    tolerance: float
    """Tolerance on the largest force std of a frame, eV/Å."""
    novelty: float
    """Largest force std that is usual in the training set, eV/Å."""
    gain: float
    """Share of the force std that a label must take away."""
    weight: float
    """Weight of force rows of the label to come, Å/eV."""

    def __call__(self, frame: Frame) -> Verdict:
        over = frame.force_std > self.tolerance
        wanted = over and frame.force_std > self.novelty and self._gain(frame) > self.gain
        return Verdict(wanted, f"force std {frame.force_std:.3f} eV/Å", limited=over and not wanted)

    def _gain(self, frame: Frame) -> float:
        """All of it when forces are not fitted."""
        if self.weight == 0:
            return 1.0
        after = frame.largest(frame.monitor.force_std_if_labelled(frame.session, self.weight))
        return 1.0 - after / frame.force_std


@dataclass(frozen=True)
class EveryNth:
    """The first frame that is checked in each stretch of `steps` MD steps."""

    steps: int
    """Number of MD steps."""

    def __call__(self, frame: Frame) -> Verdict:
        passed = frame.step // self.steps > (frame.step - frame.since) // self.steps
        return Verdict(passed, f"every {self.steps} steps")


@dataclass(frozen=True)
class WhenUncertain:
    """When the largest force std exceeds a tolerance."""

    tolerance: float
    """Tolerance, eV/Å."""

    def __call__(self, frame: Frame) -> Verdict:
        return Verdict(frame.force_std > self.tolerance, f"force std {frame.force_std:.3f} eV/Å")


@dataclass(frozen=True)
class WhenExtrapolating:
    """When the MaxVol grade of an atom exceeds a limit."""

    shares: Array
    """(n, n); an atom's row times this are the coefficients with which it is a combination of the
    active rows."""
    limit: float
    """Limit on the grade γ."""

    def __call__(self, frame: Frame) -> Verdict:
        grade = frame.largest(frame.monitor.grades(frame.session, self.shares))
        return Verdict(grade > self.limit, f"γ {grade:.2f}")


@dataclass(frozen=True)
class WhenAboveNoise:
    """When the largest force std exceeds a multiple of the noise."""

    noise: float
    """Std of the noise of forces, eV/Å."""
    factor: float
    """Multiple of the noise."""

    def __call__(self, frame: Frame) -> Verdict:
        wanted = frame.force_std > self.factor * self.noise
        return Verdict(wanted, f"force std {frame.force_std:.3f} eV/Å, noise {self.noise:.3f}")


@dataclass(frozen=True)
class WhenRelative:
    """When an atom's force std exceeds a share of its force."""

    ratio: float
    """Limit on std/(|F| + floor)."""
    floor: float
    """Force that is added to the atom's, eV/Å."""

    def __call__(self, frame: Frame) -> Verdict:
        forces = np.linalg.norm(frame.session.forces(), axis=1)
        ratio = frame.largest(frame.monitor.force_std(frame.session) / (forces + self.floor))
        return Verdict(ratio > self.ratio, f"force std {ratio:.2f} of the force")
