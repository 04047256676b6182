"""Names under which files hold energies, forces, stresses and virials, and the meaning of each.

`NAMES` and `PREFIXES` are the only table of them. The reader (reading_labels.py) uses it,
`names_read` prints it, and the table of docs/labels.md is tested against it. Upper and lower case
make no difference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import BaseModel, model_validator

from snap_al.data.rows import KindName
from snap_al.errors import did_you_mean


@dataclass(frozen=True)
class LabelName:
    """A name under which files store a label."""

    name: str
    """The name."""
    kind: KindName
    """Kind of the label."""
    virial: bool = False
    """Whether it is a stress times minus the volume of the cell, in units of energy."""
    order: int = 1
    """Rank among names of one kind that mean different things; the lowest is taken."""


NAMES = {
    entry.name: entry
    for entry in (
        LabelName(
            "free_energy", "energy", order=0
        ),  # the energy that forces are derivatives of; VASP's TOTEN
        LabelName("e_fr_energy", "energy", order=0),
        LabelName("energy", "energy"),
        LabelName("energies", "energy"),  # one number; an array with a number per atom is no label
        LabelName("potential_energy", "energy"),
        LabelName("forces", "forces"),
        LabelName("force", "forces"),
        LabelName("stress", "stress"),
        LabelName("stresses", "stress"),
        LabelName("virial", "stress", virial=True),
        LabelName("virials", "stress", virial=True),
    )
}

PREFIXES = (
    "ref_",
    "reference_",
    "dft_",
    "qm_",
    "target_",
    "true_",
    "vasp_",
    "castep_",
    "cp2k_",
    "aims_",
    "espresso_",
    "qe_",
    "gpaw_",
    "abinit_",
    "siesta_",
)
"""Prefixes. Each makes a family with the names above, beside the names without a prefix:
`REF_energy`, `dft_virial`."""
BARE = ""
"""The family of ASE's own names."""

_LOOKS: dict[KindName, re.Pattern[str]] = {
    "energy": re.compile(
        r"energ|enthalp|toten|^e_?(0|tot|pot|wo_entrp|zero)(_|$)|^(e|pe|poteng|etotal)$"
    ),
    "forces": re.compile(r"force|gradient|^(f|frc|grad|fx|fy|fz)$"),
    "stress": re.compile(r"stress|virial|pressure|^(press|sigma)$"),
}
_NO_LABEL = re.compile(
    r"(^|_)(std|stds|stdev|sigma|weights?|errors?|err|units?|mask|variance|var|"
    r"rmse|mae|tol|tolerance|converged"
    r"|convergence|method|source|cutoff|encut|kinetic|path|file)(_|$)"
)
"""Words in names that look like labels without being labels."""


def family_of(name: str) -> tuple[str, LabelName] | None:
    """The family and the meaning of a name that the reader knows."""
    lower = name.lower()
    if lower in NAMES:
        return BARE, NAMES[lower]
    for prefix in PREFIXES:
        if lower.startswith(prefix) and lower[len(prefix) :] in NAMES:
            return prefix, NAMES[lower[len(prefix) :]]
    return None


def kind_that_it_looks_like(name: str) -> KindName | None:
    """The kind of a name that the reader does not know; None when it does not look like a label."""
    lower = name.lower()
    if lower in ("sigma", "e_wo_entrp") or not _NO_LABEL.search(lower):
        return next((kind for kind, pattern in _LOOKS.items() if pattern.search(lower)), None)
    return None


def names_read(kind: KindName) -> str:
    """The known names, for messages: `energy, free_energy, …`."""
    return ", ".join(entry.name for entry in NAMES.values() if entry.kind == kind)


def spelling(kind: KindName) -> str:
    """The recommended name of a label of a kind."""
    return {
        "energy": "energy or REF_energy",
        "forces": "forces or REF_forces",
        "stress": "stress or virial",
    }[kind]


class LabelKeys(BaseModel, extra="forbid", frozen=True):
    """Names of the labels to read in a file, exactly as the file has them. Kinds without a name are
    not read."""

    energy: str | None = None
    """Name of the energy."""
    forces: str | None = None
    """Name of the forces."""
    stress: str | None = None
    """Name of the stress."""
    virial: str | None = None
    """Name of the virial, which is read in place of a stress."""

    @model_validator(mode="after")
    def _possible(self) -> LabelKeys:
        if not self.model_fields_set or not any(vars(self).values()):
            raise ValueError(
                "name at least one of energy, forces, stress, virial, such as {energy: dft_energy}"
            )
        if self.stress and self.virial:
            raise ValueError("name stress or virial, not both: one is computed from the other")
        return self

    def entries(self) -> dict[str, LabelName]:
        """The meaning of each name."""
        entries = {} if self.energy is None else {self.energy: LabelName(self.energy, "energy")}
        entries |= {} if self.forces is None else {self.forces: LabelName(self.forces, "forces")}
        entries |= {} if self.stress is None else {self.stress: LabelName(self.stress, "stress")}
        return entries | (
            {}
            if self.virial is None
            else {self.virial: LabelName(self.virial, "stress", virial=True)}
        )

    @classmethod
    def parsed(cls, text: str) -> LabelKeys:
        """The keys of a command line, `energy=dft_energy,forces=dft_forces`. Raises ValueError."""
        pairs = [part.partition("=") for part in text.split(",") if part.strip()]
        if not pairs or not all(sign and key.strip() for _, sign, key in pairs):
            raise ValueError(
                f"{text!r}: expected KIND=NAME pairs with commas, such as "
                "energy=dft_energy,forces=dft_forces"
            )
        names = {kind.strip(): key.strip() for kind, _, key in pairs}
        if unknown := [kind for kind in names if kind not in cls.model_fields]:
            raise ValueError(
                f"{text!r}: no kind of label {unknown[0]!r}; "
                f"{did_you_mean(unknown[0], cls.model_fields)}"
            )
        return cls(**names)
