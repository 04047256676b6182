"""The config that a task is given, or that a FitSNAP deck gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from snap_al.config import load_config, validate_config
from snap_al.errors import InputError, did_you_mean
from snap_al.loop import RunConfig
from snap_al.query import Strategy

Source = Path | str | RunConfig
"""A config, its file, or a FitSNAP deck (`.in`)."""


def is_deck(source: Source) -> bool:
    """Whether it is the path of a FitSNAP deck."""
    return not isinstance(source, RunConfig) and Path(source).suffix == ".in"


def name_of(source: Source) -> str:
    """The name in messages."""
    return "the config" if isinstance(source, RunConfig) else str(source)


def config_of(source: Source, strategies: Sequence[str] = ()) -> RunConfig:
    """The config, or that of a file or deck. Raises InputError.

    strategies: replacements for the config's strategy.
    """
    if isinstance(source, RunConfig):
        return source
    path = Path(source)
    if is_deck(path):
        return validate_config({"fitsnap": path.name}, path)
    return load_config(path, strategies=strategies)


def with_strategy(config: RunConfig, strategy: str | None) -> RunConfig:
    """The config with another query.strategy. Raises InputError for one that does not exist."""
    if strategy is None:
        return config
    names = list(get_args(Strategy))
    if strategy not in names and "." not in strategy:
        raise InputError(f"no strategy {strategy!r}; {did_you_mean(strategy, names)}")
    polish = config.query.polish if len(strategy) == 1 else 0
    return config.model_copy(
        update={"query": config.query.model_copy(update={"strategy": strategy, "polish": polish})}
    )
