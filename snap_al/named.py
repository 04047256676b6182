"""Classes and functions of the user's own, which a config names by module and attribute."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import StringConstraints

from snap_al.errors import InputError

DOTTED = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$"
DottedName = Annotated[str, StringConstraints(pattern=DOTTED)]
"""Such as `my_package.MyRule`."""


def imported(key: str, name: str) -> Callable[..., Any]:
    """What the dotted `name`, given as the config's `key`, stands for. Raises InputError."""
    module, _, attribute = name.rpartition(".")
    if not module:
        raise InputError(
            f"{key}: {name!r} is no dotted name; for example ase.calculators.emt.EMT, or a name "
            "that ASE knows, as espresso"
        )
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    except Exception as error:
        raise InputError(
            f"{key}: {name} cannot be imported: {type(error).__name__}: {error}; "
            "is its package installed in this environment?"
        ) from error
    if not callable(found):
        raise InputError(f"{key}: {name} is a {type(found).__name__}, not a class or function")
    return found


def made(key: str, name: str, options: Mapping[str, Any], *arguments: Any) -> Any:
    """An instance of the class `name`, of these arguments and options. Raises InputError."""
    cls = imported(key, name)
    try:
        return cls(*arguments, **options)
    except Exception as error:
        given = ", ".join(options) or "none"
        raise InputError(
            f"{key}: {name} refuses its options ({given}): {type(error).__name__}: {error}"
        ) from error
