"""The settings of a fit as a config has them, flat: `posterior` decides of which class they are.

An option that another method has is an error, unless it is given as its default: settings that
earlier versions wrote out in full, with the options of all methods, can be read again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Union

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    GetPydanticSchema,
    Tag,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    create_model,
)
from pydantic_core import InitErrorDetails, PydanticKnownError

from snap_al.inference.methods import POSTERIORS
from snap_al.inference.settings import CustomSettings, FitSettings
from snap_al.named import DOTTED
from snap_al.options import OF_YOURS, Case, applies, given, sentence

USUAL = "embedded"
"""The posterior when none is given."""
TAG = "posterior: "
"""Begins the names of the union's parts, in the places that errors have."""

_CLASSES: dict[Any, type[FitSettings]] = {
    **{name: entry.settings for name, entry in POSTERIORS.items()},
    OF_YOURS: CustomSettings,
}
"""By names, of which OF_YOURS stands for all dotted ones."""


def _all_fields() -> dict[str, Any]:
    """Types and defaults of the options of all methods, and the posterior."""
    fields: dict[str, Any] = {"posterior": (str, USUAL)}
    for cls in _CLASSES.values():
        for name, field in cls.model_fields.items():
            fields.setdefault(name, (field.annotation, field))
    return fields


_OPTIONS: type[BaseModel] = create_model(
    "FitOptions", __config__=ConfigDict(extra="forbid"), **_all_fields()
)
"""The options of all methods, each by itself."""


def fit_settings(**options: Any) -> FitSettings:
    """Settings of a fit.

    Parameters
    ----------
    **options
        The keys that a config has under `fit`: ``posterior``, which is "embedded" when not given,
        and options of this method.

    Returns
    -------
    FitSettings
        Of the class that belongs to the posterior.

    Raises
    ------
    ValueError
        For an unknown option, a value that it does not take, or an option that does not apply
        beside the others.

    Examples
    --------
    >>> sa.fit_settings(posterior="bayes", noise_std=0.1)
    """
    return _ADAPTER.validate_python(options)


def option_names() -> list[str]:
    """Names of the options of all methods."""
    return list(_OPTIONS.model_fields)


def in_full(settings: FitSettings) -> dict[str, Any]:
    """The settings as JSON has them, and the options of the other methods at their defaults."""
    return {**_OPTIONS().model_dump(mode="json"), **settings.model_dump(mode="json")}


def without_others(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options without those that only other methods have."""
    cls = _class_of(options)
    known = set(_OPTIONS.model_fields) - set(cls.model_fields if cls else _OPTIONS.model_fields)
    return {name: value for name, value in options.items() if name not in known}


def _class_of(options: Mapping[str, Any]) -> type[FitSettings] | None:
    """None for a posterior that is neither one of ours nor a dotted name."""
    posterior = options.get("posterior", USUAL)
    if not isinstance(posterior, str):
        return None
    return _CLASSES.get(OF_YOURS if re.fullmatch(DOTTED, posterior) else posterior)


def _of_the_method(value: Any, info: ValidationInfo) -> Any:
    """What is given without the options of other methods, which must have their defaults."""
    if isinstance(value, FitSettings):
        return value
    if not isinstance(value, Mapping):
        raise PydanticKnownError("model_type", {"class_name": "FitSettings"})
    cls = _class_of(value)
    if cls is None:
        raise _unknown_posterior(value["posterior"])
    flat = _OPTIONS.model_validate(value)
    also = {"query.strategy": (info.context or {}).get("strategies", ())}
    problems = [
        sentence(name, _cases(name, cls), flat, also)
        for name in _OPTIONS.model_fields
        if given(flat, name) and not applies(_own_cases(name, cls), flat, also)
    ]
    if problems:
        raise ValueError("; ".join(problems))
    return without_others(value)


def _own_cases(name: str, cls: type[FitSettings]) -> tuple[Case, ...]:
    """The cases in which an option applies with the posterior of a class; none for an option that
    it does not have.
    """
    return cls.applies_with.get(name, ({},)) if name in cls.model_fields else ()


def _cases(name: str, cls: type[FitSettings]) -> tuple[Case, ...]:
    """All cases in which an option applies, those first that ask for the least change: with the
    posterior of the class, with other posteriors, and by other sections of the config.
    """
    own = _own_cases(name, cls)
    elsewhere: list[tuple[Case, list[Any]]] = []
    for posterior, other in _CLASSES.items():
        for case in _own_cases(name, other):
            posteriors = next((names for found, names in elsewhere if found == case), None)
            if posteriors is not None:
                posteriors.append(posterior)
            elif case not in own:
                elsewhere.append((case, [posterior]))
    return (
        *(case for case in own if set(case) <= set(cls.model_fields)),
        *({"posterior": tuple(names), **case} for case, names in elsewhere),
        *(case for case in own if not set(case) <= set(cls.model_fields)),
    )


def _unknown_posterior(posterior: Any) -> ValidationError:
    names = [repr(name) for name in POSTERIORS]
    expected = f"{', '.join(names[:-1])} or {names[-1]}, or the dotted name of a class of yours"
    detail = InitErrorDetails(
        type="literal_error", loc=("posterior",), input=posterior, ctx={"expected": expected}
    )
    return ValidationError.from_exception_data("FitSettings", [detail])


def _tag(value: Any) -> str:
    """Of the union's part that a value belongs to."""
    if isinstance(value, FitSettings):
        value = {"posterior": value.posterior}
    posterior = value.get("posterior", USUAL)
    return f"{TAG}{posterior if posterior in POSTERIORS else OF_YOURS}"


_PARTS = tuple(Annotated[cls, Tag(f"{TAG}{name}")] for name, cls in _CLASSES.items())
_UNION: Any = Annotated[
    Union[_PARTS],  # noqa: UP007  # of as many parts as there are methods
    Discriminator(_tag),
    BeforeValidator(_of_the_method),
]

AnyFitSettings = Annotated[
    FitSettings, GetPydanticSchema(lambda _, handler: handler.generate_schema(_UNION))
]
"""For fields of other settings: the settings of any method, by their `posterior`."""

_ADAPTER: TypeAdapter[FitSettings] = TypeAdapter(_UNION, config=ConfigDict(title="FitSettings"))
