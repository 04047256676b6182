"""The config that a task is given, or that a FitSNAP deck stands for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from snap_al.config import load_config, validate_config
from snap_al.errors import InputError, did_you_mean
from snap_al.loop import RunConfig
from snap_al.query import Strategy


def config_of(source: Path, strategies: Sequence[str] = ()) -> RunConfig:
    """Of a config, or of a FitSNAP deck. strategies: that are used in place of the config's."""
    if source.suffix == ".in":
        return validate_config({"fitsnap": source.name}, source)
    return load_config(source, strategies=strategies)


def with_strategy(config: RunConfig, strategy: str | None) -> RunConfig:
    """The config with another query.strategy. Raises InputError for one that is not there."""
    if strategy is None:
        return config
    names = list(get_args(Strategy))
    if strategy not in names and "." not in strategy:
        raise InputError(f"no strategy {strategy!r}; {did_you_mean(strategy, names)}")
    polish = config.query.polish if len(strategy) == 1 else 0
    return config.model_copy(
        update={"query": config.query.model_copy(update={"strategy": strategy, "polish": polish})}
    )
