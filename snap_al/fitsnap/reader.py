"""Reading a FitSNAP deck: every key of it is followed, makes no difference, or is refused
(keys.py).

https://fitsnap.github.io/Run/Run_input.html
"""

from __future__ import annotations

import configparser
import re
from pathlib import Path

from pydantic import ValidationError

from snap_al.data.fitsnap_units import property_units
from snap_al.data.storage import LARGEST_TEXT, expanded, require_regular_file
from snap_al.descriptors import SnapSettings
from snap_al.errors import InputError, did_you_mean
from snap_al.fitsnap.deck import DUMPS, MERR_ABC, SOLVERS, Deck
from snap_al.fitsnap.groups import groups_of
from snap_al.fitsnap.keys import FOLLOWED, FREE_SECTIONS, NO_DIFFERENCE, REFUSED_UNLESS, known_keys
from snap_al.fitsnap.values import Values, is_zero
from snap_al.inference import FitSettings, fit_settings

MOST_SAMPLES = 1_000_000


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
    return _Reader(Values(path, parser)).deck()


class _Reader:
    def __init__(self, values: Values) -> None:
        self._values = values

    def deck(self) -> Deck:
        self._check_keys()
        self._values.choice("CALCULATOR", "calculator", "LAMMPSSNAP", ("LAMMPSSNAP",))
        groups = groups_of(self._values)
        if self._values.flag("GROUPS", "random_sampling", False):
            seed: int | None = self._values.integer("GROUPS", "random_seed", "1")
        else:
            seed = None
        flags = tuple(
            self._values.flag("CALCULATOR", k, True) for k in ("energy", "force", "stress")
        )
        return Deck(
            path=self._values.path,
            settings=self._settings(),
            reference=self._reference(),
            eshift=self._eshift(),
            kinds=(flags[0], flags[1], flags[2]),
            fit=self._fit(),
            scraper=self._scraper(),
            units=self._units(),
            total_energy=self._values.flag("GROUPS", "vasp_use_TOTEN", False),
            skip_incomplete=self._values.flag("GROUPS", "vasp_ignore_incomplete", True),
            data=self._values.path.parent / expanded(self._values.get("PATH", "dataPath", "JSON")),
            groups=groups,
            smartweights=self._values.flag("GROUPS", "smartweights", False),
            random_seed=seed,
            potential=self._values.get("OUTFILE", "potential", "fitsnap_potential"),
            metrics=self._values.get("OUTFILE", "metrics", "fitsnap_metrics"),
            metrics_style=self._values.choice(
                "OUTFILE", "metrics_style", "MD", ("MD", "CSV", "SSV", "JSON")
            ),
            dumps=self._dumps(),
            samples=self._samples(),
            memory=self._memory(),
            notes=self._notes(),
        )

    def _check_keys(self) -> None:
        for section in self._values.parser.sections():
            if section not in FOLLOWED:
                raise self._values.error(
                    f"[{section}]",
                    f"unknown or unsupported section; {did_you_mean(section, FOLLOWED)}",
                )
            for key, value in self._values.parser.items(section):
                self._check_key(section, key, value)

    def _check_key(self, section: str, key: str, value: str) -> None:
        refused = REFUSED_UNLESS.get(section, {})
        if key in refused:
            harmless, reason = refused[key]
            if value not in harmless and not ("0" in harmless and is_zero(value)):
                raise self._values.error(
                    f"[{section}] {key} = {value}",
                    f"would change the result and is not supported: {reason}",
                )
            return
        free = section in FREE_SECTIONS or (section == "REFERENCE" and key.startswith("pair_coeff"))
        if not free and key not in FOLLOWED[section] and key not in NO_DIFFERENCE.get(section, ()):
            raise self._values.error(
                f"[{section}] {key}", f"unknown key; {did_you_mean(key, known_keys(section))}"
            )

    def _settings(self) -> SnapSettings:
        get = self._values.get
        twojmax = tuple(
            self._values.whole("[BISPECTRUM] twojmax", x)
            for x in get("BISPECTRUM", "twojmax", "6").split()
        )
        elements = tuple(get("BISPECTRUM", "type", "H").split())
        n = self._values.integer("BISPECTRUM", "numTypes", "1")
        if n != len(elements):
            raise self._values.error(
                "[BISPECTRUM] numTypes", f"is {n}, and type names {len(elements)} elements"
            )
        chem = self._values.flag("BISPECTRUM", "chemflag", False)
        inner: list[tuple[float, ...] | None] = [None, None]
        if self._values.flag("BISPECTRUM", "switchinnerflag", False):
            words = [
                get("BISPECTRUM", k, v).split()
                for k, v in (("sinner", "0.9 " * n), ("dinner", "0.1 " * n))
            ]
            inner = [
                tuple(self._values.number("[BISPECTRUM] sinner, dinner", w) for w in ws)
                for ws in words
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
                bnormflag=self._values.flag("BISPECTRUM", "bnormflag", False),
                wselfallflag=chem
                and self._values.flag(
                    "BISPECTRUM", "wselfallflag", False
                ),  # without chem it changes nothing
                bzeroflag=self._values.flag("BISPECTRUM", "bzeroflag", False),
                switchflag=self._values.flag("BISPECTRUM", "switchflag", True),
                quadraticflag=self._values.flag("BISPECTRUM", "quadraticflag", False),
                sinner=inner[0],
                dinner=inner[1],
            )
        except (ValidationError, ValueError) as error:
            raise self._values.error("[BISPECTRUM]", " ".join(str(error).split())) from error

    def _reference(self) -> tuple[str, ...]:
        lines = [f"units {self._values.get('REFERENCE', 'units', 'metal').lower()}"]
        lines.append(f"atom_style {self._values.get('REFERENCE', 'atom_style', 'atomic').lower()}")
        lines.append(f"pair_style {self._values.get('REFERENCE', 'pair_style', 'zero 10.0')}")
        if self._values.parser.has_section("REFERENCE"):
            self._check_types()
            lines += [
                f"pair_coeff {v}"
                for k, v in self._values.parser.items("REFERENCE")
                if k.startswith("pair_coeff")
            ]
        if len(lines) == 3:
            lines.append("pair_coeff * *")
        return tuple(lines)

    def _check_types(self) -> None:
        """FitSNAP passes pair_coeff on to LAMMPS, which knows numbers alone."""
        for key, value in self._values.parser.items("REFERENCE"):
            wrong = [word for word in value.split()[:2] if not re.fullmatch(r"\d+|\d*\*\d*", word)]
            if key.startswith("pair_coeff") and wrong:
                raise self._values.error(
                    f"[REFERENCE] {key}",
                    f"{wrong[0]} is no type; FitSNAP takes numbers of types, and *",
                )

    def _scraper(self) -> str:
        return self._values.choice("SCRAPER", "scraper", "JSON", ("JSON", "XYZ", "VASP"))

    def _units(self) -> dict[str, float]:
        try:
            return property_units(self._values.get("SCRAPER", "property_array", "None"))
        except ValueError as error:
            raise self._values.error("[SCRAPER] property_array", str(error)) from error

    def _dumps(self) -> dict[str, str]:
        return {
            name: self._values.get("OUTFILE", name, file)
            for name, file in DUMPS.items()
            if self._values.flag("EXTRAS", f"dump_{name}", False)
        }

    def _samples(self) -> int:
        n = self._values.integer("SOLVER", "nsam", "0")
        if not 0 <= n <= MOST_SAMPLES:
            raise self._values.error(
                f"[SOLVER] nsam = {n}", f"expected a number from 0 to {MOST_SAMPLES:,}"
            )
        return n

    def _memory(self) -> int | None:
        if self._values.flag("MEMORY", "override", False) or not self._values.parser.has_option(
            "MEMORY", "memory"
        ):
            return None
        return self._values.integer("MEMORY", "memory", "0")

    def _notes(self) -> tuple[str, ...]:
        notes: list[str] = []
        path = self._values.path
        if self._values.parser.has_section("TRAINSHIFT") and self._scraper() != "VASP":
            notes.append(
                f"{path}: [TRAINSHIFT] is not added: FitSNAP does so with scraper = VASP only"
            )
        if (
            self._values.get("SOLVER", "solver", "SVD").upper() == "MERR"
            and self._values.get("SOLVER", "merr_method", "abc") == "abc"
        ):
            notes.append(
                f"{path}: solver = MERR with merr_method = abc is fitted as published; FitSNAP 3.1 "
                "leaves out the likelihood's first term, and its coefficients then fit nothing"
            )
        return tuple(notes)

    def _eshift(self) -> dict[str, float]:
        """[ESHIFT] and, with the VASP scraper, [TRAINSHIFT]."""
        shifts: dict[str, float] = {}
        used = ("ESHIFT", "TRAINSHIFT") if self._scraper() == "VASP" else ("ESHIFT",)
        elements = self._values.get("BISPECTRUM", "type", "H").split()
        for section in ("ESHIFT", "TRAINSHIFT"):
            for k, v in (
                self._values.parser.items(section)
                if self._values.parser.has_section(section)
                else []
            ):
                if k not in elements:
                    raise self._values.error(
                        f"[{section}] {k}", f"is no type here; {did_you_mean(k, elements)}"
                    )
                number = self._values.number(f"[{section}] {k}", v)
                shifts[k] = shifts.get(k, 0.0) + (number if section in used else 0.0)
        return shifts

    def _fit(self) -> FitSettings:
        name = self._values.get("SOLVER", "solver", "SVD")
        if name.upper() not in SOLVERS:
            raise self._values.error(
                f"[SOLVER] solver = {name}", f"not supported; there are {', '.join(SOLVERS)}"
            )
        if name.upper() != "MERR":
            return SOLVERS[name.upper()]
        method, chosen = (
            self._values.get("SOLVER", "merr_method", "abc").lower(),
            self._values.get("SOLVER", "merr_cfs", "all").split(),
        )
        if method not in ("iid", "abc", "full"):
            raise self._values.error(
                f"[SOLVER] merr_method = {method}", "is none of iid, abc, full"
            )
        wrong = [c for c in chosen if not c.isdigit()]
        if chosen != ["all"] and wrong:
            raise self._values.error(
                f"[SOLVER] merr_cfs = {' '.join(chosen)}",
                f"{wrong[0]} is no number; numbers, or all",
            )
        embed = "all" if chosen == ["all"] else tuple(int(c) for c in chosen)
        given = SOLVERS["MERR"].model_dump(exclude_unset=True) | (
            MERR_ABC if method == "abc" else {}
        )
        mult = self._values.flag("SOLVER", "merr_mult", False)
        return fit_settings(
            **{**given, "likelihood": method, "embed": embed, "multiplicative": mult}
        )
