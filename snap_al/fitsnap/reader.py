"""Reading a FitSNAP deck: every key of it is followed, makes no difference, or is refused
(keys.py).

https://fitsnap.github.io/Run/Run_input.html
"""

from __future__ import annotations

import configparser
import math
import re
from pathlib import Path

from pydantic import ValidationError

from snap_al.data.fitsnap_units import property_units
from snap_al.data.storage import LARGEST_TEXT, expanded, require_regular_file
from snap_al.data.weights import check_weight
from snap_al.descriptors import SnapSettings
from snap_al.errors import InputError, did_you_mean
from snap_al.fitsnap.deck import DUMPS, MERR_ABC, SOLVERS, Deck, Group
from snap_al.fitsnap.keys import FOLLOWED, FREE_SECTIONS, NO_DIFFERENCE, REFUSED_UNLESS, known_keys
from snap_al.inference import FitSettings

MOST_SAMPLES = 1_000_000
BOOLEAN = {
    "1": True,
    "0": False,
    "true": True,
    "false": False,
    "yes": True,
    "no": False,
    "on": True,
    "off": False,
}


def read_deck(path: Path) -> Deck:
    """Raises InputError naming section and key for what is unknown, malformed, or would be
    ignored.
    """
    if not require_regular_file(path, LARGEST_TEXT).is_file():
        raise InputError(f"{path}: no such deck")
    parser = configparser.ConfigParser(inline_comment_prefixes="#", interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a FitSNAP deck: {' '.join(str(error).split())}") from error
    return _Reader(path, parser).deck()


class _Reader:
    def __init__(self, path: Path, parser: configparser.ConfigParser) -> None:
        self._path, self._parser = path, parser

    def deck(self) -> Deck:
        self._check_keys()
        self._choice("CALCULATOR", "calculator", "LAMMPSSNAP", ("LAMMPSSNAP",))
        groups = self._groups()
        if self._flag("GROUPS", "random_sampling", False):
            seed: int | None = self._integer("GROUPS", "random_seed", "1")
        else:
            seed = None
        flags = tuple(self._flag("CALCULATOR", k, True) for k in ("energy", "force", "stress"))
        return Deck(
            path=self._path,
            settings=self._settings(),
            reference=self._reference(),
            eshift=self._eshift(),
            kinds=(flags[0], flags[1], flags[2]),
            fit=self._fit(),
            scraper=self._scraper(),
            units=self._units(),
            total_energy=self._flag("GROUPS", "vasp_use_TOTEN", False),
            skip_incomplete=self._flag("GROUPS", "vasp_ignore_incomplete", True),
            data=self._path.parent / expanded(self._get("PATH", "dataPath", "JSON")),
            groups=groups,
            smartweights=self._flag("GROUPS", "smartweights", False),
            random_seed=seed,
            potential=self._get("OUTFILE", "potential", "fitsnap_potential"),
            metrics=self._get("OUTFILE", "metrics", "fitsnap_metrics"),
            metrics_style=self._choice(
                "OUTFILE", "metrics_style", "MD", ("MD", "CSV", "SSV", "JSON")
            ),
            dumps=self._dumps(),
            samples=self._samples(),
            memory=self._memory(),
            notes=self._notes(),
        )

    def _check_keys(self) -> None:
        for section in self._parser.sections():
            if section not in FOLLOWED:
                raise self._error(
                    f"[{section}]",
                    f"unknown or unsupported section; {did_you_mean(section, FOLLOWED)}",
                )
            for key, value in self._parser.items(section):
                self._check_key(section, key, value)

    def _check_key(self, section: str, key: str, value: str) -> None:
        refused = REFUSED_UNLESS.get(section, {})
        if key in refused:
            harmless, reason = refused[key]
            if value not in harmless and not ("0" in harmless and _is_zero(value)):
                raise self._error(
                    f"[{section}] {key} = {value}",
                    f"would change the result and is not supported: {reason}",
                )
            return
        free = section in FREE_SECTIONS or (section == "REFERENCE" and key.startswith("pair_coeff"))
        if not free and key not in FOLLOWED[section] and key not in NO_DIFFERENCE.get(section, ()):
            raise self._error(
                f"[{section}] {key}", f"unknown key; {did_you_mean(key, known_keys(section))}"
            )

    def _settings(self) -> SnapSettings:
        get = self._get
        twojmax = tuple(
            self._whole("[BISPECTRUM] twojmax", x)
            for x in get("BISPECTRUM", "twojmax", "6").split()
        )
        elements = tuple(get("BISPECTRUM", "type", "H").split())
        n = self._integer("BISPECTRUM", "numTypes", "1")
        if n != len(elements):
            raise self._error(
                "[BISPECTRUM] numTypes", f"is {n}, and type names {len(elements)} elements"
            )
        chem = self._flag("BISPECTRUM", "chemflag", False)
        inner: list[tuple[float, ...] | None] = [None, None]
        if self._flag("BISPECTRUM", "switchinnerflag", False):
            words = [
                get("BISPECTRUM", k, v).split()
                for k, v in (("sinner", "0.9 " * n), ("dinner", "0.1 " * n))
            ]
            inner = [
                tuple(self._number("[BISPECTRUM] sinner, dinner", w) for w in ws) for ws in words
            ]
        try:
            return SnapSettings(
                elements=elements,
                twojmax=twojmax,
                rcutfac=float(get("BISPECTRUM", "rcutfac", "4.67637")),
                rfac0=float(get("BISPECTRUM", "rfac0", "0.99363")),
                rmin0=float(get("BISPECTRUM", "rmin0", "0.0")),
                wj=tuple(float(x) for x in get("BISPECTRUM", "wj", "1.0").split()),
                radelem=tuple(float(x) for x in get("BISPECTRUM", "radelem", "0.5").split()),
                chemflag=chem,
                bnormflag=self._flag("BISPECTRUM", "bnormflag", False),
                wselfallflag=chem
                and self._flag(
                    "BISPECTRUM", "wselfallflag", False
                ),  # without chem it changes nothing
                bzeroflag=self._flag("BISPECTRUM", "bzeroflag", False),
                switchflag=self._flag("BISPECTRUM", "switchflag", True),
                quadraticflag=self._flag("BISPECTRUM", "quadraticflag", False),
                sinner=inner[0],
                dinner=inner[1],
            )
        except (ValidationError, ValueError) as error:
            raise self._error("[BISPECTRUM]", " ".join(str(error).split())) from error

    def _reference(self) -> tuple[str, ...]:
        lines = [f"units {self._get('REFERENCE', 'units', 'metal').lower()}"]
        lines.append(f"atom_style {self._get('REFERENCE', 'atom_style', 'atomic').lower()}")
        lines.append(f"pair_style {self._get('REFERENCE', 'pair_style', 'zero 10.0')}")
        if self._parser.has_section("REFERENCE"):
            self._check_types()
            lines += [
                f"pair_coeff {v}"
                for k, v in self._parser.items("REFERENCE")
                if k.startswith("pair_coeff")
            ]
        if len(lines) == 3:
            lines.append("pair_coeff * *")
        return tuple(lines)

    def _check_types(self) -> None:
        """FitSNAP passes pair_coeff on to LAMMPS, which knows numbers alone."""
        for key, value in self._parser.items("REFERENCE"):
            wrong = [word for word in value.split()[:2] if not re.fullmatch(r"\d+|\d*\*\d*", word)]
            if key.startswith("pair_coeff") and wrong:
                raise self._error(
                    f"[REFERENCE] {key}",
                    f"{wrong[0]} is no type; FitSNAP takes numbers of types, and *",
                )

    def _scraper(self) -> str:
        return self._choice("SCRAPER", "scraper", "JSON", ("JSON", "XYZ", "VASP"))

    def _units(self) -> dict[str, float]:
        try:
            return property_units(self._get("SCRAPER", "property_array", "None"))
        except ValueError as error:
            raise self._error("[SCRAPER] property_array", str(error)) from error

    def _dumps(self) -> dict[str, str]:
        return {
            name: self._get("OUTFILE", name, file)
            for name, file in DUMPS.items()
            if self._flag("EXTRAS", f"dump_{name}", False)
        }

    def _samples(self) -> int:
        n = self._integer("SOLVER", "nsam", "0")
        if not 0 <= n <= MOST_SAMPLES:
            raise self._error(
                f"[SOLVER] nsam = {n}", f"expected a number from 0 to {MOST_SAMPLES:,}"
            )
        return n

    def _memory(self) -> int | None:
        if self._flag("MEMORY", "override", False) or not self._parser.has_option(
            "MEMORY", "memory"
        ):
            return None
        return self._integer("MEMORY", "memory", "0")

    def _notes(self) -> tuple[str, ...]:
        notes: list[str] = []
        if self._parser.has_section("TRAINSHIFT") and self._scraper() != "VASP":
            notes.append(
                f"{self._path}: [TRAINSHIFT] is not added: FitSNAP does so with scraper = VASP only"
            )
        if (
            self._get("SOLVER", "solver", "SVD").upper() == "MERR"
            and self._get("SOLVER", "merr_method", "abc") == "abc"
        ):
            notes.append(
                f"{self._path}: solver = MERR with merr_method = abc is fitted as published; "
                "FitSNAP 3.1 leaves out the "
                "likelihood's first term, and its coefficients then fit nothing"
            )
        return tuple(notes)

    def _eshift(self) -> dict[str, float]:
        """[ESHIFT] and, with the VASP scraper, [TRAINSHIFT]."""
        shifts: dict[str, float] = {}
        used = ("ESHIFT", "TRAINSHIFT") if self._scraper() == "VASP" else ("ESHIFT",)
        elements = self._get("BISPECTRUM", "type", "H").split()
        for section in ("ESHIFT", "TRAINSHIFT"):
            for k, v in self._parser.items(section) if self._parser.has_section(section) else []:
                if k not in elements:
                    raise self._error(
                        f"[{section}] {k}", f"is no type here; {did_you_mean(k, elements)}"
                    )
                number = self._number(f"[{section}] {k}", v)
                shifts[k] = shifts.get(k, 0.0) + (number if section in used else 0.0)
        return shifts

    def _fit(self) -> FitSettings:
        name = self._get("SOLVER", "solver", "SVD")
        if name.upper() not in SOLVERS:
            raise self._error(
                f"[SOLVER] solver = {name}", f"not supported; there are {', '.join(SOLVERS)}"
            )
        if name.upper() != "MERR":
            return SOLVERS[name.upper()]
        method, chosen = (
            self._get("SOLVER", "merr_method", "abc").lower(),
            self._get("SOLVER", "merr_cfs", "all").split(),
        )
        if method not in ("iid", "abc", "full"):
            raise self._error(f"[SOLVER] merr_method = {method}", "is none of iid, abc, full")
        wrong = [c for c in chosen if not c.isdigit()]
        if chosen != ["all"] and wrong:
            raise self._error(
                f"[SOLVER] merr_cfs = {' '.join(chosen)}",
                f"{wrong[0]} is no number; numbers, or all",
            )
        embed = "all" if chosen == ["all"] else tuple(int(c) for c in chosen)
        given = SOLVERS["MERR"].model_dump(exclude_unset=True) | (
            MERR_ABC if method == "abc" else {}
        )
        mult = self._flag("SOLVER", "merr_mult", False)
        return FitSettings.model_validate(
            {**given, "likelihood": method, "embed": embed, "multiplicative": mult}
        )

    def _groups(self) -> tuple[Group, ...]:
        columns = self._get(
            "GROUPS", "group_sections", "name size eweight fweight vweight"
        ).split()[1:]
        types = self._get("GROUPS", "group_types", "str float float float float").split()[1:]
        if len(columns) != len(types):
            raise self._error(
                "[GROUPS]", f"group_sections names {len(columns)} columns, group_types {len(types)}"
            )
        for column in columns:
            if column not in (
                "size",
                "training_size",
                "testing_size",
                "eweight",
                "fweight",
                "vweight",
            ):
                raise self._error(f"[GROUPS] group_sections: {column}", "not supported")
        lines = self._group_file() or self._group_lines()
        kinds = dict(zip(columns, types, strict=True))
        groups = [self._group(k, v, kinds) for k, v in lines]
        if not groups:
            raise self._error("[GROUPS]", "no groups of configurations")
        return tuple(groups)

    def _group_lines(self) -> list[tuple[str, str]]:
        lines = self._parser.items("GROUPS") if self._parser.has_section("GROUPS") else []
        return [(k, v) for k, v in lines if k not in known_keys("GROUPS")]

    def _group_file(self) -> list[tuple[str, str]]:
        """Lines of [PATH] groupFile: the group's name, then what group_sections says."""
        name = self._get("PATH", "groupFile", "None")
        if name == "None":
            return []
        path = self._path.parent / expanded(name)
        if not path.is_file():
            raise self._error(f"[PATH] groupFile = {name}", "no such file")
        lines = [
            line.split("#")[0].split(maxsplit=1)
            for line in require_regular_file(path, LARGEST_TEXT)
            .read_text(encoding="utf-8")
            .splitlines()
        ]
        return [(line[0], line[1] if len(line) > 1 else "") for line in lines if line]

    def _group(self, name: str, line: str, kinds: dict[str, str]) -> Group:
        words = line.split()
        if len(words) != len(kinds):
            raise self._error(
                f"[GROUPS] {name}", f"{len(words)} values for the columns {', '.join(kinds)}"
            )
        values = {
            c: self._number(f"[GROUPS] {name}, {c}", w) for c, w in zip(kinds, words, strict=True)
        }
        for column, value in values.items():
            if value < 0:
                raise self._error(
                    f"[GROUPS] {name}, {column}", f"is {value:g}, and may not be negative"
                )
            try:
                check_weight(value if column.endswith("weight") else 0.0)
            except ValueError as error:
                raise self._error(f"[GROUPS] {name}, {column}", str(error)) from error
        bare = "size" in values
        if bare == ("training_size" in values):
            raise self._error("[GROUPS] group_sections", "give either size or training_size")
        training = "size" if bare else "training_size"
        return Group(
            name,
            values[training],
            values.get("testing_size", 0.0),
            (kinds[training] == "float", kinds.get("testing_size", "float") == "float"),
            bare,
            values.get("eweight", 1.0),
            values.get("fweight", 1.0),
            values.get("vweight", 1.0),
        )

    def _get(self, section: str, key: str, fallback: str) -> str:
        return self._parser.get(section, key, fallback=fallback).strip()

    def _flag(self, section: str, key: str, fallback: bool) -> bool:
        text = self._get(section, key, str(int(fallback)))
        if text.lower() not in BOOLEAN:
            raise self._error(f"[{section}] {key} = {text}", "expected 0 or 1")
        return BOOLEAN[text.lower()]

    def _choice(self, section: str, key: str, fallback: str, choices: tuple[str, ...]) -> str:
        text = self._get(section, key, fallback).upper()
        if text not in choices:
            raise self._error(
                f"[{section}] {key} = {text}", f"not supported; there are {', '.join(choices)}"
            )
        return text

    def _number(self, where: str, text: str) -> float:
        try:
            number = float(text)
        except ValueError as error:
            raise self._error(where, f"{text!r} is no number") from error
        if not math.isfinite(number):
            raise self._error(where, f"{text!r} is not finite")
        return number

    def _whole(self, where: str, text: str) -> int:
        number = self._number(where, text)
        if number != int(number):
            raise self._error(where, f"{text!r} is no whole number")
        return int(number)

    def _integer(self, section: str, key: str, fallback: str) -> int:
        return self._whole(f"[{section}] {key}", self._get(section, key, fallback))

    def _error(self, where: str, what: str) -> InputError:
        return InputError(f"{self._path}: {where}: {what}")


def _is_zero(text: str) -> bool:
    """0, 0.0, false, no, off, None."""
    try:
        return float(text) == 0
    except ValueError:
        return text == "None" or BOOLEAN.get(text.lower()) is False
