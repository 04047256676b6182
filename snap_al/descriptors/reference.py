"""The reference potential: pair styles that LAMMPS computes first and the fit does not see.

A user writes plain LAMMPS lines, hybrid/overlay or a single style. Here they become a list of sub-styles, to which the
descriptors' and the fitted potential's own styles are added.
"""

from __future__ import annotations

from dataclasses import dataclass

from snap_al.errors import InputError

_GRANTED = {"units": "metal", "atom_style": "atomic"}


@dataclass(frozen=True)
class ReferencePotential:
    """styles: sub-styles with their arguments. coefficients: (types, style, arguments) of each pair_coeff."""

    styles: tuple[str, ...] = ()
    coefficients: tuple[tuple[str, str, str], ...] = ()

    @classmethod
    def parse(cls, lines: list[str]) -> ReferencePotential:
        """From `pair_style` and `pair_coeff` lines. Raises InputError for anything else, and for units not metal."""
        style_line: list[str] = []
        coefficient_lines: list[list[str]] = []
        for line in lines:
            words = line.split("#")[0].split()
            if not words:
                continue
            if words[0] == "pair_style" and len(words) > 1 and not style_line:
                style_line = words[1:]
            elif words[0] == "pair_coeff" and len(words) > 2:
                coefficient_lines.append(words[1:])
            elif words[0] in _GRANTED:
                if words[1:] != [_GRANTED[words[0]]]:
                    raise InputError(f"reference: `{line}`: only `{words[0]} {_GRANTED[words[0]]}` is supported")
            else:
                raise InputError(f"reference: `{line}`: expected one pair_style line, then pair_coeff lines")
        if not style_line:
            if coefficient_lines:
                raise InputError("reference: pair_coeff without a pair_style line before it")
            return cls()
        if style_line[0] == "hybrid/overlay":
            return cls._from_overlay(style_line[1:], coefficient_lines)
        if style_line[0].startswith("hybrid"):
            raise InputError(f"reference: `pair_style {style_line[0]}`: use hybrid/overlay, onto which SNAP is added")
        coefficients = tuple((" ".join(c[:2]), style_line[0], " ".join(c[2:])) for c in coefficient_lines)
        return cls((" ".join(style_line),), coefficients)

    @classmethod
    def _from_overlay(cls, words: list[str], lines: list[list[str]]) -> ReferencePotential:
        named = {c[2] for c in lines if len(c) > 2}
        styles: list[list[str]] = []
        for word in words:
            if word in named:
                styles.append([word])
            elif styles:
                styles[-1].append(word)
            else:
                raise InputError(f"reference: sub-style {word!r} of hybrid/overlay has no pair_coeff line")
        coefficients = tuple((" ".join(c[:2]), c[2], " ".join(c[3:])) for c in lines)
        return cls(tuple(" ".join(s) for s in styles), coefficients)

    def longest_cutoff(self) -> float:
        """Å; no sub-style reaches further, going by the numbers in its arguments and 15 Å for tabulated ones."""
        words = [w for s in self.styles for w in s.split()[1:]] + [w for c in self.coefficients for w in c[2].split()]
        numbers = [float(w) for w in words if w.replace(".", "", 1).isdigit()]
        return max([15.0, *(x for x in numbers if x < 50.0)]) if self.styles else 0.0

    def commands(self, *extra: tuple[str, tuple[str, ...]]) -> list[str]:
        """LAMMPS lines for this potential and `extra` sub-styles, each (style with arguments, its pair_coeff tails).

        A tail is what follows `pair_coeff * * STYLE`.
        """
        styles = [*self.styles, *(style for style, _ in extra)]
        lines = [f"pair_style hybrid/overlay {' '.join(styles)}"]
        lines += [f"pair_coeff {types} {style} {args}".rstrip() for types, style, args in self.coefficients]
        for style, tails in extra:
            lines += [f"pair_coeff * * {style.split()[0]} {tail}".rstrip() for tail in tails]
        return lines

    def with_zero(self, cutoff: float) -> list[str]:
        """LAMMPS lines for this potential alone, with neighbours kept out to `cutoff` (Å) for the descriptors."""
        others = ReferencePotential(
            tuple(s for s in self.styles if s.split()[0] != "zero"),
            tuple(c for c in self.coefficients if c[1] != "zero"),
        )
        given = [float(s.split()[1]) for s in self.styles if s.split()[0] == "zero"]
        return others.commands((f"zero {max([cutoff, *given])!r}", ("",)))
