"""How much of each file was read, and how many of its labels are used. A file that stands in two
entries of a config is counted in each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from snap_al.data.labelled import LabelledConfiguration

SetName = Literal["training", "test", "pool", "data"]


@dataclass(frozen=True)
class ReadCount:
    """What was read from one file for one entry of a config, or for one group of a FitSNAP deck.

    A label is used when its weight is above zero.
    """

    set: SetName
    """The set that the file is read for."""
    file: str
    """Path of the file, or name of the group."""
    frames: int
    """Number of frames in the file."""
    energies: int = 0
    """Number of frames whose energies are used."""
    forces: int = 0
    """Number of atoms whose forces are used."""
    stresses: int = 0
    """Number of frames whose stresses are used."""
    weightless: tuple[str, ...] = ()
    """Kinds with labels of weight 0."""
    unread: tuple[str, ...] = ()
    """Names that look like labels and were not read."""
    entry: str = ""
    """The entry of the config, such as training.0; "" where a deck or the command line names the
    file."""
    labels_used: bool = True
    """False when only the structures of the file are used."""

    def described(self) -> list[str]:
        """The count in sentences."""
        used = (
            f"energies of {self.energies}, forces on {_counted(self.forces, 'atom')}, stresses "
            f"of {self.stresses}"
        )
        file = f"{self.file} ({self.entry or self.set})"
        frames = f"read {file}: {_counted(self.frames, 'frame')}"
        lines = [f"{frames}; used: {used}" if self.labels_used else frames]
        for kind in self.weightless:
            weight = {"energies": "eweight", "forces": "fweight", "stresses": "vweight"}[kind]
            lines.append(f"{file}: has {kind}, which are not used: their weight, {weight}, is 0")
        if self.unread:
            lines.append(
                f"{file}: not read, though they look like labels: "
                f"{', '.join(map(_shown, self.unread))}; "
                "`labels:` in a config, `--labels` on the command line name what to read"
            )
        return lines

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


def count(
    set: SetName,
    file: str,
    frames: int,
    items: Iterable[LabelledConfiguration],
    unread: Sequence[str] = (),
    entry: str = "",
) -> ReadCount:
    """items: the configurations of the file that are used, as this entry has them."""
    used: Counter[str] = Counter()
    weightless: dict[str, None] = {}
    for item in items:
        label, weights, core = item.configuration.label, item.weights, item.configuration.core
        atoms = len(item.configuration) if core is None else int(core.sum())
        for kind, value, weight, number in (
            ("energies", label.energy, weights.energy, 1),
            ("forces", label.forces, weights.force, atoms),
            ("stresses", label.stress, weights.stress, 1),
        ):
            if value is not None and weight > 0:
                used[kind] += number
            elif value is not None:
                weightless[kind] = None
    return ReadCount(
        set,
        file,
        frames,
        used["energies"],
        used["forces"],
        used["stresses"],
        tuple(weightless),
        tuple(unread),
        entry,
    )


def by_source(set: SetName, items: Iterable[LabelledConfiguration]) -> list[ReadCount]:
    """Counts of configurations that have a source, in the order in which the sources appear."""
    sources: dict[str, list[LabelledConfiguration]] = {}
    for item in items:
        sources.setdefault(item.source, []).append(item)
    return [count(set, source, len(group), group) for source, group in sources.items()]


def without_left_out(
    counts: Iterable[ReadCount], kept: dict[SetName, Iterable[LabelledConfiguration]]
) -> tuple[ReadCount, ...]:
    """The same counts after some configurations could not be computed.

    kept: the configurations that could be computed, by set.
    """
    recounted = []
    items = {name: list(content) for name, content in kept.items()}
    for c in counts:
        kept_items = (i for i in items[c.set] if (i.source, i.entry) == (c.file, c.entry))
        now = count(c.set, c.file, c.frames, kept_items, c.unread, c.entry)
        recounted.append(replace(now, weightless=c.weightless))
    return tuple(recounted)


def _shown(name: str) -> str:
    """A name from a file, without characters that a terminal would take for a command."""
    return name if name.isprintable() else repr(name)


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
