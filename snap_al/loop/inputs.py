"""Everything that a run reads from the user's files: read and checked once, before anything is written or paid for."""

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
from snap_al.data.label_checks import LabelFinding, check_labels
from snap_al.data.readers import read_configurations
from snap_al.descriptors import ReferencePotential
from snap_al.errors import InputError
from snap_al.fitsnap import read_deck, scrape
from snap_al.loop.settings import RunConfig, TrainingSource
from snap_al.loop.walkers import Walker
from snap_al.md import StageSettings
from snap_al.potential import read_snapcoeff
from snap_al.sessions import check_script

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RunInputs:
    """prior_mean: (n_distinct,) or None. left_out: configurations that cannot be used, and why. digests: content of each
    file, by where the config names it; a resumed run must find the same. findings: what is wrong with labels, or could not be
    told."""

    reference: ReferencePotential
    training: tuple[LabelledConfiguration, ...]
    test: tuple[LabelledConfiguration, ...]
    start: tuple[Configuration, ...]
    walkers: tuple[Walker, ...]
    prior_mean: Array | None
    left_out: tuple[str, ...]
    digests: dict[str, str]
    findings: tuple[LabelFinding, ...] = ()

    @property
    def suspicious_labels(self) -> list[str]:
        """A sentence for each thing that is wrong with labels: warnings."""
        return [str(f) for f in self.findings if f.problem != "unknown"]

    @property
    def unchecked_labels(self) -> list[str]:
        """What could not be told: no fault."""
        return [str(f) for f in self.findings if f.problem == "unknown"]


def read_inputs(config: RunConfig, *, strict: bool = True, checked: bool = True) -> RunInputs:
    """Raises InputError naming file and frame; if not strict, a labelled configuration that cannot be used is left out.

    checked: signs, units and placeholders of labels are looked at, which takes a few seconds. Run by one rank; the result
    travels.
    """
    elements = config.descriptor.elements
    given, left_out = ([], []) if config.fitsnap is None else scrape(read_deck(config.fitsnap), strict=strict)
    problems = None if strict else left_out
    read = [(s.path, _labelled(s, config, problems)) for s in config.training]
    sources = [TrainingSource(path=path, eweight=1, fweight=1, vweight=1) for path in config.test]
    read_tests = [(s.path, _labelled(s, config, problems)) for s in sources]
    training, test = ([item for _, items in part for item in items] for part in (read, read_tests))
    reference = ReferencePotential.parse(list(config.reference))
    inputs = RunInputs(
        reference=reference,
        training=(*(item for item in given if not item.testing), *training),
        test=(*(item for item in given if item.testing), *test),
        start=tuple(config.start.configurations(elements, config.seed)),
        walkers=tuple(_walkers(config, reference)),
        prior_mean=None if config.prior_mean is None else read_snapcoeff(config.prior_mean, config.descriptor),
        left_out=tuple(left_out),
        digests={},
        findings=_findings(config, given, [*read, *read_tests]) if checked else (),
    )
    if len(inputs.start) > config.stop.max_labels:
        raise InputError(
            f"start: {len(inputs.start)} configurations to label, and stop.max_labels is {config.stop.max_labels}"
        )
    for where, path in (_files(config) | {f"reference file {p}": p for p in reference.files()}).items():
        inputs.digests[where] = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    if given:
        inputs.digests["fitsnap, its training set"] = _digest(given)
    return inputs


def _findings(
    config: RunConfig, given: Sequence[LabelledConfiguration], files: Sequence[tuple[Path, list[LabelledConfiguration]]]
) -> tuple[LabelFinding, ...]:
    """Of the deck, and of each file: units and signs belong to a source."""
    sources = [(config.fitsnap, given)] if config.fitsnap is not None else []
    return tuple(f for path, items in (*sources, *files) for f in check_labels(items, path.name))


def _digest(items: Sequence[LabelledConfiguration]) -> str:
    """Of structures and labels."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(item.configuration.key.encode())
        for value in vars(item.configuration.label).values():
            digest.update(b"-" if value is None else np.asarray(value, dtype="<f8").tobytes())
    return digest.hexdigest()[:16]


def _labelled(source: TrainingSource, config: RunConfig, problems: list[str] | None) -> list[LabelledConfiguration]:
    elements = config.descriptor.elements
    found = read_configurations(source.path, elements, labelled=True, units=source.units, problems=problems)
    return [
        LabelledConfiguration(
            c.labelled(shifted(c.label, c.species, config.eshift)), source.weights, source.group or c.group or source.path.stem,
            source.damping,
        )
        for c in found
    ]  # fmt: skip


def _walkers(config: RunConfig, reference: ReferencePotential) -> list[Walker]:
    """Those of every entry, for which every stage's script has been looked at."""
    explore = config.explore
    if explore is None:
        return []
    elements = config.descriptor.elements
    walkers = [w for n, entry in enumerate(explore.walkers) for w in entry.walkers(elements, config.seed, n)]
    for stage in explore.protocol().stages:
        _check_stage(stage, [w.configuration for w in walkers], reference)
    if not (config.fitsnap or config.training or config.start.structures or config.start.dimers):
        raise InputError("start: nothing to begin with; give start.structures to label, or training files")
    return walkers


def _check_stage(stage: StageSettings, structures: list[Configuration], reference: ReferencePotential) -> None:
    """Raises InputError for a script that would end Python, or does not go with the structures."""
    path = stage.script_path()
    check_script(path)
    script = path.read_text().replace("&\n", " ")
    holds_pressure = re.search(r"^[^#\n]*\bnpt\b.*(\b(iso|aniso|tri)\b|\$\{coupling\})", script, re.MULTILINE)
    for c in structures:
        if not all(c.pbc) and holds_pressure:
            raise InputError(
                f"{c.name}: is open along {', '.join('abc'[k] for k in range(3) if not c.pbc[k])}, where npt has no "
                "pressure to keep; use the nvt protocol, or a script that names the periodic directions only"
            )
    if "sp" in reference.moments and not re.search(r"^[^#\n]*\bnve/spin\b", script, re.MULTILINE):
        raise InputError(
            f"{path}: atom_style {reference.atom_style} needs a script with `fix … nve/spin`, "
            "without which spins have no forces on atoms; name your own as explore.script"
        )


def _files(config: RunConfig) -> dict[str, Path]:
    found = {f"training.{n}.path": s.path for n, s in enumerate(config.training)}
    if config.fitsnap is not None:
        found["fitsnap"] = config.fitsnap
    if config.prior_mean is not None:
        found["prior_mean"] = config.prior_mean
    found |= {f"test.{n}": path for n, path in enumerate(config.test)}
    found |= {f"start.structures.{n}.structure": s.structure for n, s in enumerate(config.start.structures)}
    if config.explore is not None:
        found |= {f"explore.walkers.{n}.structure": s.structure for n, s in enumerate(config.explore.walkers)}
        scripts = [stage.script_path() for stage in config.explore.protocol().stages]
        found |= {
            "explore.script" if n == 0 else f"explore.stages.{n}.script": path
            for n, path in enumerate(dict.fromkeys(scripts))
        }
    return found
