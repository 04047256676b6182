"""`snap-al tune`: reads the labels at hand, searches, and writes a config with what was found.
Collective over all ranks.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from snap_al.config import read_run
from snap_al.config.tuned import group_of, tuned_text
from snap_al.data import LabelledConfiguration
from snap_al.data.configuration import shifted
from snap_al.data.counts import ReadCount, by_source
from snap_al.data.remarks import Remarks
from snap_al.data.storage import write_atomically
from snap_al.descriptors import SnapSettings
from snap_al.errors import InputError
from snap_al.loop import RunConfig, RunDirectory, RunInputs, RunState, read_inputs
from snap_al.loop.tuning import Measure, Scored, Tuner, cheapest_good
from snap_al.parallel import Communicator, on_root, world
from snap_al.progress import Report, silent
from snap_al.tasks.bought import labels_of_run
from snap_al.tasks.source import config_of

CUTOFFS = (0.85, 1.0, 1.15)
"""Factors on the config's."""
FEWEST = 10
"""Labelled configurations."""
FOLDS = 10


def tune(
    source: Path | str,
    out: Path | str,
    comm: Communicator | None = None,
    *,
    twojmax: Sequence[int] = (),
    cutoffs: Sequence[float] = (),
    by: Measure = "folds",
    seed: int = 1,
    report: Report = silent,
) -> dict[str, Any]:
    """twojmax, cutoff, radii and weights of elements, and weights of groups, on the labels of
    `source`; into the folder `out`.

    source: a config or FitSNAP deck with a training set, or a run's folder. twojmax: tried; two
    less and two more than the config's when not given. cutoffs: Å, likewise; a fraction around it.
    by: folds of configurations, whole groups, or the evidence. Leaves tune.json and tuned.yaml.
    Returns what tune.json holds. Raises InputError on all ranks.
    """
    comm, source, out = comm or world(), Path(source), Path(out)

    def read() -> tuple[RunConfig, RunInputs, list[LabelledConfiguration], list[ReadCount]]:
        bought: list[LabelledConfiguration] = []
        if source.is_dir():
            config, _, state = read_run(source)
            bought = _of_run(RunDirectory(source), config, state)
        else:
            config = config_of(source)
        inputs = read_inputs(config, strict=config.fitsnap is None)
        counts = [*inputs.read, *by_source("training", bought)]
        return config, inputs, [*inputs.training, *bought], counts

    config, inputs, items, counts = on_root(comm, read)
    if len(items) < FEWEST:
        raise InputError(
            f"{source}: {len(items)} labelled configurations; below {FEWEST} nothing can be told"
        ).on_all_ranks()
    if by == "groups" and len({item.group for item in items}) < 2:
        raise InputError(
            f"{source}: all labels are of one group; --by folds or evidence"
        ).on_all_ranks()
    base = config.descriptor
    cache = (
        (RunDirectory(source).descriptors if source.is_dir() else out / "descriptors")
        if config.cache
        else None
    )
    with threadpool_limits(1):
        tuner = Tuner(
            items,
            inputs.reference,
            config.lammps,
            cache,
            comm,
            by=by,
            n_folds=min(FOLDS, len(items)),
            seed=seed,
            report=report,
        )
        widths = [c / base.max_cutoff * base.rcutfac for c in cutoffs] or [
            base.rcutfac * f for f in CUTOFFS
        ]
        grid = tuner.grid(base, list(twojmax) or _around(base.largest_twojmax), widths)
        best = cheapest_good(grid)
        elements = tuner.elements(best)
        best = cheapest_good([best, *elements])
        weights = tuner.weights(best)
        chosen = _lowest([best, *weights])
    now = next((s for s in grid if s.settings == base), None)
    warnings = (
        *(f"left out: {text}" for text in inputs.left_out),
        *tuner.remarks,
        *_unwritable(config, items, chosen),
    )
    found = {
        "by": by,
        "configurations": len(items),
        "now": None if now is None else _plain(now),
        "best": _plain(chosen),
        "tried": [_plain(s) for s in (*grid, *elements, *weights)],
        "read": [c.as_json() for c in counts],
        **(Remarks(warnings) + inputs.remarks).as_json(),
    }
    on_root(comm, lambda: _write(source, out, config, chosen, found))
    return found


def _of_run(
    directory: RunDirectory, config: RunConfig, state: RunState
) -> list[LabelledConfiguration]:
    """The labels that it bought, as its fits have them."""
    return [
        replace(item, configuration=c.labelled(shifted(c.label, c.species, config.eshift)))
        for item in labels_of_run(directory, config, state)
        for c in [item.configuration]
    ]


def _around(twojmax: int) -> list[int]:
    return [two for two in (twojmax - 2, twojmax, twojmax + 2) if two >= 2]


def _lowest(scored: list[Scored]) -> Scored:
    return min(scored, key=lambda s: s.score)


def _plain(scored: Scored) -> dict[str, Any]:
    s = scored.settings
    return {
        "changed": scored.changed,
        "score": scored.score,
        "rmse": scored.rmse,
        "evidence_per_row": scored.evidence,
        "coefficients": scored.columns,
        "microseconds_per_atom": scored.cost,
        "cutoff": s.max_cutoff,
        "descriptor": _changes(s),
        "groups": scored.groups,
    }


def _changes(s: SnapSettings) -> dict[str, Any]:
    """As a config has them."""
    one = len(set(s.twojmax)) == 1
    return {
        "twojmax": s.twojmax[0] if one else list(s.twojmax),
        "rcutfac": round(s.rcutfac, 6),
        "radelem": list(s.radelem),
        "wj": list(s.wj),
    }


def _write(source: Path, out: Path, config: RunConfig, best: Scored, found: dict[str, Any]) -> None:
    write_atomically(out / "tune.json", json.dumps(found, indent=1) + "\n")
    path = RunDirectory(source).config if source.is_dir() else source
    text = tuned_text(path, config, best.settings, best.groups)
    write_atomically(
        out / "tuned.yaml", f"# By snap-al tune, from {json.dumps(str(source))}.\n{text}"
    )


def _unwritable(config: RunConfig, items: list[LabelledConfiguration], best: Scored) -> list[str]:
    """Factors on weights that no entry of a config can say: of a deck's groups, of a run's own
    labels, of groups within one file.
    """
    entries = {group_of(t.group, t.path) for t in config.training}
    sizes = {name: sum(item.group == name for item in items) for name in best.groups}
    told = [
        f"{name or '(no group)'} ({sizes[name]} configurations) × {f:g}"
        for name, f in best.groups.items()
        if name not in entries
    ]
    return (
        [
            "tuned.yaml cannot have these factors on the weights of groups, set them where the "
            f"weights are: {', '.join(told)}"
        ]
        if told
        else []
    )
