"""Reads JSON from files that may be damaged or malicious."""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def read_json(text: str | bytes) -> Any:
    """The value of a text. Raises ValueError for what is no JSON, not UTF-8, nested too deep, or
    has a key twice."""
    try:
        return json.loads(text, object_pairs_hook=without_repeats)
    except RecursionError:
        raise ValueError("nested too deep") from None


def part(stored: Any, name: Hashable) -> Any:
    """The value of a key. Raises ValueError when it is missing."""
    if not isinstance(stored, dict) or name not in stored:
        raise ValueError(f"{name} is missing")
    return stored[name]


def named(stored: Any, name: str) -> dict[str, Any]:
    """The values by key. Raises ValueError for what is no object."""
    value = part(stored, name)
    if not isinstance(value, dict):
        raise ValueError(f"{name}: expected names and values")
    return value


def text(stored: Any, name: str) -> str:
    """The value as a text. Raises ValueError for what is no text."""
    value = part(stored, name)
    if not isinstance(value, str):
        raise ValueError(f"{name}: {value!r} is no text")
    return value


def flag(stored: Any, name: str) -> bool:
    """The value as true or false. Raises ValueError for what is neither."""
    value = part(stored, name)
    if not isinstance(value, bool):
        raise ValueError(f"{name}: {value!r} is neither true nor false")
    return value


def listed(stored: Any, name: str) -> list[Any]:
    """The values of a list. Raises ValueError for what is no list."""
    value = part(stored, name)
    if not isinstance(value, list):
        raise ValueError(f"{name}: expected a list")
    return value


def number(stored: Any, name: Hashable) -> float:
    """The value as a number. Raises ValueError for what is no number."""
    value = part(stored, name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name}: {value!r} is no number")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name}: {value!r:.20} is too large") from None


def count(stored: Any, name: str) -> int:
    """The value as a whole number. Raises ValueError for what is none."""
    value = number(stored, name)
    if not value.is_integer():
        raise ValueError(f"{name}: {value!r} is no whole number")
    return int(value)


def numbers(stored: Any, name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The value as an array. Raises ValueError for what is no array of numbers of this shape."""
    value = part(stored, name)
    try:
        return np.array(value, dtype=float).reshape(shape)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name}: no numbers of shape {shape}: {error}") from error


def numbers_or_nan(stored: Any, name: str) -> NDArray[np.float64]:
    """The value as an array (m,), NaN where JSON has null. Raises ValueError for what is no list of
    numbers."""
    return numbers(stored, name, (len(listed(stored, name)),))


def with_null(values: NDArray[np.float64]) -> list[float | None]:
    """The inverse of `numbers_or_nan`. Infinities, which JSON does not have either, are null."""
    return [float(v) if np.isfinite(v) else None for v in values]


def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(n for n in names if names.count(n) > 1)!r} is there twice")
    return values
