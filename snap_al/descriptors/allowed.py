"""What a reference potential may say to LAMMPS, since its lines can come from somebody else's deck,
potential or run.

Only these commands exist for it: `pair_style` and `pair_coeff` of styles that compute from numbers
and parameter files, an `atom_style`, and `fix … nve/spin`. Styles that run code (python, mliap,
kim) are none of them, and no word holds a character by which LAMMPS substitutes, quotes, continues
or comments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ase.data import atomic_numbers

from snap_al.errors import InputError

ATOM_STYLES = ("atomic", "charge", "full", "spin", "hybrid")
"""Those whose atoms a configuration describes wholly."""

_STYLES = """
    adp agni airebo airebo/morse atm beck bop born born/coul/dsf born/coul/long born/coul/msm
    born/coul/wolf born/gauss buck buck/coul/cut buck/coul/long buck/coul/msm buck/long/coul/long
    buck/mdf comb comb3 cosine/squared coul/ctip coul/cut coul/cut/global coul/cut/soft coul/debye
    coul/diel coul/dsf coul/long coul/long/soft coul/msm coul/slater/cut coul/slater/long
    coul/streitz coul/wolf dispersion/d3 eam eam/alloy eam/cd eam/cd/old eam/fs eam/he edip
    edip/multi eim extep gauss gauss/cut gw gw/zbl harmonic/cut lcbop lennard/mdf
    lj/charmm/coul/charmm lj/charmm/coul/long lj/class2 lj/class2/coul/cut lj/class2/coul/long
    lj/cubic lj/cut lj/cut/coul/cut lj/cut/coul/debye lj/cut/coul/dsf lj/cut/coul/long
    lj/cut/coul/msm lj/cut/coul/wolf lj/cut/soft lj/expand lj/expand/coul/long lj/gromacs
    lj/gromacs/coul/gromacs lj/long/coul/long lj/mdf lj/pirani lj/sf lj/smooth lj/smooth/linear
    lj96/cut meam meam/c meam/ms meam/spline meam/sw/spline mie/cut momb morse morse/smooth/linear
    morse/soft nb3b/harmonic nb3b/screened nm/cut nm/cut/coul/cut nm/cut/coul/long pace pod
    polymorphic rebo rebomos snap soft spin/dipole/cut spin/dipole/long spin/dmi spin/exchange
    spin/exchange/biquadratic spin/magelec spin/neel sw sw/angle/table sw/mod table tersoff
    tersoff/mod tersoff/mod/c tersoff/table tersoff/zbl threebody/table uf3 ufm vashishta
    vashishta/table wf/cut yukawa zbl zero
"""
PAIR_STYLES = frozenset(_STYLES.split())
"""LAMMPS' pair styles for such atoms that take numbers, keywords and parameter files, write nothing
and run nothing.
"""
_WORD = re.compile(r"[A-Za-z0-9_./+*:=,@~()^<>-]+")
_FIX = re.compile(r"fix \w+ \w+ nve/spin lattice (moving|frozen|yes|no)")
_ACCELERATED = re.compile(r"/(omp|opt|gpu|intel|kk|kk/host|kk/device)$")


def check_words(words: Iterable[str], line: str) -> None:
    """Raises InputError for a word with a character that LAMMPS gives a meaning to."""
    for word in words:
        if not _WORD.fullmatch(word):
            raise InputError(
                f"reference: `{line}`: {word!r} is no number, name or file name; LAMMPS gives its "
                "characters a meaning of their "
                "own. Words have letters, digits and ._/+*:=,@~()^<>- only; rename a file that "
                "has others"
            )


def check_pair_style(style: str) -> None:
    """style: a sub-style with its arguments. Raises InputError for one that does more than
    compute.
    """
    words = style.split()
    if not words or _ACCELERATED.sub("", words[0]) not in PAIR_STYLES:
        raise InputError(
            f"reference: `pair_style {style}`: {words[0] if words else ''!r} is none of the "
            "styles that a reference potential may "
            "have, which compute from numbers and parameter files "
            "(snap_al.descriptors.allowed.PAIR_STYLES)"
        )
    check_words(words, f"pair_style {style}")


def check_atom_style(style: str) -> None:
    """Raises InputError for one whose atoms a configuration does not describe."""
    if not style.split() or not set(style.split()) <= set(ATOM_STYLES):
        raise InputError(
            f"reference: `atom_style {style}`: not supported; there are {', '.join(ATOM_STYLES)}"
        )


def check_fix(line: str) -> None:
    """Raises InputError for any but `fix … nve/spin lattice moving`."""
    if not _FIX.fullmatch(line):
        raise InputError(
            f"reference: `{line}`: the only fix here is `fix ID GROUP nve/spin lattice moving`"
        )


def may_name_a_file(word: str) -> bool:
    """Of an argument of pair_coeff: it is no number, element or wildcard."""
    try:
        float(word)
    except ValueError:
        return word not in atomic_numbers and "*" not in word
    return False


def check_stays_inside(words: Iterable[str], line: str) -> None:
    """Of a potential that was read: files are named alone, and lie in its folder or are LAMMPS'
    own. Raises InputError.
    """
    for word in words:
        if "/" in word or word.startswith(("~", "..")):
            raise InputError(
                f"reference: `{line}`: {word!r} is outside the potential's folder; put the file "
                "into it, and name it alone"
            )
