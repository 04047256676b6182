"""Writing a fitted potential's files into a folder, each of them whole or not there; and reading them back."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import ValidationError

from snap_al.data.storage import LARGEST_TEXT, require_regular_file, write_atomically
from snap_al.descriptors import Columns, ReferencePotential, SnapSettings
from snap_al.errors import InputError
from snap_al.fit import Posterior
from snap_al.potential.files import mod, pair_commands, snapcoeff, snapparam
from snap_al.potential.variance import MOST_COMPONENTS, std_mod, variance_snapcoeff

STEM = "potential"


def stem_in(folder: Path) -> str:
    """The name that a fitted potential's files have there. Raises InputError when it is not one name."""
    stems = [p.stem for p in folder.glob("*.snapparam") if not p.stem.endswith("_variance")]
    if len(stems) != 1:
        raise InputError(
            f"{folder}: holds {len(stems)} potentials ({', '.join(sorted(stems)) or 'no .snapparam'}), not one"
        )
    return stems[0]


@dataclass(frozen=True)
class FittedPotential:
    """Everything that predicting needs: descriptors, reference potential, posterior."""

    settings: SnapSettings
    reference: ReferencePotential
    posterior: Posterior

    def write(self, folder: Path, stem: str = STEM) -> None:
        """snapcoeff, snapparam, mod, variance and std beside them (linear SNAP only), and posterior.npz with descriptor.json."""
        write_atomically(folder / f"{stem}.snapcoeff", snapcoeff(self.settings, self.posterior.mean))
        write_atomically(folder / f"{stem}.snapparam", snapparam(self.settings))
        write_atomically(folder / f"{stem}.mod", mod(self.settings, self.reference, stem))
        if not self.settings.quadraticflag:  # the variance of quadratic SNAP is of fourth order in B
            write_atomically(folder / f"{stem}_variance.snapcoeff", variance_snapcoeff(self.settings, self.posterior))
            write_atomically(folder / f"{stem}_variance.snapparam", snapparam(self.settings, quadratic=True))
            if Columns.of(self.settings).n_components <= MOST_COMPONENTS:
                write_atomically(folder / f"{stem}_std.mod", std_mod(self.settings, self.posterior))
        description = {
            "descriptor": self.settings.model_dump(mode="json"),
            "reference": asdict(self.reference),
        }
        write_atomically(folder / "descriptor.json", json.dumps(description, indent=1) + "\n")
        write_atomically(folder / "posterior.npz", self.posterior.to_bytes())

    def pair_commands(self, folder: Path, stem: str = STEM) -> list[str]:
        """LAMMPS lines for the files that `write` left there."""
        return pair_commands(
            self.settings, self.reference, f'"{folder / stem}.snapcoeff"', f'"{folder / stem}.snapparam"'
        )

    @classmethod
    def read(cls, folder: Path | str) -> FittedPotential:
        """Raises InputError when the folder does not hold what `write` leaves."""
        folder = Path(folder)
        try:
            described_by = require_regular_file(folder / "descriptor.json", LARGEST_TEXT)
            description = json.loads(described_by.read_text())
            described = description["descriptor"]
            if not described.get("chemflag"):  # 0.1.0 kept a flag that changes nothing without
                described["wselfallflag"] = False
            settings = SnapSettings(**described)
            stored = description["reference"]
            coefficients = tuple(tuple(c) for c in stored["coefficients"])
            reference = ReferencePotential(
                tuple(stored["styles"]), coefficients, stored["atom_style"], tuple(stored["fixes"])
            )
            posterior = Posterior.from_bytes(require_regular_file(folder / "posterior.npz").read_bytes())
        except FileNotFoundError as error:
            raise InputError(f"{folder}: no fitted potential here: {error.filename} is missing") from error
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            raise InputError(f"{folder / 'descriptor.json'}: not written by snap_al: {error}") from error
        return cls(settings, reference, posterior)
