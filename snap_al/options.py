"""Options that apply only beside certain values of others: one table for each class of settings.

A table says for each such option in which cases it applies, that is, changes what is computed. A
case names other options and the values that they must have; all of them must hold in one of the
option's cases. An option that is given and does not apply is an error, unless it is given as its
default: settings that were written out in full can be read again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from pydantic import BaseModel


class _Given:
    """Any value but None, False, 0 and what is empty."""

    def __repr__(self) -> str:
        return "given"


GIVEN: Final = _Given()


class _OfYours:
    """The dotted name of a class of the user's own."""

    def __repr__(self) -> str:
        return "a class of yours"


OF_YOURS: Final = _OfYours()
Case = Mapping[str, Collection[Any]]
"""Other option → its values, one of which it must have."""
Table = Mapping[str, tuple[Case, ...]]


def refuse_inapplicable(
    settings: BaseModel, table: Table, also: Mapping[str, Collection[Any]] | None = None
) -> None:
    """Raises ValueError that names each option which is given and does not apply, what excludes it,
    and what to change.

    also: further values that options have beside that of the settings, and options of other
    settings, by name.
    """
    problems = [
        sentence(name, table[name], settings, also or {})
        for name in type(settings).model_fields
        if name in table
        and given(settings, name)
        and not applies(table[name], settings, also or {})
    ]
    if problems:
        raise ValueError("; ".join(problems))


def given(settings: BaseModel, name: str) -> bool:
    """Whether it was given, as something else than its default."""
    if name not in settings.model_fields_set:
        return False
    default = type(settings).model_fields[name].get_default(call_default_factory=True)
    return bool(getattr(settings, name) != default)


def applies(
    cases: tuple[Case, ...], settings: BaseModel, also: Mapping[str, Collection[Any]]
) -> bool:
    """Whether one of the cases holds."""
    return any(
        all(_holds(settings, name, values, also) for name, values in case.items()) for case in cases
    )


def sentence(
    name: str, cases: tuple[Case, ...], settings: BaseModel, also: Mapping[str, Collection[Any]]
) -> str:
    """What is wrong with an option that does not apply, going by the case that is nearest to what
    is given.
    """

    def missing(case: Case) -> list[str]:
        return [
            other for other, values in case.items() if not _holds(settings, other, values, also)
        ]

    nearest = min(cases, key=lambda case: len(missing(case)))
    now = ", ".join(
        f"{other}: {_shown(getattr(settings, other, None))}" for other in missing(nearest)
    )
    wanted = "; or ".join(
        " with ".join(_described(other, values) for other, values in case.items()) for case in cases
    )
    return f"{name} does not apply with {now}: leave {name} out, or use it with {wanted}"


def _holds(
    settings: BaseModel, name: str, values: Collection[Any], also: Mapping[str, Collection[Any]]
) -> bool:
    found = [getattr(settings, name, None), *also.get(name, ())]
    return any(_is_among(value, values) for value in found)


def _is_among(value: Any, values: Collection[Any]) -> bool:
    if GIVEN in values:
        return bool(value)
    if OF_YOURS in values and isinstance(value, str) and "." in value:
        return True
    return value in values


def _described(name: str, values: Collection[Any]) -> str:
    if GIVEN in values:
        return f"{name} given"
    if list(values) == [OF_YOURS]:
        return f"{name} that names a class of yours"
    *others, last = map(_shown, values)
    return f"{name}: {', '.join(others)} or {last}" if others else f"{name}: {last}"


def _shown(value: Any) -> str:
    """As YAML has it."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
