"""The model that a config names: SNAP, or a class of the user's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, cast

from pydantic import BaseModel, model_validator

from snap_al.descriptors import SnapSettings
from snap_al.named import DottedName, made
from snap_al.options import OF_YOURS, Table, refuse_inapplicable
from snap_al.potential.model import Model
from snap_al.potential.snap import Snap

APPLIES_WITH: Table = {"options": ({"type": (OF_YOURS,)},)}
"""Cases in which an option applies; the others always do."""


class ModelSettings(BaseModel, extra="forbid", frozen=True):
    """What energies follow from the descriptor by."""

    type: Literal["snap"] | DottedName = "snap"
    """snap: linear in the bispectrum components, or quadratic with descriptor.quadraticflag. Or the
    dotted name of a class of yours (snap_al.potential.Model)."""
    options: dict[str, Any] = {}
    """Arguments of a class of yours, after the descriptor's settings."""

    @model_validator(mode="after")
    def _options_apply(self) -> ModelSettings:
        refuse_inapplicable(self, APPLIES_WITH)
        return self


MODELS: dict[str, Callable[[SnapSettings], Model]] = {"snap": Snap}
"""By the names of `ModelSettings.type`."""


def model_of(settings: ModelSettings, descriptor: SnapSettings) -> Model:
    """The model of the settings. Raises InputError for a class that cannot be imported or made."""
    if settings.type in MODELS:
        return MODELS[settings.type](descriptor)
    return cast(Model, made("model.type", settings.type, settings.options, descriptor))
