"""A config with another descriptor and other weights, as text: comments and everything else stay,
and paths become absolute.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from snap_al.config.written import content_of
from snap_al.descriptors import SnapSettings
from snap_al.loop import RunConfig


def tuned_text(
    source: Path | str | RunConfig,
    config: RunConfig,
    descriptor: SnapSettings,
    factors: Mapping[str, float],
) -> str:
    """source: the config, its file, or a FitSNAP deck; config: what it says. factors: on the
    weights of training entries, by the group that all of an entry is in."""
    content = _content(source)
    content.setdefault("descriptor", {}).update(_keys(descriptor))
    for entry, given in zip(content.get("training", []), config.training, strict=True):
        factor = factors.get(group_of(given.group, given.path), 1.0)
        if factor != 1.0:
            weights = {name: getattr(given, name) for name in ("eweight", "fweight", "vweight")}
            entry.update({name: weight * factor for name, weight in weights.items() if weight})
    _absolute(content, config)
    text = StringIO()
    YAML().dump(content, text)
    return text.getvalue()


def _content(source: Path | str | RunConfig) -> Any:
    """Keys and values, with the comments of a file."""
    if isinstance(source, RunConfig):
        return content_of(source)
    path = Path(source)
    if path.suffix == ".in":
        return {"fitsnap": str(path.resolve())}
    return YAML().load(path.read_text(encoding="utf-8"))


def group_of(group: str, path: Path) -> str:
    """Of a training entry that says nothing else."""
    return group or path.stem


def _keys(s: SnapSettings) -> dict[str, Any]:
    """All that is not a default, twojmax and cutoff in any case; lists where elements differ."""
    found = {**s.model_dump(mode="json", exclude_defaults=True), "rcutfac": round(s.rcutfac, 6)}
    found["twojmax"] = s.twojmax[0] if len(set(s.twojmax)) == 1 else list(s.twojmax)
    for name in ("radelem", "wj"):
        values = getattr(s, name)
        found[name] = values[0] if len(set(values)) == 1 else list(values)
    return found


def _absolute(content: Any, config: RunConfig) -> None:
    """Paths of `content` as `config`, in which they are resolved, has them."""
    pairs: list[tuple[Any, str, Path | None]] = [
        (content, name, getattr(config, name)) for name in ("fitsnap", "prior_mean")
    ]
    pairs += [
        (e, "path", g.path)
        for e, g in zip(content.get("training", []), config.training, strict=True)
    ]
    structures = content.get("start", {}).get("structures", [])
    pairs += [
        (e, "structure", g.structure)
        for e, g in zip(structures, config.start.structures, strict=True)
    ]
    explore = content.get("explore")
    if explore is not None and config.explore is not None:
        pairs += [
            (e, "structure", g.structure)
            for e, g in zip(explore.get("walkers", []), config.explore.walkers, strict=True)
        ]
        pairs += [(explore, "script", config.explore.script)]
        pairs += [
            (e, "script", g.script)
            for e, g in zip(explore.get("stages", []), config.explore.stages, strict=True)
        ]
    pairs.append((content.get("lammps", {}), "library", config.lammps.library))
    for where, name, path in pairs:
        if name in where and path is not None:
            where[name] = str(path.resolve())
    if "test" in content:
        given = content["test"] if isinstance(content["test"], list) else [content["test"]]
        paths = [str(test.path.resolve()) for test in config.test]
        content["test"] = [
            {**entry, "path": path} if isinstance(entry, dict) else path
            for entry, path in zip(given, paths, strict=True)
        ]
