"""Writing a fitted potential's files into a folder, each of them whole or not there; and reading
them back.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from snap_al.data.json_text import read_json
from snap_al.data.output_names import OWN_FILES, OWN_FOLDERS, files_of_a_potential
from snap_al.data.storage import LARGEST_TEXT, require_regular_file, write_atomically
from snap_al.descriptors import Columns, ReferencePotential, SnapSettings
from snap_al.errors import InputError
from snap_al.inference import Posterior
from snap_al.potential.files import mod, pair_commands, snapcoeff, snapparam
from snap_al.potential.variance import MOST_COMPONENTS, std_mod, variance_snapcoeff
from snap_al.sessions import NameOf

STEM = "potential"


def stem_in(folder: Path) -> str:
    """The name that a fitted potential's files have there. Raises InputError when it is not one
    name.
    """
    stems = [p.stem for p in folder.glob("*.snapparam") if not p.stem.endswith("_variance")]
    if len(stems) != 1:
        raise InputError(
            f"{folder}: holds {len(stems)} potentials "
            f"({', '.join(sorted(stems)) or 'no .snapparam'}), not one"
        )
    return stems[0]


@dataclass(frozen=True)
class FittedPotential:
    """Everything that predicting needs: descriptors, reference potential, posterior."""

    settings: SnapSettings
    reference: ReferencePotential
    posterior: Posterior

    def write(self, folder: Path, stem: str = STEM) -> None:
        """snapcoeff, snapparam, mod, variance and std beside them (linear SNAP only), and
        posterior.npz with descriptor.json; and the files that the reference potential's pair_coeff
        lines name."""
        write_atomically(
            folder / f"{stem}.snapcoeff", snapcoeff(self.settings, self.posterior.mean)
        )
        write_atomically(folder / f"{stem}.snapparam", snapparam(self.settings))
        write_atomically(folder / f"{stem}.mod", mod(self.settings, self.reference.beside(), stem))
        if (
            not self.settings.quadraticflag
        ):  # the variance of quadratic SNAP is of fourth order in B
            write_atomically(
                folder / f"{stem}_variance.snapcoeff",
                variance_snapcoeff(self.settings, self.posterior),
            )
            write_atomically(
                folder / f"{stem}_variance.snapparam", snapparam(self.settings, quadratic=True)
            )
            if Columns.of(self.settings).n_components <= MOST_COMPONENTS:
                write_atomically(folder / f"{stem}_std.mod", std_mod(self.settings, self.posterior))
        check_beside(self.reference, stem)
        for path in self.reference.files():
            _copied(path, folder)
        description = {
            "descriptor": self.settings.model_dump(mode="json"),
            "reference": self.reference.stored(),
        }
        write_atomically(folder / "descriptor.json", json.dumps(description, indent=1) + "\n")
        write_atomically(folder / "posterior.npz", self.posterior.to_bytes())

    def pair_commands(self, folder: Path, name_of: NameOf = str) -> list[str]:
        """LAMMPS lines for the files that `write` left there as STEM. name_of: what LAMMPS reads
        each by.
        """
        coeff, param = (
            name_of(folder / f"{STEM}.{ending}") for ending in ("snapcoeff", "snapparam")
        )
        return pair_commands(self.settings, self.reference, coeff, param, name_of)

    @classmethod
    def read(cls, folder: Path | str) -> FittedPotential:
        """Nothing of it is executed. Raises InputError when the folder does not hold what `write`
        leaves.
        """
        folder = Path(folder)
        path = folder / "descriptor.json"
        try:
            settings, reference = _described(path)
            data = require_regular_file(folder / "posterior.npz").read_bytes()
        except FileNotFoundError as error:
            raise InputError(
                f"{folder}: no fitted potential here: {error.filename} is missing"
            ) from error
        try:
            posterior = Posterior.from_bytes(data)
        except InputError as error:
            raise InputError(f"{folder / 'posterior.npz'}: {error}") from error
        n = Columns.of(settings).n_distinct
        if len(posterior.atom_reference) not in (0, len(settings.elements)):
            raise InputError(
                f"{folder}: posterior.npz has references of {len(posterior.atom_reference)} "
                "elements, and "
                f"descriptor.json {len(settings.elements)}"
            )
        if len(posterior.mean) != n:
            raise InputError(
                f"{folder}: posterior.npz has {len(posterior.mean)} coefficients, and "
                f"descriptor.json makes {n}"
            )
        return cls(settings, reference, posterior)


def _described(path: Path) -> tuple[SnapSettings, ReferencePotential]:
    """What descriptor.json says. Raises InputError, or FileNotFoundError."""
    try:
        description = read_json(require_regular_file(path, LARGEST_TEXT).read_bytes())
        if not isinstance(description, dict) or not all(
            isinstance(description.get(name), dict) for name in ("descriptor", "reference")
        ):
            raise InputError("expected descriptor and reference")
        described = description["descriptor"]
        if not described.get("chemflag"):  # 0.1.0 kept a flag that changes nothing without
            described["wselfallflag"] = False
        return (
            SnapSettings.model_validate(described),
            ReferencePotential.restored(description["reference"], path.parent.absolute()),
        )
    except (InputError, ValueError, ValidationError) as error:
        raise InputError(f"{path}: not written by snap_al: {error}") from error


def check_beside(reference: ReferencePotential, stem: str = STEM) -> None:
    """Raises InputError when a file of the reference potential cannot lie beside the fitted
    potential: its name is one of those that are written there."""
    reference.beside()
    taken = {name.lower() for name in files_of_a_potential(stem)} | OWN_FILES | OWN_FOLDERS
    for path in reference.files():
        if path.name.lower() in taken:
            raise InputError(
                f"reference: {path}: is copied beside the fitted potential, where this name is "
                "one of its own; rename the file"
            )


def _copied(path: Path, folder: Path) -> None:
    """A reference potential's file beside the potential."""
    target = folder / path.name
    if not (target.exists() and target.samefile(path)):
        write_atomically(target, require_regular_file(path).read_bytes())
