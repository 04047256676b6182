"""FitSNAP decks (`.in`): sections and keys as FitSNAP 3.1 knows them, every one of them either followed or refused.

https://fitsnap.github.io/Run/Run_input.html
"""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from snap_al.descriptors import SnapSettings
from snap_al.errors import InputError, did_you_mean
from snap_al.fit import FitSettings

BOOLEAN = {"1": True, "0": False, "true": True, "false": False, "yes": True, "no": False, "on": True, "off": False}

FOLLOWED: dict[str, tuple[str, ...]] = {
    "BISPECTRUM": (
        "numTypes", "twojmax", "rcutfac", "rfac0", "rmin0", "wj", "radelem", "type", "wselfallflag", "chemflag",
        "bzeroflag", "bnormflag", "switchflag", "quadraticflag", "switchinnerflag", "sinner", "dinner",
    ),
    "CALCULATOR": ("calculator", "energy", "force", "stress"),
    "ESHIFT": (),  # one key per element
    "SOLVER": ("solver", "compute_testerrs", "detailed_errors"),
    "SCRAPER": ("scraper",),
    "PATH": ("dataPath",),
    "OUTFILE": ("metrics", "potential", "output_style", "metrics_style"),
    "REFERENCE": ("units", "atom_style", "pair_style"),  # and pair_coeff1, pair_coeff2 …
    "GROUPS": ("group_sections", "group_types", "smartweights", "random_sampling", "random_seed"),  # and one per group
    "EXTRAS": ("dump_descriptors", "dump_truth", "dump_weights", "dump_dataframe", "multinode_testing"),
    "MEMORY": ("memory", "override"),
}  # fmt: skip

HARMLESS_WHEN: dict[str, dict[str, tuple[str, ...]]] = {
    "BISPECTRUM": {"bikflag": ("0",), "dgradflag": ("0",)},
    "CALCULATOR": {"per_atom_energy": ("0",), "nonlinear": ("0",), "per_atom_scalar": ("0",)},
    "SOLVER": {
        "normalweight": ("-12",), "normratio": ("0.5",), "nsam": ("0",), "cov_nugget": ("0", "0.0"),
        "merr_method": ("iid",), "merr_mult": ("0",), "merr_cfs": ("all",),
    },
    "SCRAPER": {"save_group_scrape": ("None",), "read_group_scrape": ("None",), "property_array": ("None",)},
    "PATH": {"groupFile": ("None",)},
    "EXTRAS": {"apply_transpose": ("0",), "only_test": ("0",), "dump_peratom": ("0",), "dump_perconfig": ("0",), "dump_configs": ("0",)},
}  # fmt: skip
"""Keys that are not followed; with any other value they would change the result, and are refused."""

SOLVERS: dict[str, FitSettings] = {
    # Anchored on least squares: FitSNAP's own coefficients, with error bars.
    "SVD": FitSettings(posterior="embedded", prior_precision=1e-14),
    "ANL": FitSettings(posterior="bayes", prior_precision=1e-14),
    "MERR": FitSettings(posterior="embedded", prior_precision=1e-14),
    "SNAP_AL": FitSettings(),
}


@dataclass(frozen=True)
class Group:
    """One line of [GROUPS]. Sizes: a count, or with a fractional type a share of the group's files."""

    name: str
    training_size: float
    testing_size: float
    sizes_are_shares: tuple[bool, bool]
    bare_size: bool
    """Given as `size`: what is not for training is for testing."""
    eweight: float
    fweight: float
    vweight: float


@dataclass(frozen=True)
class Deck:
    """A deck, read. eshift: eV added to the energy for each atom of an element. kinds: energy, force, stress rows."""

    path: Path
    settings: SnapSettings
    reference: tuple[str, ...]
    eshift: dict[str, float]
    kinds: tuple[bool, bool, bool]
    fit: FitSettings
    scraper: str
    data: Path
    groups: tuple[Group, ...]
    smartweights: bool
    random_seed: int | None
    """None: files in the order of their names."""
    potential: str
    metrics: str


def read_deck(path: Path) -> Deck:
    """Raises InputError naming section and key for what is unknown, malformed, or would be ignored."""
    if not path.is_file():
        raise InputError(f"{path}: no such deck")
    parser = configparser.ConfigParser(inline_comment_prefixes="#")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read(path)
    except configparser.Error as error:
        raise InputError(f"{path}: not a FitSNAP deck: {' '.join(str(error).split())}") from error
    return _Reader(path, parser).deck()


class _Reader:
    def __init__(self, path: Path, parser: configparser.ConfigParser) -> None:
        self._path, self._parser = path, parser

    def deck(self) -> Deck:
        self._check_keys()
        groups = self._groups()
        if self._flag("GROUPS", "random_sampling", False):
            seed: int | None = int(float(self._get("GROUPS", "random_seed", "1")))
        else:
            seed = None
        flags = tuple(self._flag("CALCULATOR", k, True) for k in ("energy", "force", "stress"))
        return Deck(
            path=self._path, settings=self._settings(), reference=self._reference(), eshift=self._eshift(),
            kinds=(flags[0], flags[1], flags[2]), fit=self._fit(),
            scraper=self._choice("SCRAPER", "scraper", "JSON", ("JSON", "XYZ")),
            data=self._path.parent / self._get("PATH", "dataPath", "JSON"), groups=groups,
            smartweights=self._flag("GROUPS", "smartweights", False), random_seed=seed,
            potential=self._get("OUTFILE", "potential", "fitsnap_potential"),
            metrics=self._get("OUTFILE", "metrics", "fitsnap_metrics"),
        )  # fmt: skip

    def _check_keys(self) -> None:
        for section in self._parser.sections():
            if section not in FOLLOWED:
                raise self._error(f"[{section}]", f"unknown or unsupported section; {did_you_mean(section, FOLLOWED)}")
            for key, value in self._parser.items(section):
                self._check_key(section, key, value)

    def _check_key(self, section: str, key: str, value: str) -> None:
        free = section in ("GROUPS", "ESHIFT") or (section == "REFERENCE" and key.startswith("pair_coeff"))
        if key in FOLLOWED[section] or (free and key not in HARMLESS_WHEN.get(section, {})):
            return
        harmless = HARMLESS_WHEN.get(section, {})
        if key not in harmless:
            raise self._error(
                f"[{section}] {key}", f"unknown key; {did_you_mean(key, [*FOLLOWED[section], *harmless])}"
            )
        if value not in harmless[key] and BOOLEAN.get(value.lower()) is not False:
            raise self._error(f"[{section}] {key} = {value}", "not supported, and it would change the result")

    def _settings(self) -> SnapSettings:
        get = self._get
        twojmax = {int(x) for x in get("BISPECTRUM", "twojmax", "6").split()}
        if len(twojmax) != 1:
            raise self._error("[BISPECTRUM] twojmax", "different values per type are not supported yet")
        elements = tuple(get("BISPECTRUM", "type", "H").split())
        n = int(get("BISPECTRUM", "numTypes", "1"))
        if n != len(elements):
            raise self._error("[BISPECTRUM] numTypes", f"is {n}, and type names {len(elements)} elements")
        chem = self._flag("BISPECTRUM", "chemflag", False)
        inner: list[tuple[float, ...] | None] = [None, None]
        if self._flag("BISPECTRUM", "switchinnerflag", False):
            words = [get("BISPECTRUM", k, v).split() for k, v in (("sinner", "0.9 " * n), ("dinner", "0.1 " * n))]
            inner = [tuple(self._number("[BISPECTRUM] sinner, dinner", w) for w in ws) for ws in words]
        try:
            return SnapSettings(
                elements=elements, twojmax=twojmax.pop(), rcutfac=float(get("BISPECTRUM", "rcutfac", "4.67637")),
                rfac0=float(get("BISPECTRUM", "rfac0", "0.99363")), rmin0=float(get("BISPECTRUM", "rmin0", "0.0")),
                wj=tuple(float(x) for x in get("BISPECTRUM", "wj", "1.0").split()),
                radelem=tuple(float(x) for x in get("BISPECTRUM", "radelem", "0.5").split()),
                chemflag=chem, bnormflag=self._flag("BISPECTRUM", "bnormflag", False),
                wselfallflag=self._flag("BISPECTRUM", "wselfallflag", False),
                bzeroflag=self._flag("BISPECTRUM", "bzeroflag", False),
                switchflag=self._flag("BISPECTRUM", "switchflag", True),
                quadraticflag=self._flag("BISPECTRUM", "quadraticflag", False), sinner=inner[0], dinner=inner[1],
            )  # fmt: skip
        except (ValidationError, ValueError) as error:
            raise self._error("[BISPECTRUM]", " ".join(str(error).split())) from error

    def _reference(self) -> tuple[str, ...]:
        lines = [f"units {self._get('REFERENCE', 'units', 'metal').lower()}"]
        lines.append(f"atom_style {self._get('REFERENCE', 'atom_style', 'atomic').lower()}")
        lines.append(f"pair_style {self._get('REFERENCE', 'pair_style', 'zero 10.0')}")
        if self._parser.has_section("REFERENCE"):
            lines += [f"pair_coeff {v}" for k, v in self._parser.items("REFERENCE") if k.startswith("pair_coeff")]
        if len(lines) == 3:
            lines.append("pair_coeff * *")
        return tuple(lines)

    def _eshift(self) -> dict[str, float]:
        if not self._parser.has_section("ESHIFT"):
            return {}
        return {k: self._number(f"[ESHIFT] {k}", v) for k, v in self._parser.items("ESHIFT")}

    def _fit(self) -> FitSettings:
        name = self._get("SOLVER", "solver", "SVD")
        if name.upper() not in SOLVERS:
            raise self._error(f"[SOLVER] solver = {name}", f"not supported; there are {', '.join(SOLVERS)}")
        return SOLVERS[name.upper()]

    def _groups(self) -> tuple[Group, ...]:
        columns = self._get("GROUPS", "group_sections", "name size eweight fweight vweight").split()[1:]
        types = self._get("GROUPS", "group_types", "str float float float float").split()[1:]
        if len(columns) != len(types):
            raise self._error("[GROUPS]", f"group_sections names {len(columns)} columns, group_types {len(types)}")
        for column in columns:
            if column not in ("size", "training_size", "testing_size", "eweight", "fweight", "vweight"):
                raise self._error(f"[GROUPS] group_sections: {column}", "not supported")
        lines = self._parser.items("GROUPS") if self._parser.has_section("GROUPS") else []
        kinds = dict(zip(columns, types, strict=True))
        groups = [self._group(k, v, kinds) for k, v in lines if k not in FOLLOWED["GROUPS"]]
        if not groups:
            raise self._error("[GROUPS]", "no groups of configurations")
        return tuple(groups)

    def _group(self, name: str, line: str, kinds: dict[str, str]) -> Group:
        words = line.split()
        if len(words) != len(kinds):
            raise self._error(f"[GROUPS] {name}", f"{len(words)} values for the columns {', '.join(kinds)}")
        values = {c: self._number(f"[GROUPS] {name}, {c}", w) for c, w in zip(kinds, words, strict=True)}
        bare = "size" in values
        if bare == ("training_size" in values):
            raise self._error("[GROUPS] group_sections", "give either size or training_size")
        training = "size" if bare else "training_size"
        return Group(
            name, values[training], values.get("testing_size", 0.0),
            (kinds[training] == "float", kinds.get("testing_size", "float") == "float"), bare,
            values.get("eweight", 1.0), values.get("fweight", 1.0), values.get("vweight", 1.0),
        )  # fmt: skip

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
            raise self._error(f"[{section}] {key} = {text}", f"not supported; there are {', '.join(choices)}")
        return text

    def _number(self, where: str, text: str) -> float:
        try:
            return float(text)
        except ValueError as error:
            raise self._error(where, f"{text!r} is no number") from error

    def _error(self, where: str, what: str) -> InputError:
        return InputError(f"{self._path}: {where}: {what}")
