"""YAML from a file as plain values: no tags, nothing executed, and no more of them than a config
can mean.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from snap_al.errors import InputError

DEEPEST = 50
MOST = 1_000_000
"""Values, those that aliases repeat counted each time."""


def parse_yaml(text: str, path: Path) -> Any:
    """Raises InputError for what is not YAML 1.2, has a key twice, is nested too deep, or repeats
    itself by aliases without end.
    """
    too_deep = InputError(
        f"{path}: nested more than {DEEPEST} deep, as no config is; is a bracket missing?"
    )
    try:
        content = YAML(typ="safe", pure=True).load(text)
    except RecursionError:
        raise too_deep from None
    except YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    except (ValueError, TypeError) as error:  # of a number or a key that ruamel.yaml cannot make
        raise InputError(f"{path}: a value cannot be read: {error}") from error
    try:
        size = _size(content, {}, 0)
    except RecursionError:
        raise too_deep from None
    if size > MOST:
        raise InputError(
            f"{path}: has more than {MOST:,} values once its aliases (*name) are written out; "
            "write fewer"
        )
    return content


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple | set) else []


def _size(value: Any, known: dict[int, int], level: int) -> int:
    """Values in it, itself included. Raises RecursionError for one that is nested too deep, or
    inside itself.
    """
    if level > DEEPEST:
        raise RecursionError
    if id(value) not in known:
        if not (inside := _inside(value)):
            return 1
        known[id(value)] = 1 + sum(_size(v, known, level + 1) for v in inside)
    return known[id(value)]
