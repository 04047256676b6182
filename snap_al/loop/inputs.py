"""All input of a run from the user's files. It is read and checked before anything is written or
labelled."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snap_al.data import LabelledConfiguration
from snap_al.data.configuration import Configuration, shifted
from snap_al.data.counts import ReadCount, SetName, by_source, count
from snap_al.data.label_checks import LabelFinding, check_labels
from snap_al.data.readers import read_file
from snap_al.data.remarks import Remarks
from snap_al.data.storage import LARGEST_TEXT, require_regular_file
from snap_al.descriptors import ReferencePotential
from snap_al.errors import InputError
from snap_al.fitsnap import scrape
from snap_al.loop.settings import LabelledFile, RunConfig, TrainingSource
from snap_al.loop.walkers import Walker
from snap_al.md import StageSettings
from snap_al.potential import check_beside, not_compared, param_file, read_snapcoeff
from snap_al.sessions import check_script

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RunInputs:
    """What a run reads from the user's files."""

    reference: ReferencePotential
    """The reference potential."""
    training: tuple[LabelledConfiguration, ...]
    """The training set."""
    test: tuple[LabelledConfiguration, ...]
    """The test set."""
    start: tuple[Configuration, ...]
    """Configurations that are labelled first."""
    walkers: tuple[Walker, ...]
    """What each walker starts from."""
    prior_mean: Array | None
    """(n_distinct,) mean of the prior; None for zero."""
    left_out: tuple[str, ...]
    """Configurations that cannot be used, and why."""
    read: tuple[ReadCount, ...]
    """What was read from each labelled file."""
    digests: dict[str, str]
    """Digest of the content of each file, by the key of the config that names it. A resumed run
    must have the same."""
    notes: tuple[str, ...] = ()
    """Remarks on what a user may not expect, which is no fault."""
    findings: tuple[LabelFinding, ...] = ()
    """Problems with labels, and what could not be checked."""

    @property
    def remarks(self) -> Remarks:
        """Notes, and problems of labels."""
        return Remarks(notes=self.notes) + Remarks.of(self.findings)


def read_inputs(config: RunConfig, *, strict: bool = True, checked: bool = True) -> RunInputs:
    """Reads and checks the input. Raises InputError naming file and frame. If not strict, a
    labelled configuration that cannot be used is left out.

    checked: whether signs, units and placeholders of labels are checked, which takes a few seconds.
    It is called on one rank, and the result is sent to the others.
    """
    elements = config.descriptor.elements
    deck = config.deck
    given, left_out = ([], []) if deck is None else scrape(deck, strict=strict)
    files = _Files(config, strict, left_out)
    training = [
        item for n, s in enumerate(config.training) for item in files.items("training", n, s, s)
    ]
    weighted = TrainingSource(path=Path(), eweight=1, fweight=1, vweight=1)
    test = [item for n, s in enumerate(config.test) for item in files.items("test", n, s, weighted)]
    sets: dict[SetName, list[LabelledConfiguration]] = {
        "training": [item for item in given if not item.testing],
        "test": [item for item in given if item.testing],
    }
    lines, folders = list(config.reference), config.reference_folders
    reference = ReferencePotential.parse(lines, elements, folders)
    check_beside(reference)
    inputs = RunInputs(
        reference=reference,
        training=(*sets["training"], *training),
        test=(*sets["test"], *test),
        start=tuple(config.start.configurations(elements, config.seed)),
        walkers=tuple(_walkers(config, reference)),
        prior_mean=None
        if config.prior_mean is None
        else read_snapcoeff(config.prior_mean, config.descriptor),
        left_out=tuple(left_out),
        read=(
            *by_source("training", sets["training"]),
            *by_source("test", sets["test"]),
            *files.counts,
        ),
        digests={},
        notes=(*(deck.notes if deck else ()), *_not_compared(config.prior_mean)),
        findings=_findings(config, given, [*training, *test]) if checked else (),
    )
    if len(inputs.start) > config.stop.max_labels:
        raise InputError(
            f"start: {len(inputs.start)} configurations to label, and stop.max_labels is "
            f"{config.stop.max_labels}"
        )
    named = {f"reference file {word}": path for word, path in reference.named_files().items()}
    for where, path in (_files(config) | named).items():
        inputs.digests[where] = _digest_of_file(path)
    if given:
        inputs.digests["fitsnap, its training set"] = _digest(given)
    return inputs


def _not_compared(prior_mean: Path | None) -> list[str]:
    """What could not be checked about the file of the prior, if anything."""
    return [] if prior_mean is None else [text for text in [not_compared(prior_mean)] if text]


def _findings(
    config: RunConfig,
    items_of_deck: Sequence[LabelledConfiguration],
    items_of_files: Sequence[LabelledConfiguration],
) -> tuple[LabelFinding, ...]:
    """Findings on the labels of the deck and of each file. Units and signs belong to a source."""
    sources: dict[str, list[LabelledConfiguration]] = {}
    if config.fitsnap is not None:
        sources[str(config.fitsnap)] = list(items_of_deck)
    for item in items_of_files:
        sources.setdefault(item.source, []).append(item)
    return tuple(f for path, items in sources.items() for f in check_labels(items, path))


def _digest(items: Sequence[LabelledConfiguration]) -> str:
    """Digest of structures and labels."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(item.configuration.key.encode())
        for value in vars(item.configuration.label).values():
            digest.update(b"-" if value is None else np.asarray(value, dtype="<f8").tobytes())
    return digest.hexdigest()[:16]


class _Files:
    """The labelled files of a config.

    counts: what was read from each so far.
    """

    def __init__(self, config: RunConfig, strict: bool, left_out: list[str]) -> None:
        self._config, self._strict, self._left_out = config, strict, left_out
        self.counts: list[ReadCount] = []

    def items(
        self, set: SetName, number: int, source: LabelledFile, weighted: TrainingSource
    ) -> list[LabelledConfiguration]:
        """The configurations of an entry, with the weights and damping of `weighted`. Raises
        InputError."""
        entry = f"{set}.{number}"
        elements = self._config.descriptor.elements
        contents = read_file(
            source.path, elements, labelled=True, options=source.options, lenient=not self._strict
        )
        self._left_out += contents.left_out
        items = [
            LabelledConfiguration(
                c.labelled(shifted(c.label, c.species, self._config.eshift)),
                weighted.weights,
                source.group or c.group or source.path.stem,
                weighted.damping,
                str(source.path),
                entry,
            )
            for c in contents.configurations
        ]
        self.counts.append(
            count(set, str(source.path), contents.frames, items, contents.unread, entry)
        )
        return items


def _digest_of_file(path: Path) -> str:
    """Digest of the content of a file, or of all FitSNAP JSON files in a folder."""
    digest = hashlib.sha256()
    for part in sorted(path.rglob("*.json")) if path.is_dir() else [path]:
        digest.update(require_regular_file(part).read_bytes())
    return digest.hexdigest()[:16]


def _walkers(config: RunConfig, reference: ReferencePotential) -> list[Walker]:
    """The walkers of all entries. The scripts of all stages are checked. Raises InputError."""
    explore = config.explore
    if explore is None:
        return []
    elements = config.descriptor.elements
    walkers = [
        w
        for n, entry in enumerate(explore.walkers)
        for w in entry.walkers(elements, config.seed, n)
    ]
    for stage in explore.protocol().stages:
        _check_stage(stage, [w.configuration for w in walkers], reference)
    if not (config.fitsnap or config.training or config.start.structures or config.start.dimers):
        raise InputError(
            "start: nothing to begin with; give start.structures to label, or training files"
        )
    return walkers


def _check_stage(
    stage: StageSettings, structures: list[Configuration], reference: ReferencePotential
) -> None:
    """Raises InputError for a script that would end Python, or does not go with the structures."""
    path = stage.script_path()
    check_script(path)
    script = (
        require_regular_file(path, LARGEST_TEXT)
        .read_text(encoding="utf-8", errors="replace")
        .replace("&\n", " ")
    )
    holds_pressure = re.search(
        r"^[^#\n]*\bnpt\b.*(\b(iso|aniso|tri)\b|\$\{coupling\})", script, re.MULTILINE
    )
    for c in structures:
        if not all(c.pbc) and holds_pressure:
            raise InputError(
                f"{c.name}: is open along "
                f"{', '.join('abc'[k] for k in range(3) if not c.pbc[k])}, where npt has no "
                "pressure to keep; use the nvt protocol, or a script that names the periodic "
                "directions only"
            )
    if "sp" in reference.moments and not re.search(r"^[^#\n]*\bnve/spin\b", script, re.MULTILINE):
        raise InputError(
            f"{path}: atom_style {reference.atom_style} needs a script with `fix … nve/spin`, "
            "without which spins have no forces on atoms; name your own as explore.script"
        )


def _files(config: RunConfig) -> dict[str, Path]:
    files = {f"training.{n}.path": s.path for n, s in enumerate(config.training)}
    if config.fitsnap is not None:
        files["fitsnap"] = config.fitsnap
    if config.prior_mean is not None:
        files["prior_mean"] = config.prior_mean
        if (beside := param_file(config.prior_mean)).is_file():
            files["prior_mean, its .snapparam"] = beside
    files |= {f"test.{n}": s.path for n, s in enumerate(config.test)}
    files |= {
        f"start.structures.{n}.structure": s.structure
        for n, s in enumerate(config.start.structures)
    }
    if config.explore is not None:
        files |= {
            f"explore.walkers.{n}.structure": s.structure
            for n, s in enumerate(config.explore.walkers)
        }
        scripts = [stage.script_path() for stage in config.explore.protocol().stages]
        files |= {
            "explore.script" if n == 0 else f"explore.stages.{n}.script": path
            for n, path in enumerate(dict.fromkeys(scripts))
        }
    return files
