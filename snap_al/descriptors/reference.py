"""The reference potential: pair styles that LAMMPS computes first and the fit does not see.

A user writes plain LAMMPS lines, hybrid/overlay or a single style. Here they become a list of
sub-styles, to which the descriptors' and the fitted potential's own styles are added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration
from snap_al.descriptors.allowed import (
    check_atom_style,
    check_fix,
    check_pair_style,
    check_stays_inside,
    check_words,
    may_name_a_file,
)
from snap_al.descriptors.pair_types import check_elements, lammps_folders
from snap_al.descriptors.reference_lines import read_lines
from snap_al.errors import InputError
from snap_al.sessions import Box, LammpsSession, NameOf


@dataclass(frozen=True)
class ReferencePotential:
    """A potential that LAMMPS computes first and that is not fitted. Whatever it holds has passed
    the checks of allowed.py. Raises InputError."""

    styles: tuple[str, ...] = ()
    """Sub-styles with their arguments."""
    coefficients: tuple[tuple[str, str, str], ...] = ()
    """(types, style, arguments) of each pair_coeff."""
    atom_style: str = "atomic"
    """LAMMPS' atom style, which says whether atoms have charges or spins."""
    fixes: tuple[str, ...] = ()
    """`fix … nve/spin lattice moving`, without which LAMMPS' spin styles give energies but no
    forces on atoms; for descriptors only, since an MD script has its own."""
    folders: tuple[Path, ...] = field(default=(Path(),), compare=False, repr=False)
    """Where files that pair_coeff names are looked for, in this order; then in LAMMPS' own."""

    def __post_init__(self) -> None:
        for style in self.styles:
            check_pair_style(style)
        for types, style, arguments in self.coefficients:
            line = f"pair_coeff {types} {style} {arguments}"
            if style not in {s.split()[0] for s in self.styles} or len(types.split()) != 2:
                raise InputError(
                    f"reference: `{line}`: two types, and {style!r} must be one of the pair styles"
                )
            check_words([*types.split(), *arguments.split()], line)
        check_atom_style(self.atom_style)
        for fix in self.fixes:
            check_fix(fix)

    @classmethod
    def restored(cls, stored: Mapping[str, Any], folder: Path) -> ReferencePotential:
        """From what `stored` gave, of a potential in `folder`, which may be somebody else's. Raises
        InputError for anything but a reference potential whose files, if any, lie in the folder or
        are LAMMPS' own."""
        texts = [
            *_texts(stored.get("styles")),
            *_texts(stored.get("fixes")),
            *_texts([stored.get("atom_style")]),
        ]
        rows = stored.get("coefficients")
        if not isinstance(rows, list) or any(len(_texts(row)) != 3 for row in rows):
            raise InputError("reference: coefficients: expected [types, style, arguments] each")
        for text in (*texts, *(text for row in rows for text in row)):
            if text != " ".join(text.split()):
                raise InputError(
                    f"reference: {text!r}: expected words with single spaces between them"
                )
        coefficients = tuple((row[0], row[1], row[2]) for row in rows)
        styles, fixes = tuple(stored["styles"]), tuple(stored["fixes"])
        found = cls(styles, coefficients, stored["atom_style"], fixes, (folder,))
        for style in found.styles:
            check_stays_inside(style.split()[1:], f"pair_style {style}")
        for types, style, arguments in coefficients:
            check_stays_inside(arguments.split(), f"pair_coeff {types} {style} {arguments}")
        return found

    def stored(self) -> dict[str, Any]:
        """As JSON can have it, with files named alone, as they are beside a potential."""
        beside = self.beside()
        names = ("styles", "coefficients", "atom_style", "fixes")
        return {name: getattr(beside, name) for name in names}

    def beside(self) -> ReferencePotential:
        """The same with files named alone: a potential's folder has copies of them. Raises
        InputError when two have one name.
        """
        files = self.files()
        if len({path.name for path in files}) < len(files):
            raise InputError(
                f"reference: two files have one name: {', '.join(map(str, files))}; rename one"
            )
        coefficients = tuple(
            (t, s, " ".join(w if (p := self._file(w)) is None else p.name for w in a.split()))
            for t, s, a in self.coefficients
        )
        return replace(self, coefficients=coefficients)

    @classmethod
    def parse(
        cls, lines: list[str], elements: Sequence[str] = (), folders: Sequence[Path] = (Path(),)
    ) -> ReferencePotential:
        """From `pair_style`, `pair_coeff`, `atom_style` and `fix … nve/spin` lines.

        elements: of types 1, 2, …; lines may then name them in place of types. Raises InputError
        for anything else, for units not metal, and for a line that is for another element than its
        type is.
        """
        known = read_lines(lines, elements)
        found = cls(
            known.styles,
            known.coefficients,
            known.atom_style,
            known.fixes,
            tuple(dict.fromkeys(folders)),
        )
        if elements:
            check_elements(found.coefficients, elements, found.folders)
        return found

    @property
    def moments(self) -> tuple[str, ...]:
        """LAMMPS' names of what atoms of this style have beside type and position: q, sp."""
        words = set(self.atom_style.split())
        return ("q",) * bool({"charge", "full"} & words) + ("sp",) * ("spin" in words)

    def files(self) -> list[Path]:
        """The files that pair_coeff lines name: tabulated, EAM and other parameters."""
        return list(self.named_files().values())

    def named_files(self) -> dict[str, Path]:
        """The same by the words that lines name them with."""
        return {word: path for word in self._words() if (path := self._file(word)) is not None}

    def looked_for(self, message: str) -> str:
        """Where the files that LAMMPS could not open were looked for; "" for another error."""
        missing = [
            word
            for word in self._words()
            if may_name_a_file(word) and word in message and self._file(word) is None
        ]
        if not missing or "cannot open" not in message.lower():
            return ""
        places = [*(folder.absolute() for folder in self.folders), *lammps_folders()]
        everywhere = ", ".join(map(str, places))
        return f". {', '.join(missing)}: looked for in {everywhere}"

    def _words(self) -> list[str]:
        words = (w for _, _, arguments in self.coefficients for w in arguments.split())
        return list(dict.fromkeys(words))

    def _file(self, word: str) -> Path | None:
        """The file that an argument of pair_coeff names, unless that is one of LAMMPS' own."""
        if not may_name_a_file(word):
            return None
        places = (folder / word for folder in self.folders)
        return next((path for path in places if path.is_file()), None)

    def set_moments(self, session: LammpsSession, configuration: Configuration, box: Box) -> None:
        """Gives the session's atoms, ids 1…n in the configuration's order, the charges and spins
        that the atom style has.

        Raises InputError when the configuration does not have them.
        """
        where = configuration.name or "configuration"
        if "q" in self.moments:
            if configuration.charges is None:
                raise InputError(
                    f"{where}: no charges, which atom_style {self.atom_style} needs: "
                    "`initial_charges` "
                    "in extended XYZ, `Charges` in FitSNAP JSON"
                )
            session.set_charges(configuration.charges)
        if "sp" in self.moments:
            if configuration.spins is None:
                raise InputError(
                    f"{where}: no spins, which atom_style {self.atom_style} needs: "
                    "`initial_magmoms` "
                    "in extended XYZ, `Spins` in FitSNAP JSON"
                )
            session.set_spins(box.axial_vectors(spin_vectors(configuration.spins)))

    def longest_cutoff(self) -> float:
        """Å; no sub-style reaches further, going by the numbers in its arguments and 15 Å for
        tabulated ones.
        """
        words = [w for s in self.styles for w in s.split()[1:]] + [
            w for c in self.coefficients for w in c[2].split()
        ]
        numbers = [float(w) for w in words if w.replace(".", "", 1).isdigit()]
        return max([15.0, *(x for x in numbers if x < 50.0)]) if self.styles else 0.0

    def commands(
        self, *extra: tuple[str, tuple[str, ...]], name_of: NameOf | None = None
    ) -> list[str]:
        """LAMMPS lines for this potential and `extra` sub-styles, each (style with arguments, its
        pair_coeff tails).

        A tail is what follows `pair_coeff * * STYLE`. name_of: for the files that lines name; as
        they are given without.
        """
        styles = [*self.styles, *(style for style, _ in extra)]
        lines = [f"pair_style hybrid/overlay {' '.join(styles)}", *self.coefficient_lines(name_of)]
        for style, tails in extra:
            lines += [f"pair_coeff * * {style.split()[0]} {tail}".rstrip() for tail in tails]
        return lines

    def coefficient_lines(self, name_of: NameOf | None = None) -> list[str]:
        """The pair_coeff lines."""

        def named(word: str) -> str:
            path = None if name_of is None else self._file(word)
            return word if path is None or name_of is None else name_of(path)

        return [
            f"pair_coeff {t} {s} {' '.join(map(named, a.split()))}".rstrip()
            for t, s, a in self.coefficients
        ]

    def with_zero(self, cutoff: float, name_of: NameOf | None = None) -> list[str]:
        """LAMMPS lines for this potential alone, with neighbours kept out to `cutoff` (Å) for the
        descriptors.
        """
        others = ReferencePotential(
            tuple(s for s in self.styles if s.split()[0] != "zero"),
            tuple(c for c in self.coefficients if c[1] != "zero"),
            self.atom_style,
            folders=self.folders,
        )
        return others.commands((f"zero {cutoff!r}", ("",)), name_of=name_of)


def _texts(values: Any) -> list[str]:
    """Raises InputError for what is not a list of texts."""
    if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
        raise InputError(f"reference: {values!r}: expected a list of texts")
    return values


def spin_vectors(spins: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 3) μB from vectors (n, 3) or collinear moments (n,), which point along z."""
    return spins if spins.ndim == 2 else np.column_stack([np.zeros((len(spins), 2)), spins])
