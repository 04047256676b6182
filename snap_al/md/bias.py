"""Biased exploration: MD pulled toward what the potential does not know, with a bias that is a set
share of the forces.

    bias energy   -λ sqrt(Σ_i var(E_i))   or   -λ Σ_i var(E_i)
    τ = <|F_bias|> / <|F|>, kept by λ

The variance is the quadratic SNAP beside the potential, added by `pair_style hybrid/scaled`
(https://docs.lammps.org/pair_hybrid.html). Hyperactive learning: van der Oord et al., npj Comput.
Mater. 9, 168 (2023).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from snap_al.errors import InputError
from snap_al.md.settings import BiasSettings
from snap_al.potential import STEM, FittedPotential, Monitor, Snap
from snap_al.sessions import LammpsSession, NameOf

MOST_GROWTH = 2.0
"""Of λ from one check to the next; it falls as far as it has to at once."""


@dataclass
class Bias:
    """The bias of one segment."""

    settings: BiasSettings
    """The bias that the config asks for."""
    strength: float = 0.0
    """Strength λ: without a unit for `of: std`, 1/eV for `of: variance`."""

    def pair_commands(
        self, potential: FittedPotential, files: Path, name_of: NameOf = str
    ) -> list[str]:
        """LAMMPS lines for the potential, its reference potential, and the bias. name_of: for
        files. Raises InputError without a variance file."""
        reference, elements, model = potential.reference, potential.elements, potential.model
        if not isinstance(model, Snap) or model.settings.quadraticflag:
            raise InputError(
                f"explore.bias: {model.described()} has no variance that LAMMPS could compute; "
                "take linear SNAP"
            )
        styles = [*reference.styles, "snap"]
        tails = [
            f"{name_of(files / f'{stem}.snapcoeff')} {name_of(files / f'{stem}.snapparam')} "
            f"{' '.join(elements)}"
            for stem in (STEM, f"{STEM}_variance")
        ]

        per_sum = "*(f_snap_al_sum>0)/sqrt(f_snap_al_sum+(f_snap_al_sum<=0))"
        factor = (
            f"-0.5*v_snap_al_strength{per_sum}"
            if self.settings.of == "std"
            else "-v_snap_al_strength"
        )
        return [
            "variable snap_al_one equal 1.0",
            "variable snap_al_strength equal 0.0",
            f"variable snap_al_bias equal {factor}",
            f"pair_style hybrid/scaled {' '.join(f'v_snap_al_one {style}' for style in styles)} "
            "v_snap_al_bias snap",
            *reference.coefficient_lines(name_of),
            f"pair_coeff * * snap 1 {tails[0]}",
            f"pair_coeff * * snap 2 {tails[1]}",
            "compute snap_al_variance all pair snap 2",
            "fix snap_al_sum all ave/time 1 1 1 c_snap_al_variance",
        ]

    def begin(self, session: LammpsSession, monitor: Monitor) -> None:
        """λ from the first frame: its bias force at λ = 1. Collective."""
        self._set(session, 1.0)
        session.commands(
            ["run 0 post no", "run 0 post no"]
        )  # the factor takes the sum of the evaluation before
        share = self._share(session, monitor)
        self._set(session, self.settings.tau / share if share > 0 else 0.0)

    def steer(self, session: LammpsSession, monitor: Monitor) -> None:
        """Collective. Acts from the next step."""
        share = self._share(session, monitor)
        if share > 0:
            self._set(session, self.strength * min(self.settings.tau / share, MOST_GROWTH))

    def _set(self, session: LammpsSession, strength: float) -> None:
        self.strength = strength
        session.command(f"variable snap_al_strength equal {strength!r}")

    def _share(self, session: LammpsSession, monitor: Monitor) -> float:
        """<|F_bias|>/<|F|>; what a reference potential adds counts as bias, which can only make the
        bias smaller.
        """
        own = monitor.forces(session)
        sums = np.array(
            [
                np.linalg.norm(session.forces() - own, axis=1).sum(),
                np.linalg.norm(own, axis=1).sum(),
            ]
        )
        bias, force = np.sum(session.comm.allgather(sums), axis=0)
        return float(bias / force) if force > 0 else 0.0
