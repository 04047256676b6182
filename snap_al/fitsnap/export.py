"""A training set out again: FitSNAP JSON in groups, and a deck with which FitSNAP fits it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from snap_al.data import Configuration, LabelledConfiguration, Weighting
from snap_al.data.rows import FORCES
from snap_al.data.storage import require_regular_file, write_atomically
from snap_al.descriptors import ReferencePotential, SnapSettings
from snap_al.errors import InputError
from snap_al.fitsnap.json_files import write_json
from snap_al.fitsnap.scrape import in_lammps_axes

DAMPED = 0.5
"""FitSNAP has one weight per group: configurations whose weights are damped below this stand in a
group of their own.
"""

LONGEST = 60
"""Characters of a group's folder: file systems take 255 bytes."""


@dataclass(frozen=True)
class _Group:
    """Configurations that share weights."""

    name: str
    """Name of the group and of its folder."""
    items: list[LabelledConfiguration]
    """Configurations of the group."""
    weights: tuple[float, float, float]
    """Weights of the group."""


def export(
    items: Sequence[LabelledConfiguration],
    settings: SnapSettings,
    reference: ReferencePotential,
    folder: Path,
    eshift: Mapping[str, float] | None = None,
) -> Path:
    """Writes JSON/<group>/*.json, export.in, and the files that the reference potential names into
    `folder`, replacing what is there. Returns the deck's path.

    eshift: eV per atom of an element, for the deck's [ESHIFT]. A group's weights are the means of
    those that its rows have here. Energies are those of the labels: constants are fitted unless
    bzeroflag is set. Raises InputError for labels without energy or forces, which FitSNAP needs,
    and for an open boundary, which it does not have.
    """
    for item in items:
        c = item.configuration
        if c.label.energy is None or c.label.forces is None:
            raise InputError(
                f"{c.name or c.key}: has no energy or no forces, which FitSNAP's JSON needs"
            )
        if not all(c.pbc):
            raise InputError(
                f"{c.name or c.key}: has an open boundary, which FitSNAP does not have"
            )
    if not items:
        raise InputError("no labels to write yet")
    groups = _groups(items)
    deck = folder / "export.in"
    if (folder / "JSON").exists():
        if not deck.exists() or (folder / "JSON").is_symlink() or not (folder / "JSON").is_dir():
            raise InputError(
                f"{folder / 'JSON'} is there already, and not from an export; give another --out"
            )
        shutil.rmtree(folder / "JSON")
    for group in groups:
        for number, item in enumerate(group.items):
            path = folder / "JSON" / group.name / f"{number:05d}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(write_json(_right_handed(item.configuration)), encoding="utf-8")
    stress = all(item.configuration.label.stress is not None for item in items)
    for path in reference.files():
        if (folder / path.name).resolve() != path.resolve():
            write_atomically(folder / path.name, require_regular_file(path).read_bytes())
    write_atomically(deck, _deck(groups, settings, reference.beside(), stress, eshift or {}))
    return deck


def _right_handed(c: Configuration) -> Configuration:
    """FitSNAP takes no left-handed cell; its mirror image has the same energies."""
    return c if np.linalg.det(c.cell) > 0 else in_lammps_axes(c)


def _groups(items: Sequence[LabelledConfiguration]) -> list[_Group]:
    weighting = Weighting(items)
    sorted_in: dict[tuple[str, bool], list[LabelledConfiguration]] = {}
    for item in items:
        rows = weighting.of(item)
        full = replace(item, damping=None)
        fitted_less = (
            rows[FORCES].sum() < DAMPED * weighting.of(full)[FORCES].sum()
            or rows[0] < DAMPED * item.weights.energy
        )
        sorted_in.setdefault((item.group or "training", bool(fitted_less)), []).append(item)
    names: list[str] = []
    for group, damped in sorted_in:
        names.append(_folder_name(f"{group}_damped" if damped else group, names))
    return [
        _Group(n, m, _mean_weights(m, weighting))
        for n, m in zip(names, sorted_in.values(), strict=True)
    ]


def _folder_name(group: str, taken: Sequence[str]) -> str:
    """Of letters, digits and _, no longer than file systems take, and another than those before
    whatever their case is.
    """
    name = re.sub(r"\W+", "_", group)[:LONGEST]
    lower, number = [t.lower() for t in taken], 2
    found = name
    while found.lower() in lower:
        found, number = f"{name}_{number}", number + 1
    return found


def _mean_weights(
    items: list[LabelledConfiguration], weighting: Weighting
) -> tuple[float, float, float]:
    rows = [weighting.of(item) for item in items]
    energy, forces, stress = (
        [r[part] for r in rows] for part in (slice(0, 1), slice(1, -6), slice(-6, None))
    )
    means = (float(np.mean(np.concatenate(kind))) for kind in (energy, forces, stress))
    return tuple(means)  # type: ignore[return-value]


def _deck(
    groups: list[_Group],
    settings: SnapSettings,
    reference: ReferencePotential,
    stress: bool,
    eshift: Mapping[str, float],
) -> str:
    s = settings
    bispectrum = {
        "numTypes": len(s.elements),
        "twojmax": _words(s.twojmax),
        "rcutfac": s.rcutfac,
        "rfac0": s.rfac0,
        "rmin0": s.rmin0,
        "wj": _words(s.wj),
        "radelem": _words(s.radelem),
        "type": " ".join(s.elements),
        "wselfallflag": int(s.wselfallflag),
        "chemflag": int(s.chemflag),
        "bnormflag": int(s.normalised),
        "bzeroflag": int(s.bzeroflag),
        "switchflag": int(s.switchflag),
        "quadraticflag": int(s.quadraticflag),
    }
    if s.sinner is not None and s.dinner is not None:
        bispectrum |= {"switchinnerflag": 1, "sinner": _words(s.sinner), "dinner": _words(s.dinner)}
    lines = reference.with_zero(s.max_cutoff)
    pairs = {
        f"pair_coeff{n}": line.removeprefix("pair_coeff ") for n, line in enumerate(lines[1:], 1)
    }
    rows = {g.name: "1.0 0.0 " + " ".join(f"{w:.8g}" for w in g.weights) for g in groups}
    sections: dict[str, dict[str, object]] = {
        "BISPECTRUM": bispectrum,
        "CALCULATOR": {"calculator": "LAMMPSSNAP", "energy": 1, "force": 1, "stress": int(stress)},
        "ESHIFT": {e: eshift.get(e, 0.0) for e in s.elements},
        "SOLVER": {"solver": "SVD", "compute_testerrs": 0, "detailed_errors": 1},
        "SCRAPER": {"scraper": "JSON"},
        "PATH": {"dataPath": "JSON"},
        "OUTFILE": {"metrics": "metrics.md", "potential": "potential"},
        "REFERENCE": {
            "units": "metal",
            "atom_style": reference.atom_style,
            "pair_style": lines[0].removeprefix("pair_style "),
            **pairs,
        },
        "GROUPS": {
            "group_sections": "name training_size testing_size eweight fweight vweight",
            "group_types": "str float float float float float",
            "smartweights": 0,
            "random_sampling": 0,
            **rows,
        },
        "EXTRAS": {"dump_descriptors": 0, "dump_truth": 0, "dump_weights": 0},
        "MEMORY": {"override": 0},
    }
    text = ["# written by snap-al export"]
    for section, content in sections.items():
        text += ["", f"[{section}]", *(f"{key} = {value}" for key, value in content.items())]
    return "\n".join(text) + "\n"


def _words(values: Sequence[float]) -> str:
    return " ".join(map(repr, values))
