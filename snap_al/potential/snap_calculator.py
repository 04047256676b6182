"""A fitted potential as an ASE calculator, in memory, with the stds of all that it predicts; and draws from its posterior."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, CalculatorSetupError, all_changes
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration
from snap_al.descriptors import ConfigurationRows, DescriptorEngine, Kind
from snap_al.fit import Posterior, row_std
from snap_al.potential.calculator import LammpsCalculator
from snap_al.potential.files import pair_commands, snapcoeff, snapparam
from snap_al.potential.output import FittedPotential
from snap_al.sessions import LammpsSettings, plain_scratch_folder
from snap_al.units import ASE_STRESS_TO_ROWS

Array = NDArray[np.float64]


def predicted(posterior: Posterior, rows: ConfigurationRows, n: int) -> dict[str, Any]:
    """Of a configuration of n atoms: energy (eV), forces (n, 3) eV/Å, stress (6,) eV/Å³, and energy_std, forces_std, stress_std."""
    kinds = np.repeat(np.array([Kind.ENERGY, Kind.FORCE, Kind.STRESS], dtype=np.int8), [1, 3 * n, 6])
    p = posterior.predict(rows.values, kinds=kinds)
    mean, std = p.mean + rows.reference, p.total_std
    return {
        "energy": float(n * mean[0]), "energy_std": float(n * std[0]),
        "forces": mean[1:-6].reshape(n, 3), "forces_std": std[1:-6].reshape(n, 3),
        "stress": mean[-6:] / ASE_STRESS_TO_ROWS, "stress_std": std[-6:] / abs(ASE_STRESS_TO_ROWS),
    }  # fmt: skip


class SnapCalculator(Calculator):
    """The potential that `snap-al run` or `snap-al fit` left in a folder. One rank; LAMMPS stays open between calls.

    folder: with potential files and posterior, or a FittedPotential. stds: False leaves them out, which is several times
    faster: LAMMPS' pair style in place of the rows. lammps: which LAMMPS, and its arguments.

    results: energy (eV), forces (n, 3) eV/Å, energies (n,) eV, stress (6,) eV/Å³ where the cell has a volume; energy_std,
    forces_std, energies_std, stress_std in the same units and shapes: total stds, of a component each. Stds of an energy
    difference, or of whatever else is made of several results, come from `draws`: errors of one potential go together.
    Raises InputError for a folder without a potential, CalculatorSetupError for an atom of an element that it does not have.
    """

    implemented_properties = [  # noqa: RUF012 (as ASE has it)
        "energy", "free_energy", "forces", "stress", "energies", "energy_std", "forces_std", "stress_std", "energies_std",
    ]  # fmt: skip

    def __init__(
        self, folder: Path | str | FittedPotential, *, stds: bool = True, lammps: LammpsSettings | None = None, **kwargs: Any
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.potential = folder if isinstance(folder, FittedPotential) else FittedPotential.read(Path(folder))
        self._lammps = lammps or LammpsSettings()
        self._engine = DescriptorEngine(self.potential.settings, self.potential.reference, self._lammps)
        self._files = plain_scratch_folder()
        self._plain = None if stds else self._with(self.potential.posterior.mean, "mean")

    def draws(self, n: int, rng: np.random.Generator) -> list[LammpsCalculator]:
        """Calculators (n) of coefficients drawn from the posterior, model error and all, without stds of their own.

        A derived quantity's std is that of its values over the draws, each computed with one of them from beginning to end.
        They need this calculator's scratch files: keep it as long. Recalibration, which is by kind of prediction, is not in them.
        """
        return [self._with(c, f"draw{k}") for k, c in enumerate(self.potential.posterior.sample(n, rng))]

    def close(self) -> None:
        """Ends the LAMMPS session; the next calculation opens another."""
        self._engine.close()
        if self._plain is not None:
            self._plain.close()

    def calculate(
        self, atoms: Atoms | None = None, properties: Sequence[str] = ("energy",), system_changes: Sequence[str] = all_changes
    ) -> None:  # fmt: skip
        super().calculate(atoms, properties, system_changes)
        if self._plain is not None and not set(properties) - {"energy", "free_energy", "forces", "stress"}:
            self._plain.calculate(self.atoms, properties, all_changes)
            self.results = self._plain.results
            return
        configuration, elements = Configuration.from_atoms(self.atoms), self.potential.settings.elements
        if unknown := sorted(set(configuration.species) - set(elements)):
            raise CalculatorSetupError(f"{', '.join(unknown)}: the potential is for {', '.join(elements)}")
        self.results = self._predicted(configuration, *self._engine.rows_with_atoms(configuration))

    def _predicted(
        self, configuration: Configuration, rows: ConfigurationRows, atoms: Array, reference: Array
    ) -> dict[str, Any]:
        """atoms: (n, n_distinct) rows of single atoms' energies. reference: (n,) eV of the reference potential on them."""
        posterior = self.potential.posterior
        found = predicted(posterior, rows, len(configuration))
        if configuration.volume == 0:
            del found["stress"], found["stress_std"]
        return {
            **found, "free_energy": found["energy"], "energies": atoms @ posterior.mean + reference,
            "energies_std": posterior.recalibration[0] * row_std(atoms, posterior.covariance),
        }  # fmt: skip

    def _with(self, coefficients: Array, stem: str) -> LammpsCalculator:
        """Other coefficients in this potential."""
        settings, given, folder = self.potential.settings, self.potential.reference, Path(self._files.name)
        coeff, param = (folder / f"{stem}.{ending}" for ending in ("snapcoeff", "snapparam"))
        coeff.write_text(snapcoeff(settings, coefficients), encoding="utf-8")
        param.write_text(snapparam(settings), encoding="utf-8")
        for path in given.files():
            shutil.copyfile(path, folder / path.name)
        reference = replace(given.beside(), folder=folder)
        longest = max(settings.max_cutoff, reference.longest_cutoff())
        return LammpsCalculator(
            [*pair_commands(settings, reference, str(coeff), str(param), str), *reference.fixes], settings.elements, self._lammps.arguments, longest + 1.0,
            None if self._lammps.library is None else str(self._lammps.library), reference.atom_style,
        )  # fmt: skip
