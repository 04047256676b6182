"""Writing a fitted potential's files into a folder, each of them whole or not there; and reading
them back.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from snap_al.data.json_text import read_json
from snap_al.data.output_names import OWN_FILES, OWN_FOLDERS, files_of_a_potential
from snap_al.data.storage import LARGEST_TEXT, require_regular_file, write_atomically
from snap_al.descriptors import Engine, ReferencePotential, SnapSettings
from snap_al.errors import InputError
from snap_al.inference import Posterior
from snap_al.potential.model import Model
from snap_al.potential.snap import Snap
from snap_al.sessions import LammpsSettings, NameOf

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
    """A fitted potential: everything that predicting needs."""

    model: Model
    """The form of the energy."""
    reference: ReferencePotential
    """The reference potential, which is not fitted."""
    posterior: Posterior
    """The coefficients with their uncertainty."""

    @property
    def elements(self) -> tuple[str, ...]:
        """Chemical symbols, in the order of LAMMPS' atom types."""
        return self.model.elements

    def engine(self, lammps: LammpsSettings | None = None) -> Engine:
        """What computes the rows of its predictions."""
        return self.model.engine(self.reference, lammps)

    def write(self, folder: Path, stem: str = STEM) -> None:
        """The model's files, those with which LAMMPS computes stds, STEM.mod, posterior.npz,
        descriptor.json, and the files that the reference potential's pair_coeff lines name."""
        files = self.model.files(self.posterior.mean) | self.model.std_files(self.posterior)
        for ending, text in files.items():
            write_atomically(folder / f"{stem}{ending}", text)
        write_atomically(folder / f"{stem}.mod", self._mod(stem))
        check_beside(self.reference, stem)
        for path in self.reference.files():
            _copied(path, folder)
        description = {
            **_foreign(self.model),
            "descriptor": self.model.stored(),
            "reference": self.reference.stored(),
        }
        write_atomically(folder / "descriptor.json", json.dumps(description, indent=1) + "\n")
        write_atomically(folder / "posterior.npz", self.posterior.to_bytes())

    def pair_commands(self, folder: Path, name_of: NameOf = str) -> list[str]:
        """LAMMPS lines for the files that `write` left there as STEM. name_of: what LAMMPS reads
        each by.
        """
        style, tail = self.model.pair_style(lambda ending: name_of(folder / f"{STEM}{ending}"))
        return self.reference.commands((style, (tail,)), name_of=name_of)

    def _mod(self, stem: str) -> str:
        """An include file: `include potential.mod` after the box is made gives a LAMMPS run the
        potential.
        """
        style, tail = self.model.pair_style(lambda ending: f"{stem}{ending}")
        lines = [
            "# potential fitted by snap_al; units metal, atom_style "
            f"{self.reference.atom_style}. Use: include {stem}.mod",
            *self.reference.beside().commands((style, (tail,))),
        ]
        return "\n".join(lines) + "\n"

    @classmethod
    def read(cls, folder: Path | str, model: Model | None = None) -> FittedPotential:
        """Read a potential. Nothing of its files is executed.

        Parameters
        ----------
        folder : path or str
            Where `write`, a run or a fit left it.
        model : Model, optional
            The one that it was fitted with, needed where it is not one of snap_al's own: a file may
            not say which code to run.

        Returns
        -------
        FittedPotential

        Raises
        ------
        InputError
            If the folder does not hold what `write` leaves, or it is of another model.
        """
        folder = Path(folder)
        path = folder / "descriptor.json"
        try:
            found, reference = _described(path, model)
            data = require_regular_file(folder / "posterior.npz").read_bytes()
        except FileNotFoundError as error:
            raise InputError(
                f"{folder}: no fitted potential here: {error.filename} is missing"
            ) from error
        try:
            posterior = Posterior.from_bytes(data)
        except InputError as error:
            raise type(error)(f"{folder / 'posterior.npz'}: {error}") from error
        n = found.columns.n_distinct
        if len(posterior.atom_reference) not in (0, len(found.elements)):
            raise InputError(
                f"{folder}: posterior.npz has references of {len(posterior.atom_reference)} "
                f"elements, and descriptor.json {len(found.elements)}"
            )
        if len(posterior.mean) != n:
            raise InputError(
                f"{folder}: posterior.npz has {len(posterior.mean)} coefficients, and "
                f"descriptor.json makes {n}"
            )
        return cls(found, reference, posterior)


def _foreign(model: Model) -> dict[str, str]:
    """The class of a model that is not one of snap_al's own, for descriptor.json."""
    cls = type(model)
    return {} if cls is Snap else {"model": f"{cls.__module__}.{cls.__qualname__}"}


def _described(path: Path, model: Model | None) -> tuple[Model, ReferencePotential]:
    """What descriptor.json says. Raises InputError, or FileNotFoundError."""
    try:
        description = read_json(require_regular_file(path, LARGEST_TEXT).read_bytes())
        if not isinstance(description, dict) or not all(
            isinstance(description.get(name), dict) for name in ("descriptor", "reference")
        ):
            raise InputError("expected descriptor and reference")
        described = description["descriptor"]
        reference = ReferencePotential.restored(description["reference"], path.parent.absolute())
        if "model" in description:
            return _checked_model(description, model), reference
        if not described.get("chemflag"):  # 0.1.0 kept a flag that changes nothing without
            described["wselfallflag"] = False
        return Snap(SnapSettings.model_validate(described)), reference
    except (InputError, ValueError, ValidationError) as error:
        raise InputError(f"{path}: not written by snap_al: {error}") from error


def _checked_model(description: dict[str, Any], model: Model | None) -> Model:
    """The given model, if it is the one of the description. Raises InputError."""
    name = description["model"]
    if model is None:
        raise InputError(
            f"its model is {name}, code of another package, which is not run because a file names "
            "it; in Python: FittedPotential.read(folder, model)"
        )
    given = {**_foreign(model), "descriptor": model.stored()}
    if {key: description.get(key) for key in ("model", "descriptor")} != given:
        raise InputError(f"it was fitted with another model, {name}, or with other options")
    return model


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
