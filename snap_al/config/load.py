"""YAML → RunConfig. Unknown keys are refused; every problem is listed, with its dotted path and
what may be meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from snap_al.config.deck import deck_content, deck_of
from snap_al.config.yaml_text import parse_yaml
from snap_al.data.storage import LARGEST_TEXT, require_regular_file
from snap_al.errors import InputError, did_you_mean
from snap_al.inference import FitSettings
from snap_al.inference.settings_union import TAG, option_names
from snap_al.loop import RunConfig


def load_config(
    path: Path | str, beside: Path | None = None, strategies: Sequence[str] = ()
) -> RunConfig:
    """Read a config file and check it.

    Parameters
    ----------
    path : path or str
        A YAML file; docs/reference/config_keys.md has its keys.
    beside : path, optional
        The file that paths in it are relative to, where that is another.
    strategies : sequence of str, optional
        Strategies that will be used in place of `query.strategy`.

    Returns
    -------
    RunConfig
        The config, with paths joined to the folder of the file.

    Raises
    ------
    InputError
        With all problems of the file, each with its key and what may be meant.

    Examples
    --------
    >>> sa.load_config("config.yaml").descriptor.twojmax
    """
    path = Path(path)
    return validate_config(read_yaml(path), beside or path, strategies)


def read_yaml(path: Path) -> dict[str, Any]:
    """Raises InputError for a missing or malformed file. No tags, no duplicate keys; nothing in it
    is executed.
    """
    try:
        text = require_regular_file(path, LARGEST_TEXT).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        hint = "`snap-al init -o FILE` writes one" if not path.exists() else "is it a text file?"
        raise InputError(
            f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}; {hint}"
        ) from error
    content = parse_yaml(text, path)
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: expected keys and values, such as `descriptor: ...`; found "
            f"{type(content).__name__}"
        )
    return content


def validate_config(
    content: dict[str, Any], path: Path, strategies: Sequence[str] = ()
) -> RunConfig:
    """Raises InputError. Paths in the config are taken relative to the folder of `path`.

    strategies: that will be used in place of query.strategy, whose options then have an effect.
    """
    folder = path.resolve().parent
    deck = deck_of(content, folder)
    context = {**_context(content, folder, strategies), "deck": deck}
    try:
        return RunConfig.model_validate({**deck_content(deck), **content}, context=context)
    except ValidationError as error:
        details = error.errors()
        wrong = [d["loc"] for d in details]
        problems = [
            _describe(d, _may_be_dotted(d, details))
            for d in details
            if not _said_by_others(d, wrong)
        ]
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise InputError(f"{path}: {count}:\n" + "\n".join(f"  {p}" for p in problems)) from error


def _said_by_others(detail: ErrorDetails, wrong: Sequence[tuple[int | str, ...]]) -> bool:
    """A list whose items are wrong counts as too short as well; the items say more. A name that is
    neither of ours nor dotted is wrong twice; the choice says more."""
    place = detail["loc"]
    if detail["type"] == "string_pattern_mismatch":
        return _is_alternative(place) and any(w[:-1] == place[:-1] and w != place for w in wrong)
    return detail["type"] == "too_short" and any(w[: len(place)] == place != w for w in wrong)


def _may_be_dotted(detail: ErrorDetails, details: Sequence[ErrorDetails]) -> bool:
    """Whether the key takes the dotted name of a class as well."""
    tried = [
        d["loc"][:-1]
        for d in details
        if d["type"] == "string_pattern_mismatch" and _is_alternative(d["loc"])
    ]
    return detail["loc"][:-1] in tried


def _is_alternative(place: tuple[int | str, ...]) -> bool:
    """Whether the place is one of several types that a key may have, and not a key."""
    return isinstance(place[-1], str) and place[-1].startswith(UNION_PARTS)


def _context(content: dict[str, Any], folder: Path, strategies: Sequence[str]) -> dict[str, Any]:
    """What settings cannot know by themselves: options of `fit` have an effect with strategies of
    `query`.
    """
    query = content.get("query")
    own = (
        [query["strategy"]]
        if isinstance(query, dict) and isinstance(query.get("strategy"), str)
        else []
    )
    return {"folder": folder, "strategies": [*own, *strategies]}


MOST_SHOWN = 200
"""Characters of a value in a message."""


def shown(value: Any) -> str:
    """A value as a message has it."""
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"


UNION_PARTS = ("function-", "tuple[", "constrained-", "literal[", TAG)
"""Parts of pydantic's locations that name an alternative of a type and not a key."""


def _describe(detail: ErrorDetails, may_be_dotted: bool = False) -> str:
    location = [
        part
        for part in detail["loc"]
        if not (isinstance(part, str) and part.startswith(UNION_PARTS))
    ]
    dotted = ".".join(str(part) for part in location) or "config"
    if detail["type"] == "extra_forbidden":
        return (
            f"{dotted}: unknown key; "
            f"{did_you_mean(str(location[-1]), _fields_at(RunConfig, location[:-1]))}"
        )
    if detail["type"] == "missing":
        return f"{dotted}: required, and not given"
    message = detail["msg"].removeprefix("Value error, ")
    if may_be_dotted and detail["type"] == "literal_error":
        message = f"{message}, or the dotted name of a class of yours"
    given = "" if isinstance(detail["input"], dict) else f" (given: {shown(detail['input'])})"
    return f"{dotted}: {message[:1].lower()}{message[1:]}{given}"


def _fields_at(model: type[BaseModel], path: list[int | str]) -> list[str]:
    """Names of the keys that are known at a place in the schema."""
    here: type[BaseModel] | None = model
    for part in path:
        if here is None or isinstance(part, int):
            continue
        field = here.model_fields.get(part)
        here = _model_in(field.annotation) if field is not None else None
    if here is FitSettings:
        return sorted(option_names())
    return sorted(here.model_fields) if here is not None else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The pydantic model inside a type such as `tuple[Model, ...]` or `Model | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(
        (found for inner in get_args(annotation) if (found := _model_in(inner)) is not None), None
    )
