"""Reads labels from ASE Atoms: from the results of a calculator, `info` and `arrays`, by the names
of label_names.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from snap_al.data.label import Label
from snap_al.data.label_candidates import Candidate, candidates
from snap_al.data.label_names import BARE, PREFIXES, LabelKeys, LabelName, family_of, spelling
from snap_al.data.label_units import Factors
from snap_al.data.label_values import LabelValue, ValueReader, looks_like
from snap_al.data.rows import KIND_NAMES, KindName
from snap_al.errors import InputError

Array = NDArray[np.float64]

SAME_ENERGY, SAME_FORCES, SAME_STRESS = 1e-5, 1e-3, 1e-5
"""eV/atom, eV/Å, eV/Å³: differences that come from rounding in files. Labels that differ by more
disagree."""
ORDER = (*PREFIXES, BARE)
"""Order of the families. When families disagree and no labels are asked for, the first is used:
names without a prefix may be predictions."""


@dataclass(frozen=True)
class FrameLabels:
    """The labels of one frame."""

    label: Label
    """The label."""
    families: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Families that hold all labels of the frame, with the names that the labels have there. There
    are several when they agree."""
    unread: tuple[str, ...] = ()
    """Names that look like labels and were not read."""


_Family = dict[KindName, LabelValue]


def labels_of(
    atoms: Atoms,
    where: str,
    keys: LabelKeys | None = None,
    factors: Factors | None = None,
    *,
    required: bool = True,
) -> FrameLabels:
    """Energy, forces and stress of a frame, in eV, eV/Å and eV/Å³.

    keys: names to read instead of the known ones. factors: units of the frame. With `required`,
    raises InputError for names of one kind that disagree, for labels of two families that cannot be
    compared, for a name that looks like a label of a kind that is missing, and for values that are
    not numbers. Otherwise, the labels that are clear are taken.
    """
    frame = _Frame(atoms, where, factors or Factors(), required)
    return frame.named(keys) if keys is not None else frame.by_family()


class _Frame:
    def __init__(self, atoms: Atoms, where: str, factors: Factors, required: bool) -> None:
        self._n, self._where, self._required = len(atoms), where, required
        self._candidates = list(candidates(atoms))
        self._reader = ValueReader(atoms, where, factors)

    def named(self, keys: LabelKeys) -> FrameLabels:
        chosen: _Family = {}
        for key, entry in keys.entries().items():
            values = [self._parsed(c, entry) for c in self._candidates if c.name == key]
            if present := [v for v in values if v is not None]:
                if self._required:
                    self._require_same(present)
                chosen[entry.kind] = present[0]
        covered = {entry.kind for entry in keys.entries().values()}
        others = [c.name for c in self._candidates if looks_like(c) not in (None, *covered)]
        names = tuple(v.name for v in chosen.values())
        return FrameLabels(_label(chosen), {"labels:": names} if chosen else {}, tuple(others))

    def by_family(self) -> FrameLabels:
        families = self._families()
        names = {f: tuple(v.name for v in family.values()) for f, family in families.items()}
        kinds = {kind for family in families.values() for kind in family}
        try:
            self._require_agreement(families)
        except InputError:
            if self._required:
                raise
            return FrameLabels(_label(next(families[f] for f in ORDER if f in families)))
        unread = self._unread(kinds) if self._required else ()
        union = {
            k: next(families[f][k] for f in families if k in families[f])
            for k in KIND_NAMES
            if k in kinds
        }
        whole = {f: names[f] for f in families if set(families[f]) == kinds}
        if families and not whole:
            whole = {"+".join(sorted(families)): tuple(v.name for v in union.values())}
        return FrameLabels(_label(union), whole, unread)

    def _families(self) -> dict[str, _Family]:
        several: dict[str, dict[KindName, list[LabelValue]]] = {}
        for c in self._candidates:
            known = family_of(c.name)
            if known is None or self._reader.is_per_atom(c, known[1]):
                continue
            if (value := self._parsed(c, known[1])) is not None:
                several.setdefault(known[0], {}).setdefault(known[1].kind, []).append(value)
        return {
            f: {k: self._one(values) for k, values in kinds.items()} for f, kinds in several.items()
        }

    def _one(self, values: Sequence[LabelValue]) -> LabelValue:
        """The value with the lowest order. Names of this order mean the same and must agree."""
        lowest = min(v.entry.order for v in values)
        same = [v for v in values if v.entry.order == lowest]
        if self._required:
            self._require_same(same)
        return same[0]

    def _parsed(self, c: Candidate, entry: LabelName) -> LabelValue | None:
        """The value. When labels are not required, None for what is not such a label."""
        try:
            return LabelValue(c.name, entry, self._reader.converted(c, entry))
        except InputError:
            if self._required:
                raise
            return None

    def _require_same(self, values: Sequence[LabelValue]) -> None:
        for other in values[1:]:
            if not self._agree(values[0], other):
                raise InputError(self._disagreement(values[0], other))

    def _require_agreement(self, families: dict[str, _Family]) -> None:
        """Requires that each two families have the same values where both have them, and that they
        have a kind in common unless one has all."""
        for a, b in ((a, b) for n, a in enumerate(families) for b in list(families)[n + 1 :]):
            shared = [k for k in KIND_NAMES if k in families[a] and k in families[b]]
            for kind in shared:
                if not self._agree(families[a][kind], families[b][kind]):
                    both = (*families[b].values(), *families[a].values())
                    raise InputError(self._disagreement(families[a][kind], families[b][kind], both))
            if not shared:
                first, second = (", ".join(v.name for v in families[f].values()) for f in (a, b))
                raise InputError(
                    f"{self._where}: labels of two kinds of names, {first} and {second}, of which "
                    "nothing says that they "
                    "belong together; "
                    f"{_how_to_choose(*families[a].values(), *families[b].values())}"
                )

    def _agree(self, a: LabelValue, b: LabelValue) -> bool:
        if a.value.ndim == 0:
            limit, relative = SAME_ENERGY * self._n, 1e-9
        else:
            limit, relative = (SAME_FORCES if a.value.ndim == 2 else SAME_STRESS), 1e-4
        return bool(np.allclose(a.value, b.value, rtol=relative, atol=limit, equal_nan=True))

    def _disagreement(self, a: LabelValue, b: LabelValue, choice: Sequence[LabelValue] = ()) -> str:
        if a.value.ndim == 0:
            how = f"{float(a.value):.8g} and {float(b.value):.8g} eV"
        else:
            unit = "eV/Å" if a.value.ndim == 2 else "eV/Å³ as stress"
            how = f"up to {np.nanmax(np.abs(a.value - b.value)):.3g} {unit} apart"
        return (
            f"{self._where}: {a.name} and {b.name} disagree ({how}); "
            f"{_how_to_choose(*(choice or (b, a)))}"
        )

    def _unread(self, kinds: set[KindName]) -> tuple[str, ...]:
        """Names that look like labels and are not read. Raises InputError when one may be the label
        that is missing."""
        unread = []
        for c in self._candidates:
            kind, known = looks_like(c), family_of(c.name)
            per_atom = known is not None and self._reader.is_per_atom(c, known[1])
            if kind is None or (known is not None and not per_atom):
                continue
            if kind not in kinds and self._reader.may_be(kind, c):
                raise InputError(self._unknown(c, kind, per_atom))
            if not per_atom:
                unread.append(c.name)
        return tuple(unread)

    def _unknown(self, c: Candidate, kind: KindName, per_atom: bool) -> str:
        key = "virial" if "virial" in c.name.lower() and "stress" not in c.name.lower() else kind
        if per_atom:
            return (
                f"{self._where}: {c.name} has a value for each atom, and there is none of the "
                "whole cell; "
                f"give that as {spelling(kind)}"
            )
        return (
            f"{self._where}: {c.name} looks like {_ARTICLE[kind]}, and is no name that is read; "
            "call it "
            f"{spelling(kind)}, or name the labels to read: `labels: {{{key}: {c.name}}}` in a "
            "config, "
            f"`--labels {key}={c.name}` on the command line"
        )


_ARTICLE = {"energy": "an energy", "forces": "forces", "stress": "a stress or virial"}


def _how_to_choose(*values: LabelValue) -> str:
    """Advice on which names to give, with the first name of each kind as the example."""
    first: dict[KindName, LabelValue] = {}
    for v in values:
        first.setdefault(v.entry.kind, v)
    pairs = ", ".join(f"{v.key}: {v.name}" for v in first.values())
    flat = ",".join(f"{v.key}={v.name}" for v in first.values())
    return (
        f"say which to read, for example `labels: {{{pairs}}}` in a config, or `--labels "
        f"{flat}` on the command line"
    )


def _label(values: _Family) -> Label:
    energy, forces, stress = (values.get(kind) for kind in KIND_NAMES)
    return Label(
        None if energy is None else float(energy.value),
        None if forces is None else forces.value,
        None if stress is None else stress.value,
    )
