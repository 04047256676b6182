"""A fitted potential as an ASE calculator, in memory, with the stds of all that it predicts; and
draws from its posterior.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, CalculatorSetupError, all_changes
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration, Label
from snap_al.data.rows import FORCES, STRESS, kinds_of
from snap_al.descriptors import ConfigurationRows
from snap_al.inference import Posterior
from snap_al.potential.calculator import LammpsCalculator
from snap_al.potential.output import STEM, FittedPotential
from snap_al.sessions import LammpsSession, LammpsSettings, box_of, plain_scratch_folder
from snap_al.units import ASE_STRESS_TO_ROWS

Array = NDArray[np.float64]


def predicted(posterior: Posterior, rows: ConfigurationRows, n: int) -> dict[str, Any]:
    """Of a configuration of n atoms: energy (eV), forces (n, 3) eV/Å, stress (6,) eV/Å³, and
    energy_std, forces_std, stress_std.
    """
    p = posterior.predict(rows.values, kinds=kinds_of(n))
    mean, std = p.mean + rows.reference, p.total_std
    return {
        "energy": float(n * mean[0]),
        "energy_std": float(n * std[0]),
        "forces": mean[FORCES].reshape(n, 3),
        "forces_std": std[FORCES].reshape(n, 3),
        "stress": mean[STRESS] / ASE_STRESS_TO_ROWS,
        "stress_std": std[STRESS] / abs(ASE_STRESS_TO_ROWS),
    }


PLAIN = {"energy", "free_energy", "forces", "stress"}
"""Properties that need no stds."""


class CoefficientsCalculator(LammpsCalculator):
    """A potential with other coefficients, (n_distinct,), by LAMMPS' pair style and without stds.

    LAMMPS reads the coefficients from files, which are written when a session is opened and are
    gone when it has read them.
    """

    def __init__(
        self, potential: FittedPotential, coefficients: Array, lammps: LammpsSettings
    ) -> None:
        reference, model = potential.reference, potential.model
        super().__init__(
            reference.fixes,
            model.elements,
            lammps.arguments,
            max(model.cutoff, reference.longest_cutoff()) + 1.0,
            None if lammps.library is None else str(lammps.library),
            reference.atom_style,
        )
        self._potential, self._coefficients = potential, coefficients

    def stds(self, configuration: Configuration) -> tuple[Array, Array]:
        """(n,) eV/Å and (n,) eV, the stds of forces and energies of atoms that the model's monitor
        finds in the session."""
        monitor = self._potential.model.monitor(self._potential.posterior)
        session = self._placed(configuration, box_of(configuration, vacuum=self._vacuum))
        monitor.attach(session)
        session.command("run 0 post no")
        order = np.argsort(session.atoms()["id"])
        stds = monitor.force_std(session)[order], monitor.energy_std(session)[order]
        monitor.close()
        return stds

    def _setup(self, session: LammpsSession) -> None:
        with plain_scratch_folder() as folder:
            files = Path(folder)
            for ending, text in self._potential.model.files(self._coefficients).items():
                (files / f"{STEM}{ending}").write_text(text, encoding="utf-8")
            session.commands(self._potential.pair_commands(files, session.name_of))
        super()._setup(session)


class SnapCalculator(Calculator):
    """An ASE calculator of a fitted potential, with stds.

    It computes on one rank, in a LAMMPS session that stays open between calls. `results` has energy
    (eV), forces ((n, 3), eV/Å), energies ((n,), eV) and, where the cell has a volume, stress ((6,),
    eV/Å³); and energy_std, forces_std, energies_std and stress_std in the same units and shapes:
    total stds, of a component each.

    Parameters
    ----------
    folder : path, str or FittedPotential
        The folder of a run or a fit, or a potential.
    stds : bool, optional
        False leaves the stds out, which is several times faster: LAMMPS' pair style in place of the
        rows.
    lammps : LammpsSettings, optional
        Which LAMMPS, and its arguments.
    **kwargs
        Of `ase.calculators.calculator.Calculator`.

    Raises
    ------
    InputError
        For a folder without a potential.
    CalculatorSetupError
        When it computes, for an atom of an element that the potential does not have.

    Notes
    -----
    The std of an energy difference, or of whatever else is made of several results, comes from
    `draws`, since errors of one potential go together. A copy or a pickle (`copy.deepcopy`, process
    pools, images of a band) has all but the LAMMPS session, and opens one of its own when it first
    computes something. Its results are the same to the last bit, and so are those of copies of
    draws.

    Examples
    --------
    >>> atoms.calc = sa.SnapCalculator("run")
    >>> atoms.get_potential_energy(), atoms.calc.results["energy_std"]
    """

    implemented_properties = [  # noqa: RUF012 (as ASE has it)
        "energy",
        "free_energy",
        "forces",
        "stress",
        "energies",
        "energy_std",
        "forces_std",
        "stress_std",
        "energies_std",
    ]

    def __init__(
        self,
        folder: Path | str | FittedPotential,
        *,
        stds: bool = True,
        lammps: LammpsSettings | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.potential = (
            folder if isinstance(folder, FittedPotential) else FittedPotential.read(Path(folder))
        )
        self._lammps = lammps or LammpsSettings()
        self._engine = self.potential.engine(self._lammps)
        self._plain = (
            None
            if stds
            else CoefficientsCalculator(self.potential, self.potential.posterior.mean, self._lammps)
        )

    def draws(self, n: int, rng: np.random.Generator) -> list[LammpsCalculator]:
        """Calculators of coefficients drawn from the posterior, without stds of their own.

        A derived quantity's std is that of its values over the draws, each computed with one of
        them from beginning to end. Recalibration, which is by kind of prediction, is not in them.

        Parameters
        ----------
        n : int
            How many.
        rng : numpy.random.Generator
            Where the random numbers come from.

        Returns
        -------
        list of ase.calculators.calculator.Calculator
            Energies in eV, forces in eV/Å, stresses in eV/Å³.
        """
        return [
            CoefficientsCalculator(self.potential, c, self._lammps)
            for c in self.potential.posterior.sample(n, rng)
        ]

    def close(self) -> None:
        """Ends the LAMMPS session; the next calculation opens another."""
        self._engine.close()
        if self._plain is not None:
            self._plain.close()

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        assert self.atoms is not None  # ASE has set it
        if self._plain is not None and set(properties) <= PLAIN:
            self._plain.calculate(self.atoms, properties, all_changes)
            self.results = self._plain.results
            return
        configuration = Configuration.from_atoms(self.atoms, label=Label())
        elements = self.potential.elements
        if unknown := sorted(set(configuration.species) - set(elements)):
            raise CalculatorSetupError(
                f"{', '.join(unknown)}: the potential is for {', '.join(elements)}"
            )
        numbers = np.array([elements.index(symbol) for symbol in configuration.species])
        self.results = self._predicted(
            configuration, numbers, *self._engine.rows_with_atoms(configuration)
        )

    def _predicted(
        self,
        configuration: Configuration,
        elements: NDArray[np.int64],
        rows: ConfigurationRows,
        atoms: Array,
        reference: Array,
    ) -> dict[str, Any]:
        """elements: (n,) numbers of the atoms' elements. atoms: (n, n_distinct) rows of single
        atoms' energies. reference: (n,) eV of the reference potential on them."""
        posterior = self.potential.posterior
        found = predicted(posterior, rows, len(configuration))
        if configuration.volume == 0:
            del found["stress"], found["stress_std"]
        return {
            **found,
            "free_energy": found["energy"],
            "energies": posterior.mean_of(atoms) + reference,
            "energies_std": posterior.atom_energy_std(atoms, elements),
        }
